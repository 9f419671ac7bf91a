/// A copy of an array at an address that stays valid as long as this object, for C structs that point to it.
public final class StableArray<Element> {
  public let pointer: UnsafeMutablePointer<Element>
  public let count: Int

  public init(_ elements: [Element]) {
    count = elements.count
    pointer = .allocate(capacity: max(1, elements.count))
    elements.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { pointer.initialize(from: base, count: source.count) }
    }
  }

  deinit {
    pointer.deinitialize(count: count)
    pointer.deallocate()
  }
}
