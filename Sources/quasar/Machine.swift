import CKernels
import Quasar

/// The process-wide settings of the kernels.
enum Machine {
  static func setThreads(_ count: Int) {
    qk_set_thread_count(Int32(count))
  }

  static var threads: Int { Int(qk_thread_count()) }

  static var instructionSets: [qk_isa] {
    (0..<QK_ISA_COUNT.rawValue).map { qk_isa($0) }
  }

  static func name(_ isa: qk_isa) -> String { String(cString: qk_isa_name(isa)) }

  static func forceInstructionSet(_ name: String) throws {
    guard let isa = instructionSets.first(where: { self.name($0) == name }) else {
      throw QuasarError(
        .usage,
        "--isa \(name): unknown; the instruction sets are "
          + instructionSets.map(self.name).joined(separator: ", "))
    }
    guard qk_isa_force(isa) == QK_OK else {
      throw QuasarError(.usage, "--isa \(name): this CPU does not have it; 'quasar doctor' lists what it has")
    }
  }

  /// Giga-operations per second (2 per multiply–accumulate) of the instruction the integer kernels of `isa`
  /// are built on, measured on one thread: the best of five runs.
  static func peak(_ isa: qk_isa) -> Double {
    var best = 0.0
    let clock = ContinuousClock()
    for _ in 0..<5 {
      var operations: Double = 0
      let time = clock.measure { operations = qk_peak_operations(isa, 4_000_000) }
      best = max(best, operations / time.seconds / 1e9)
    }
    return best
  }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
