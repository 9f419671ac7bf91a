import CKernels
import Foundation
import Quasar

/// A parallel copy whose two buffers together have a given size: the bandwidth a kernel of that working set can hope for.
package final class CopyMeter {
  /// Bytes read and written by one copy.
  package let bytes: Int
  private let source: NDArray<UInt8>
  private let target: NDArray<UInt8>

  package init(workingSet: Int) {
    let half = max(64, workingSet / 2)
    bytes = 2 * half
    source = NDArray(repeating: 1, shape: [half])
    target = NDArray(zeros: [half])
  }

  private struct Copy {
    var source: UnsafeMutablePointer<UInt8>
    var target: UnsafeMutablePointer<UInt8>
    var count: Int
  }

  /// Pieces stay whole where a thread would get less than 16 KiB.
  private static let piece = 16 << 10

  package func run() {
    var copy = Copy(source: source.pointer, target: target.pointer, count: bytes / 2)
    qk_parallel_for((copy.count + CopyMeter.piece - 1) / CopyMeter.piece, 1, &copy) { context, begin, end in
      guard let copy = context?.assumingMemoryBound(to: Copy.self).pointee else { return }
      let first = begin * CopyMeter.piece
      memcpy(copy.target + first, copy.source + first, min(copy.count, end * CopyMeter.piece) - first)
    }
  }
}
