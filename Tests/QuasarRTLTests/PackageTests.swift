import CKernels
import Foundation
import QuasarArithmetic
import QuasarTensor
import Testing

@testable import QuasarRTL

/// `quasar_pkg.sv` against the constants that Swift derives from the arithmetic contract.
@Suite("The SystemVerilog package")
struct PackageTests {
  /// What the package declares, read from its text.
  struct Package {
    var enumerations: [String: [String: Int]] = [:]
    var numbers: [String: Int] = [:]
    var bundles: [String: [String]] = [:]

    init() throws {
      let sources = try RTLFolder.sources()
      let text = try #require(sources.first { $0.0 == "pkg/quasar_pkg.sv" }).1
      let code = text.replacing(/\/\/[^\n]*/, with: "")
      for match in code.matches(of: /localparam\s+integer\s+(\w+)\s*=\s*(\d+)\s*;/) {
        numbers[String(match.1)] = Int(match.2)
      }
      for match in code.matches(of: /typedef\s+enum\s+[^{]*\{([^}]*)\}\s*(\w+)\s*;/) {
        var values: [String: Int] = [:]
        for value in match.1.matches(of: /(\w+)\s*=\s*(?:\d+'d)?(\d+)/) { values[String(value.1)] = Int(value.2) }
        enumerations[String(match.2)] = values
      }
      for match in code.matches(of: /typedef\s+struct\s+packed\s*\{([^}]*)\}\s*(\w+)\s*;/) {
        bundles[String(match.2)] = match.1.matches(of: /(?:logic\s*\[quasar_pkg::(\w+)-1:0\]|(\w+_t))\s+\w+\s*;/).map {
          String($0.1 ?? $0.2 ?? "")
        }
      }
      // Nothing that these patterns overlook.
      #expect(code.matches(of: /localparam/).count == numbers.count)
      #expect(code.matches(of: /typedef/).count == enumerations.count + bundles.count)
      let members = bundles.values.reduce(0) { $0 + $1.count }
      #expect(code.matches(of: /;/).count == 1 + numbers.count + enumerations.count + bundles.count + members)
    }

    /// Bits of a bundle by the widths of its members.
    func bits(_ bundle: String) -> Int {
      bundles[bundle, default: []].reduce(0) { $0 + (numbers[$1] ?? bits($1)) }
    }
  }

  @Test("Every enumerator has the value that Swift and C give it, and none is missing on either side")
  func enumerations() throws {
    let package = try Package()
    #expect(Set(package.enumerations.keys) == Set(RTLConstants.enumerations.keys))
    for (name, values) in RTLConstants.enumerations { #expect(package.enumerations[name] == values, "\(name)") }
    // Repairs and forms of weights that Swift adds later must come here, too.
    #expect(RTLConstants.enumerations["repair_e"]?.count == Set(PackingMode.all.map(\.repair)).count)
    #expect(RTLConstants.enumerations["weight_form_e"]?.count == Set(PackingMode.all.map(\.weightForm)).count)
  }

  @Test("Every width, limit and number of cycles is that of the contract and of the cost model")
  func numbers() throws {
    let package = try Package()
    #expect(Set(package.numbers.keys) == Set(RTLConstants.numbers.keys))
    for (name, value) in RTLConstants.numbers { #expect(package.numbers[name] == value, "\(name)") }
  }

  @Test("Bundles are as wide as the numbers that stand for them")
  func bundles() throws {
    let package = try Package()
    for (bundle, number) in RTLConstants.bundles {
      #expect(package.bits(bundle) == package.numbers[number], "\(bundle) and \(number)")
    }
    // Bias 31, M 17, S 6; B 63, M 17, S 6.
    #expect(package.bits("quasar_row_t") == 54 && package.bits("quasar_channel_t") == 86)
    // Kind, lane and step fill what an entry of 72 bits leaves.
    #expect(package.bits("quasar_destination_t") == 72 - 54)
    #expect(package.bundles.count == 5)
  }

  @Test("E and B of LayerNorm have the widths that the contract accepts")
  func layerNormLimits() throws {
    func isAccepted(epsilon: Int64, offset: Int64) -> Bool {
      (try? IntegerLayerNorm(
        name: "limits", epsilonCode: epsilon, scales: [Requantiser(multiplier: 0, shift: 1)], offsets: [offset],
        range: .signedNarrow(bits: 8)
      ).codes(NDArray<Int16>(zeros: [1, 1]), on: IntegerExecution.kernels)) != nil
    }
    let (epsilon, offset) = (Int64(1) << 40 - 1, Int64(1) << 62 - 1)
    #expect(RTLConstants.numbers["EPSILON_BITS"] == 40 && RTLConstants.numbers["OFFSET_BITS"] == 63)
    #expect(isAccepted(epsilon: epsilon, offset: offset))
    #expect(!isAccepted(epsilon: epsilon + 1, offset: offset))
    #expect(!isAccepted(epsilon: epsilon, offset: offset + 1))
  }
}
