import QuasarAutograd
import QuasarNetwork
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarSupernet

/// Keeps the inputs of all linear layers.
private final class InputKeeper: ActivationObserver {
  var inputs: [String: [[Float]]] = [:]
  func record(_ name: String, _ x: Tensor, parts: Int) {}
  func recordInput(_ name: String, _ x: Tensor) {
    for row in 0..<x.rowCount {
      inputs[name, default: []].append((0..<x.width).map { x.pointer[row * x.width + $0] })
    }
  }
}

@Suite struct CompensatedStartTests {
  private static func net(_ entanglement: Entanglement, seed: UInt64) throws -> Supernet {
    let net = Supernet(
      size: SupernetSize(Tiny.full), preprocessing: Preprocessing(mean: [0.45], deviation: [0.3]),
      random: RandomSource(seed: seed), entanglement: entanglement)
    // Gains of 0.1 would leave the second block nearly the inputs of the first.
    for gain in net.layerScales { gain.value.fill(1) }
    try net.calibrate([Tiny.patches(24, seed: seed)], architecture: Tiny.full)
    return net
  }

  private static func inputs(_ net: Supernet, _ batches: [PatchBatch]) throws -> [String: [[Float]]] {
    let keeper = InputKeeper()
    for batch in batches {
      _ = try net.forward(
        Tape(recording: false), batch, architecture: Tiny.full, mode: .quantized, products: .float, recorder: keeper)
    }
    return keeper.inputs
  }

  private static func values(_ linear: LinearParameters, _ slice: LayerSlice, latent: Tensor) -> [Float] {
    slice.rows.flatMap { row in (0..<slice.width).map { latent.pointer[Int(row) * latent.width + $0] } }
  }

  /// ‖(Ŵ − W)·X‖²
  private static func error(_ a: [Float], _ b: [Float], _ inputs: [[Float]], width: Int) -> Double {
    stride(from: 0, to: a.count, by: width).reduce(0) { total, first in
      let d = (0..<width).map { Double(a[first + $0] - b[first + $0]) }
      return inputs.reduce(total) { sum, x in
        let y = zip(d, x).reduce(0) { $0 + $1.0 * Double($1.1) }
        return sum + y * y
      }
    }
  }

  /// With the inputs that each stage sees and without damping, every layer's output is closer than with rounding to
  /// nearest.
  @Test(arguments: Entanglement.allCases, [UInt64(1), 2, 3])
  func everyLayerIsCloserThanRounding(entanglement: Entanglement, seed: UInt64) throws {
    let batches = [Tiny.patches(40, seed: seed + 10), Tiny.patches(9, seed: seed + 20)]
    let net = try Self.net(entanglement, seed: seed)
    let original = Dictionary(uniqueKeysWithValues: net.parameters.map { ($0.name, $0.value.copied()) })
    let rounded = try Self.net(entanglement, seed: seed)
    try rounded.startFromCompensatedCodes(batches, architecture: Tiny.full)
    // Repeats the stages: before each, `net` has the rounded weights of all earlier stages.
    var (seen, sums) = (0, (before: 0.0, after: 0.0))
    let pairs = zip(net.quantizedStages(Tiny.full), rounded.quantizedStages(Tiny.full))
    for (stage, finished) in pairs {
      let inputs = try Self.inputs(net, batches)
      for (sliced, rounded) in zip(stage, finished) {
        let (linear, slice, done) = (sliced.linear, sliced.slice, rounded.linear)
        let latent = try #require(original[linear.weight.name])
        let nearest = Tape(recording: false).slice(linear.weightSlice(slice)).value.scalars
        let exact = Self.values(linear, slice, latent: latent)
        let found = Self.values(done, slice, latent: done.weight.value)
        let x = try #require(inputs[linear.name])
        let before = Self.error(nearest, exact, x, width: slice.width)
        let after = Self.error(found, exact, x, width: slice.width)
        #expect(after < before, "\(linear.name): \(after), to nearest \(before)")
        sums.before += before
        sums.after += after
        // The values are those of their codes, so quantising them changes nothing.
        #expect(Tape(recording: false).slice(done.weightSlice(slice)).value.scalars == found, "\(linear.name)")
        seen += 1
      }
      for (sliced, rounded) in zip(stage, finished) { sliced.linear.weight.value.assign(rounded.linear.weight.value) }
    }
    #expect(seen == 10 && sums.after < 0.8 * sums.before, "\(seen) layers, \(sums)")
    // Only weights move.
    for parameter in rounded.parameters where parameter.role != .weight {
      #expect(original[parameter.name].map(Tiny.bits) == Tiny.bits(parameter.value), "\(parameter.name)")
    }
  }

