import Synchronization

/// Raw 64-byte aligned memory, recycled by size so that a training loop allocates nothing once it is warm.
///
/// Blocks are rounded up to an eighth of the power of two below them from 4 KiB on (to 64 bytes below), so at most an
/// eighth is unused, and returned to a free list when their tensor dies. Contents are not cleared.
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

  private static func rounded(_ bytes: Int) -> Int {
    if bytes <= 4096 { return max(64, (bytes + 63) / 64 * 64) }
    let eighth = 1 << (Int.bitWidth - 4 - (bytes - 1).leadingZeroBitCount)
    return (bytes + eighth - 1) / eighth * eighth
  }
}

enum StoragePool {
  private struct Free: @unchecked Sendable {
    var blocks: [Int: [UnsafeMutableRawPointer]] = [:]
  }
  private static let free = Mutex(Free())

  static func take(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let address = free.withLock { state -> UInt? in
      state.blocks[byteCount]?.popLast().map { UInt(bitPattern: $0) }
    }
    if let address, let pointer = UnsafeMutableRawPointer(bitPattern: address) { return pointer }
    return UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
  }

  static func giveBack(_ pointer: UnsafeMutableRawPointer, _ byteCount: Int) {
    let address = UInt(bitPattern: pointer)
    free.withLock { state in
      guard let pointer = UnsafeMutableRawPointer(bitPattern: address) else { return }
      state.blocks[byteCount, default: []].append(pointer)
    }
  }
}
