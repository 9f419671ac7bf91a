import CKernels

/// [body(0), body(1), …, body(count − 1)], computed by the threads of the kernels.
///
/// Kernels called in a body run on the thread of that body. Throws the error of the lowest index.
public func parallelMap<Element>(_ count: Int, _ body: (Int) throws -> Element) throws -> [Element] {
  guard count > 0 else { return [] }
  return try withoutActuallyEscaping(body) { body in
    let work = ParallelWork(count: count, body: body)
    qk_parallel_for(count, 1, Unmanaged.passUnretained(work).toOpaque()) { context, begin, end in
      guard let context else { return }
      Unmanaged<AnyParallelWork>.fromOpaque(context).takeUnretainedValue().run(begin..<end)
    }
    return try work.results.map { try $0!.get() }
  }
}

/// The type that the C callback sees; it cannot be generic.
private class AnyParallelWork {
  func run(_ range: Range<Int>) {}
}

/// Results by index; every index is written by one thread and read after all threads have ended.
private final class ParallelWork<Element>: AnyParallelWork {
  private let body: (Int) throws -> Element
  private let storage: UnsafeMutableBufferPointer<Result<Element, any Error>?>

  init(count: Int, body: @escaping (Int) throws -> Element) {
    self.body = body
    storage = .allocate(capacity: count)
    storage.initialize(repeating: nil)
  }

  deinit {
    storage.deinitialize()
    storage.deallocate()
  }

  var results: [Result<Element, any Error>?] { Array(storage) }

  override func run(_ range: Range<Int>) {
    for i in range { storage[i] = Result { try body(i) } }
  }
}
