import QuasarAutograd
import QuasarNetwork
import Testing

@testable import QuasarSupernet

@Suite struct EntangledGradientTests {
  private let geometry = Tiny.geometry

  /// The entries of every parameter that an architecture uses, from its definition alone.
  private func used(_ net: Supernet, _ architecture: Architecture) -> [String: Set<Int>] {
    let (d, full) = (architecture.embedDimension, net.size.embedDimension)
    var used: [String: Set<Int>] = [:]
    func rectangle(_ rows: [Int], _ columns: Int, stride: Int) -> Set<Int> {
      Set(rows.flatMap { row in (0..<columns).map { row * stride + $0 } })
    }
    func linear(_ name: String, _ rows: [Int], _ columns: Int, stride: Int, rows8: Set<Int>) {
      used["\(name).weight"] = rectangle(rows, columns, stride: stride)
      used["\(name).bias"] = Set(rows)
      used["\(name).step8"] = rows8
      used["\(name).step4"] = Set(rows).subtracting(rows8)
    }
    let vector = Set(0..<d)
    linear("patch_embed", Array(0..<d), geometry.patchInputs, stride: geometry.patchInputs, rows8: vector)
    linear("head", [0, 1, 2], d, stride: full, rows8: [0, 1, 2])
    used["cls"] = vector
    used["position"] = rectangle(Array(0..<geometry.tokens), d, stride: full)
    used["norm.weight"] = vector
    used["norm.bias"] = vector
    used["norm.step.a8"] = [0]
    for i in architecture.blocks.indices {
      let name = "blocks.\(i)"
      let (width, hidden) = (architecture.attentionWidth(i), architecture.hiddenWidth(i))
      let (widest, section) = (net.size.hiddenWidths[i], net.size.attentionWidths[i])
      func rows8(_ role: LayerID.Role) -> Set<Int> {
        let slice = net.slice(role, i, of: architecture)
        return Set(zip(slice.rows, slice.bits).filter { $0.1 == 8 }.map { Int($0.0) })
      }
      let qkvRows = (0..<3).flatMap { part in (0..<width).map { part * section + $0 } }
      linear("\(name).qkv", qkvRows, d, stride: full, rows8: rows8(.qkv))
      linear("\(name).projection", Array(0..<d), width, stride: section, rows8: rows8(.projection))
      linear("\(name).expand", Array(0..<hidden), d, stride: full, rows8: rows8(.expand))
      linear("\(name).contract", Array(0..<d), hidden, stride: widest, rows8: rows8(.contract))
      for vectorName in ["norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias", "gain1", "gain2"] {
        used["\(name).\(vectorName)"] = vector
      }
      let bits = architecture.activationBits
      for step in ["norm1", "attention", "norm2", "hidden"] { used["\(name).\(step).step.a\(bits)"] = [0] }
      used["\(name).qkv.step.a\(bits)"] = [0, 1, 2]
      used["\(name).hidden_input.step.a8"] = [0]
    }
    return used
  }

  @Test(arguments: ForwardMode.allCases)
  func onlyTheSliceGetsGradients(mode: ForwardMode) throws {
    let net = try Tiny.net()
    for architecture in [Tiny.slice, Tiny.full] {
      let gradients = try Tiny.gradients(net, architecture, mode, Tiny.patches(12))
      let used = used(net, architecture)
      for (name, gradient) in gradients {
        let inside = used[name] ?? []
        let outside = gradient.indices.filter { !inside.contains($0) && gradient[$0] != 0 }
        #expect(outside.isEmpty, "\(name): \(outside.prefix(5)) of \(gradient.count) are outside the slice")
        #expect(gradient.allSatisfy { $0.isFinite }, "\(name)")
        if name.hasSuffix(".weight"), !inside.isEmpty {
          // A few weights inside may get none (clipped or dead), but not half of a matrix.
          #expect(inside.filter { gradient[$0] != 0 }.count * 2 > inside.count, "\(name)")
        }
      }
      #expect(Set(used.filter { !$0.value.isEmpty }.keys).isSubset(of: Set(gradients.keys)))
    }
  }

  @Test func fullPrecisionLeavesStepsAlone() throws {
    let net = try Tiny.net()
    let gradients = try Tiny.gradients(net, Tiny.full, .full, Tiny.patches(12))
    for parameter in net.parameters where parameter.role == .scale {
      #expect(gradients[parameter.name]?.allSatisfy { $0 == 0 } == true, "\(parameter.name)")
    }
  }

  /// The exact integers differ from fake quantisation by single codes. So at 8 bits the gradients of all weights
  /// together agree: their difference is under a tenth, and each parameter has its share of it.
  @Test func exactGradientsFollowQuantisedOnes() throws {
    let net = try Tiny.net()
    let architecture = Tiny.full.uniform(share: .all, activationBits: 8)
    let input = Tiny.patches(24)
    let exact = try Tiny.gradients(net, architecture, .exact, input)
    let quantized = try Tiny.gradients(net, architecture, .quantized, input)
    var (total, apart) = (0.0, 0.0)
    for parameter in net.parameters where parameter.role == .weight {
      let (a, b) = (exact[parameter.name] ?? [], quantized[parameter.name] ?? [])
      func dot(_ x: [Float], _ y: [Float]) -> Double {
        zip(x, y).reduce(0) { $0 + Double($1.0) * Double($1.1) }
      }
      let difference = zip(a, b).map { $0 - $1 }
      total += dot(b, b)
      apart += dot(difference, difference)
      #expect(dot(a, a) > 0 && dot(difference, difference) < dot(b, b) / 4, "\(parameter.name)")
    }
    #expect((apart / total).squareRoot() < 0.1)
  }
}