  @Test func hessiansAreSumsOverTheQuantisedInputs() throws {
    let net = try Self.net(.independentSteps, seed: 4)
    let batches = [Tiny.patches(12, seed: 1), Tiny.patches(5, seed: 2)]
    let names: Set = ["patch_embed", "blocks.1.contract", "head"]
    let hessians = InputHessians(of: names)
    for batch in batches {
      _ = try net.forward(
        Tape(recording: false), batch, architecture: Tiny.full, mode: .quantized, recorder: hessians)
    }
    #expect(Set(hessians.sums.keys) == names)
    let inputs = try Self.inputs(net, batches)
    for (name, sum) in hessians.sums {
      let x = try #require(inputs[name])
      let width = x[0].count
      #expect(x.count == (name == "head" ? 17 : name == "patch_embed" ? 17 * 4 : 17 * 5) && sum.count == width * width)
      for i in 0..<width {
        for j in 0..<width {
          let expected = x.reduce(0) { $0 + 2 * Double($1[i]) * Double($1[j]) }
          let size = x.reduce(0) { $0 + 2 * abs(Double($1[i]) * Double($1[j])) }
          // fp32 sums of at most 85 products.
          #expect(abs(sum[i * width + j] - expected) <= 85 * 0x1p-23 * size, "\(name) \(i) \(j)")
        }
      }
    }
    // The inputs of `contract` are codes: multiples of their step.
    let step = net.steps(.expand, 1).parameter(bits: 8).value.pointer[0]
    for value in inputs["blocks.1.contract"]?.first ?? [] {
      #expect(abs(value / step - (value / step).rounded()) < 1e-3)
    }
  }

  /// A slice of a space moves its own weights and no others.
  @Test func aSliceLeavesTheRestAlone() throws {
    let net = try Tiny.net()
    let before = net.linear(.expand, 0).weight.value.copied()
    let head = net.linear(.qkv, 1).weight.value.copied()
    try net.startFromCompensatedCodes([Tiny.patches(30)], architecture: Tiny.slice)
    let after = net.linear(.expand, 0).weight.value
    for row in 0..<before.shape[0] {
      for k in 0..<before.width where row >= 8 || k >= 8 {
        #expect(after.pointer[row * before.width + k] == before.pointer[row * before.width + k])
      }
    }
    #expect(!after.contentsEqual(before) && net.linear(.qkv, 1).weight.value.contentsEqual(head))
  }

  @Test func aLayerThatCannotBeUsedIsNamed() throws {
    let net = try Self.net(.independentSteps, seed: 1)
    net[LayerID(.norm1, block: 1)].norm!.weight.value.fill(.nan)
    let error = quasarError { try net.startFromCompensatedCodes([Tiny.patches(8)], architecture: Tiny.full) }
    #expect(error?.kind == .badData && error?.message.hasPrefix("blocks.1.qkv: ") == true, "\(error?.message ?? "")")
    var wide = Tiny.full
    wide.embedDimension = 32
    #expect(quasarError { try net.startFromCompensatedCodes([Tiny.patches(8)], architecture: wide) } != nil)
  }
}
