import CKernels
import Foundation
import Quasar

/// The process-wide settings of the kernels.
package enum Machine {
  package static func setThreads(_ count: Int) {
    qk_set_thread_count(Int32(count))
  }

  /// Most bytes that the process has held in memory so far.
  package static var peakMemory: Int {
    var usage = rusage()
    // Glibc's RUSAGE_SELF is an enumeration whose C function takes a number.
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Int(usage.ru_maxrss) * 1024
  }

  package static var threads: Int { Int(qk_thread_count()) }

  static var instructionSets: [qk_isa] {
    (0..<QK_ISA_COUNT.rawValue).map { qk_isa($0) }
  }

  static func name(_ isa: qk_isa) -> String { String(cString: qk_isa_name(isa)) }

  package static var currentName: String { name(qk_isa_current()) }

  static func forceInstructionSet(_ name: String) throws {
    guard let isa = instructionSets.first(where: { self.name($0) == name }) else {
      throw QuasarError(
        .usage,
        "--isa \(name): unknown; the instruction sets are "
          + instructionSets.map(self.name).joined(separator: ", "))
    }
    guard qk_isa_force(isa) == QK_OK else {
      throw QuasarError(
        .usage,
        "--isa \(name): needs \(missing(isa) ?? "what is not there"), which this CPU does not have; "
          + "'quasar doctor' lists what it has")
    }
  }

  /// What the CPU lacks for an instruction set, as people write it ("AVX-512 VNNI"); nil when it is available.
  static func missing(_ isa: qk_isa) -> String? {
    features { qk_isa_missing(isa, $0, $1) }
  }

  /// What the CPU lacks for a faster kernel of `operation` in an available set; nil when nothing.
  static func missing(_ operation: qk_operation, _ isa: qk_isa) -> String? {
    features { qk_kernel_missing(operation, isa, $0, $1) }
  }

  private static func features(
    _ write: (UnsafeMutablePointer<CChar>, Int) -> UnsafePointer<CChar>?
  ) -> String? {
    let list = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      buffer.baseAddress.flatMap { write($0, buffer.count) }.map { String(cString: $0) }
    }
    return list?.split(separator: ",").map { featureName(String($0)) }.joined(separator: ", ")
  }

  /// "avx512vnni" → "AVX-512 VNNI", "fma" → "FMA"; names of processors stay as they are.
  static func featureName(_ name: String) -> String {
    if name.hasPrefix("avx512") { return "AVX-512 \(name.dropFirst(6).uppercased())" }
    return name.contains("-") || name.contains(" ") ? name : name.uppercased()
  }

  /// Giga-operations per second (2 per multiply–accumulate) of the instruction that the integer kernels in use are built
  /// on, measured on one thread: the best of five runs.
  package static func peak() -> Double {
    let isa = qk_isa_current()
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
