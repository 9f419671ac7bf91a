import CKernels
import Foundation
import Testing

/// Counts how often each task ran, and with which chunk bounds.
private final class Record {
  let count: Int, grain: Int
  let runs: UnsafeMutablePointer<Int32>
  var nested = 0
  init(count: Int, grain: Int, nested: Int = 0) {
    (self.count, self.grain, self.nested) = (count, grain, nested)
    runs = .allocate(capacity: count + 1)
    runs.initialize(repeating: 0, count: count + 1)
  }
  deinit { runs.deallocate() }

  static let body: @convention(c) (UnsafeMutableRawPointer?, Int, Int) -> Void = { context, begin, end in
    let record = Unmanaged<Record>.fromOpaque(context!).takeUnretainedValue()
    let whole = begin % record.grain == 0 && (end == record.count || end - begin == record.grain)
    for i in begin..<end { record.runs[i] += whole ? 1 : 100 }
    guard record.nested > 0 else { return }
    let inner = Record(count: record.nested, grain: 2)
    inner.run()
    if !inner.allOnce { record.runs[begin] += 1000 }
  }
  func run() { qk_parallel_for(count, grain, Unmanaged.passUnretained(self).toOpaque(), Record.body) }
  var allOnce: Bool { (0..<count).allSatisfy { runs[$0] == 1 } }
}

/// The number of threads is a property of the process: the tests that set it run one after the other.
@Suite(.serialized) struct ParallelTests {
  @Test func everyTaskRunsOnceInTheSameChunks() {
    for threads in [1, 2, 3, 5] {
      qk_set_thread_count(Int32(threads))
      #expect(qk_thread_count() == threads)
      for (count, grain) in [(1, 1), (2, 1), (7, 3), (100, 1), (1000, 7), (64, 64), (64, 100)] {
        let record = Record(count: count, grain: grain)
        record.run()
        #expect(record.allOnce, "threads \(threads) count \(count) grain \(grain)")
      }
    }
    qk_set_thread_count(0)
    qk_parallel_for(0, 1, nil) { _, _, _ in Issue.record("no task, no call") }
  }

  @Test func nestedAndConcurrentCalls() {
    qk_set_thread_count(2)
    let nested = Record(count: 20, grain: 1, nested: 9)
    nested.run()
    #expect(nested.allOnce)
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      for _ in 0..<20 {
        let record = Record(count: 50, grain: 3, nested: 5)
        record.run()
        #expect(record.allOnce)
      }
    }
    qk_set_thread_count(0)
  }

  /// The affinity mask of the calling thread, as the kernel prints it.
  private func allowedCPUs() throws -> String? {
    try String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8)
      .split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }.map(String.init)
  }

  @Test func callerKeepsItsMask() throws {
    qk_set_thread_count(2)
    let before = try allowedCPUs()
    for _ in 0..<50 { Record(count: 8, grain: 1).run() }
    #expect(try allowedCPUs() == before)
    qk_set_thread_count(0)
    #expect(qk_thread_count() >= 1)
    qk_set_thread_count(-3)
    #expect(qk_thread_count() >= 1)
  }

  /// The threads that an operation may plan with: another body has the others.
  @Test func regionsInsideABodyHaveOneThread() {
    qk_set_thread_count(2)
    defer { qk_set_thread_count(0) }
    #expect(qk_region_threads() == 2)
    var found = [Int32](repeating: 0, count: 8)
    found.withUnsafeMutableBufferPointer {
      qk_parallel_for(8, 1, $0.baseAddress) { context, begin, end in
        for i in begin..<end { context!.assumingMemoryBound(to: Int32.self)[i] = qk_region_threads() }
      }
    }
    #expect(found == [Int32](repeating: 1, count: 8))
    #expect(qk_region_threads() == 2)
  }

  @Test func resultsDoNotDependOnThreads() {
    for isa in fastSets {
      let gemm = GemmProblem(
        tokens: 150, rows: 300, depth: 130, isUnsigned: false, form: QK_OUTPUT_INT8, share: 2,
        slack: 1, seed: 9)
      let attention = AttentionProblem(
        batch: 3, tokens: 70, heads: 3, dimension: 16, bits: 8, full: false, seed: 9)
      let norm = LayerNormProblem(rows: 300, width: 192, slack: 0, kind: .random, seed: 9)
      qk_set_thread_count(1)
      let one = (gemm.run(isa), attention.run(isa), norm.run(isa))
      for threads in [2, 4] {
        qk_set_thread_count(Int32(threads))
        for _ in 0..<5 {
          #expect(gemm.run(isa) == one.0 && attention.run(isa) == one.1 && norm.run(isa) == one.2)
        }
      }
      #expect(one.0 == gemm.run(QK_ISA_REFERENCE))
    }
    qk_set_thread_count(0)
  }
}

