// The machine as the kernels see it: threads, instruction set, measured peak.
import CKernels

/// Threads of later work; 0 means all CPUs of the process.
@_cdecl("qpb_set_threads")
public func setThreads(_ threads: Int32) { qk_set_thread_count(threads) }

/// The name of the instruction set in use; static memory.
@_cdecl("qpb_instruction_set")
public func instructionSet() -> UnsafePointer<CChar>? { qk_isa_name(qk_isa_current()) }

/// The kernel that serves an operation (0 product, 1 attention, 2 layer normalisation); static memory.
@_cdecl("qpb_kernel")
public func kernel(_ operation: Int32) -> UnsafePointer<CChar>? {
  guard operation >= 0 else { return nil }
  return qk_kernel_name(qk_operation(rawValue: UInt32(operation)), qk_isa_current())
}

/// Operations done by `iterations` rounds of the instructions the kernels are built on, on the calling thread.
@_cdecl("qpb_peak_operations")
public func peakOperations(_ iterations: UInt64) -> Double {
  qk_peak_operations(qk_isa_current(), iterations)
}
