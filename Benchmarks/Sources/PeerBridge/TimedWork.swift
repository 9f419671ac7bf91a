// The common part of all timed work, and the C functions that need nothing else.
//
// A foreign caller holds an opaque pointer to a `TimedWork`; each kind of work has its own create function in another
// file. Functions return 0 (or a pointer) on success and −1 (or null) with a message in `qpb_error`.
import Quasar
import Synchronization

/// Work that can be repeated: it owns its inputs and the result of its last run.
class TimedWork {
  /// One unit of work: a product, an attention, a batch of images.
  func run() throws { preconditionFailure("run() belongs to a kind of work") }

  /// Copies the last result as raw bytes; returns the number of bytes (0 before the first run).
  func copyResult(to target: UnsafeMutableRawPointer, capacity: Int) -> Int { 0 }

  /// Copies as many bytes of `array` as fit.
  final func copy<Scalar>(
    _ array: NDArray<Scalar>?, to target: UnsafeMutableRawPointer, capacity: Int
  ) -> Int {
    guard let array else { return 0 }
    let bytes = array.count * MemoryLayout<Scalar>.stride
    target.copyMemory(from: array.pointer, byteCount: min(bytes, capacity))
    return bytes
  }
}

/// The message of the last failure in this process.
let lastError = Mutex("")

/// The retained handle of new work, or null with the reason in `lastError`.
func handle(_ make: () throws -> TimedWork) -> UnsafeMutableRawPointer? {
  do {
    return Unmanaged.passRetained(try make()).toOpaque()
  } catch {
    lastError.withLock { $0 = "\(error)" }
    return nil
  }
}

private func work(_ handle: UnsafeMutableRawPointer) -> TimedWork {
  Unmanaged<TimedWork>.fromOpaque(handle).takeUnretainedValue()
}

/// Runs the work `repeats` times.
@_cdecl("qpb_run")
public func run(_ handle: UnsafeMutableRawPointer, _ repeats: Int32) -> Int32 {
  let work = work(handle)
  do {
    for _ in 0..<max(0, repeats) { try work.run() }
    return 0
  } catch {
    lastError.withLock { $0 = "\(error)" }
    return -1
  }
}

/// Copies at most `capacity` bytes of the last result; returns its size in bytes.
@_cdecl("qpb_result")
public func result(
  _ handle: UnsafeMutableRawPointer, _ target: UnsafeMutableRawPointer, _ capacity: Int
) -> Int {
  work(handle).copyResult(to: target, capacity: capacity)
}

/// Destroys the work.
@_cdecl("qpb_free")
public func free(_ handle: UnsafeMutableRawPointer) {
  Unmanaged<TimedWork>.fromOpaque(handle).release()
}

/// Copies the last message, cut to `capacity` bytes with its closing zero.
@_cdecl("qpb_error")
public func error(_ target: UnsafeMutablePointer<CChar>, _ capacity: Int) {
  guard capacity > 0 else { return }
  let bytes = lastError.withLock { Array($0.utf8.prefix(capacity - 1)) }
  for (i, byte) in bytes.enumerated() { target[i] = CChar(bitPattern: byte) }
  target[bytes.count] = 0
}