@Suite struct DispatchTests {
  @Test func names() {
    #expect(String(cString: qk_isa_name(QK_ISA_REFERENCE)) == "reference")
    #expect(String(cString: qk_isa_name(QK_ISA_AVX2)) == "avx2")
    #expect(qk_isa_name(QK_ISA_COUNT) == nil && qk_isa_name(qk_isa(99)) == nil)
    #expect(qk_isa_available(QK_ISA_REFERENCE) == 1 && qk_isa_available(qk_isa(99)) == 0)
    let operations = [QK_OPERATION_GEMM, QK_OPERATION_ATTENTION, QK_OPERATION_LAYER_NORM]
    #expect(operations.map { String(cString: qk_operation_name($0)) } == ["gemm", "attention", "layer-norm"])
    #expect(qk_operation_name(QK_OPERATION_COUNT) == nil)
    for operation in operations {
      #expect(String(cString: qk_kernel_name(operation, QK_ISA_REFERENCE)).hasSuffix("_reference"))
      #expect(qk_kernel_name(operation, qk_isa(99)) == nil)
    }
    #expect(qk_kernel_name(QK_OPERATION_COUNT, QK_ISA_REFERENCE) == nil)
  }

  private func text(_ write: (UnsafeMutablePointer<CChar>, Int) -> UnsafePointer<CChar>?, _ size: Int = 200) -> String?
  {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) { buffer in
      buffer.initialize(repeating: 88)
      return buffer.baseAddress.flatMap { write($0, size) }.map { String(cString: $0) }
    }
  }

  @Test func whatIsMissing() {
    for isa in (0..<QK_ISA_COUNT.rawValue).map({ qk_isa($0) }) {
      let missing = text { qk_isa_missing(isa, $0, $1) }
      #expect((missing == nil) == (qk_isa_available(isa) == 1))
      #expect(missing?.isEmpty != true)
      for operation in (0..<QK_OPERATION_COUNT.rawValue).map({ qk_operation($0) }) where missing != nil {
        #expect(text { qk_kernel_missing(operation, isa, $0, $1) } == nil)
      }
      // A buffer that is too small truncates the text.
      #expect(text({ qk_isa_missing(isa, $0, $1) }, 3).map { $0 == missing?.prefix(2).description } != false)
      #expect(qk_isa_missing(isa, nil, 0) == nil)
    }
    #expect(text { qk_isa_missing(qk_isa(99), $0, $1) } == nil)
    #expect(text { qk_kernel_missing(QK_OPERATION_COUNT, QK_ISA_AVX512VNNI, $0, $1) } == nil)
    #expect(text { qk_kernel_missing(QK_OPERATION_GEMM, QK_ISA_REFERENCE, $0, $1) } == nil)
    if qk_isa_available(QK_ISA_AVX512VNNI) == 1 {
      // The list agrees with the table on the features that are needed in addition to the set.
      for operation in [QK_OPERATION_GEMM, QK_OPERATION_ATTENTION] {
        let serves = String(cString: qk_kernel_name(operation, QK_ISA_AVX512VNNI)).hasSuffix("vbmi")
        #expect((text { qk_kernel_missing(operation, QK_ISA_AVX512VNNI, $0, $1) } == nil) == serves)
      }
    }
  }

  @Test func forcing() {
    let best = qk_isa_best()
    #expect(qk_isa_available(best) == 1 && qk_isa_current() == best)
    for isa in instructionSets {
      #expect(qk_isa_force(isa) == QK_OK && qk_isa_current() == isa)
      let p = GemmProblem(
        tokens: 9, rows: 20, depth: 30, isUnsigned: true, form: QK_OUTPUT_TABLE, share: 2,
        slack: 0, seed: 4)
      let out = Guarded<UInt8>(count: p.outputBytes)
      var a = p.arguments(output: out.base)
      #expect(
        withUnsafePointer(to: &p.packed.weights) {
          a.weights = $0
          return qk_gemm(&a)
        } == QK_OK)
      #expect(out.bytes == p.oracle())
    }
    #expect(qk_isa_force(qk_isa(99)) == QK_ISA_NOT_AVAILABLE)
    #expect(qk_isa_force(best) == QK_OK && qk_isa_current() == best)
  }

  @Test func everyStatusHasItsSentence() {
    let sentences = (0...QK_OUT_OF_MEMORY.rawValue).map {
      String(cString: qk_status_message(qk_status($0)))
    }
    #expect(Set(sentences).count == sentences.count && sentences.allSatisfy { !$0.isEmpty })
    #expect(String(cString: qk_status_message(qk_status(99))) == "unknown status")
  }
}
