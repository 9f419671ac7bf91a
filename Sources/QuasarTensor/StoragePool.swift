import Synchronization

/// Raw 64-byte aligned memory, recycled so that a training loop allocates nothing once it is warm.
///
/// Contents are not cleared. Small blocks are recycled by size. Large ones are cut from slabs, the oldest slab first.
/// So memory released by one phase of a step serves the next one, whatever its sizes are, and the total grows only to
/// the amount in use at once.
final class StorageBlock {
  let base: UnsafeMutableRawPointer
  let byteCount: Int

  init(byteCount: Int) {
    self.byteCount = StorageBlock.rounded(byteCount)
    base = StoragePool.take(self.byteCount)
  }

  deinit {
    StoragePool.giveBack(base, byteCount)
  }

  /// The size rounded up to a multiple of 64 bytes; from 4 KiB on, to a multiple of an eighth of the power of two
  /// below; for large blocks, to a multiple of 4 KiB.
  private static func rounded(_ bytes: Int) -> Int {
    let unit: Int
    switch bytes {
    case ...4096: unit = 64
    case ...StoragePool.largestSmallBlock: unit = 1 << (Int.bitWidth - 4 - (bytes - 1).leadingZeroBitCount)
    default: unit = 4096
    }
    return max(64, (bytes + unit - 1) / unit * unit)
  }
}

enum StoragePool {
  /// Larger blocks are cut from slabs.
  static let largestSmallBlock = 32 << 10
  /// Bytes of a slab; pages that nothing has touched yet cost nothing.
  private static let slabBytes = 64 << 20

  private struct Slab {
    let base: UInt
    let byteCount: Int
    var free: FreeRanges

    init(byteCount: Int) {
      base = StoragePool.allocate(byteCount, alignment: 4096)
      self.byteCount = byteCount
      free = FreeRanges(count: byteCount)
    }

    mutating func take(_ byteCount: Int) -> UInt? {
      free.take(byteCount).map { base + UInt($0) }
    }
  }

  private struct State {
    var small: [Int: [UInt]] = [:]
    var slabs: [Slab] = []

    mutating func takeLarge(_ byteCount: Int) -> UInt? {
      for i in slabs.indices {
        if let address = slabs[i].take(byteCount) { return address }
      }
      slabs.append(Slab(byteCount: max(byteCount, StoragePool.slabBytes)))
      return slabs[slabs.count - 1].take(byteCount)
    }

    mutating func addLarge(_ address: UInt, _ byteCount: Int) {
      guard let i = slabs.firstIndex(where: { address >= $0.base && address - $0.base < UInt($0.byteCount) }) else {
        return
      }
      let offset = Int(address - slabs[i].base)
      slabs[i].free.add(offset..<offset + byteCount)
    }
  }
  private static let state = Mutex(State())

  static func take(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let address = state.withLock { state in
      if byteCount > largestSmallBlock { return state.takeLarge(byteCount) }
      return state.small[byteCount]?.popLast() ?? allocate(byteCount, alignment: 64)
    }
    guard let address, let pointer = UnsafeMutableRawPointer(bitPattern: address) else {
      preconditionFailure("no memory for \(byteCount) bytes")
    }
    return pointer
  }

  static func giveBack(_ pointer: UnsafeMutableRawPointer, _ byteCount: Int) {
    let address = UInt(bitPattern: pointer)
    state.withLock { state in
      if byteCount > largestSmallBlock {
        state.addLarge(address, byteCount)
      } else {
        state.small[byteCount, default: []].append(address)
      }
    }
  }

  private static func allocate(_ byteCount: Int, alignment: Int) -> UInt {
    UInt(bitPattern: UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: alignment))
  }
}
