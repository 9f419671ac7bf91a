import QuasarTestSupport
import Testing

@testable import QuasarTensor

@Suite struct NDArrayTests {
  @Test func shapeCountsRowsAndWidth() {
    let cases: [([Int], count: Int, rows: Int, width: Int)] = [
      ([], 1, 1, 1), ([5], 5, 1, 5), ([7, 13], 91, 7, 13), ([2, 3, 5], 30, 6, 5), ([0, 4], 0, 0, 4),
    ]
    for (shape, count, rows, width) in cases {
      let array = NDArray<Int32>(zeros: shape)
      #expect(array.count == count && array.rowCount == rows && array.width == width, "shape \(shape)")
      #expect(array.scalars == Array(repeating: 0, count: count))
    }
  }

  @Test func scalarsKeepRowMajorOrder() {
    let array = NDArray<Int16>([1, 2, 3, 4, 5, 6], shape: [2, 3])
    #expect(array[flat: 3] == 4)
    #expect(array.rows(1..<2).scalars == [4, 5, 6])
    #expect(array.reshaped([3, 2]).rows(1..<3).scalars == [3, 4, 5, 6])
  }

  @Test func viewsShareStorage() {
    let array = NDArray<Float>(zeros: [4, 3])
    let reshaped = array.reshaped([2, 6])
    let rows = array.rows(1..<3)
    let rowsOfRows = rows.rows(1..<2)
    array[flat: 7] = 5
    #expect(reshaped[flat: 7] == 5)
    #expect(rows[flat: 4] == 5)
    #expect(rowsOfRows.shape == [1, 3] && rowsOfRows.scalars == [0, 5, 0])
    rowsOfRows.fill(-1)
    #expect(array.scalars == [0, 0, 0, 0, 0, 0, -1, -1, -1, 0, 0, 0])
    #expect(array.rows(4..<4).count == 0)
  }

  @Test func viewsKeepTheStorageAlive() {
    func view() -> NDArray<Int32> {
      NDArray<Int32>([1, 2, 3, 4], shape: [2, 2]).rows(1..<2)
    }
    let kept = view()
    let other = NDArray<Int32>(repeating: 9, shape: [2, 2])
    #expect(kept.scalars == [3, 4] && other[flat: 0] == 9)
  }

  @Test func copiesDoNotShareStorage() {
    let array = NDArray<UInt8>([1, 2, 3, 4], shape: [2, 2])
    let copy = array.copied()
    let copyOfView = array.rows(1..<2).copied()
    array.fill(9)
    #expect(copy.scalars == [1, 2, 3, 4] && copy.shape == [2, 2])
    #expect(copyOfView.scalars == [3, 4])
    let target = NDArray<UInt8>(zeros: [4])
    target.assign(copy)
    copy[flat: 0] = 77
    #expect(target.scalars == [1, 2, 3, 4])
  }

  @Test func contentsEqualLooksAtShapeAndScalars() {
    let a = NDArray<Int8>([1, -2, 3, 4], shape: [2, 2])
    #expect(a.contentsEqual(a.copied()))
    #expect(!a.contentsEqual(a.reshaped([4])))
    let b = a.copied()
    b[flat: 3] = 5
    #expect(!a.contentsEqual(b))
  }
}

@Suite(.serialized) struct StoragePoolTests {
  @Test(arguments: [1, 63, 64, 65, 4095, 4096, 4097, 100_003])
  func storageIsAligned(bytes: Int) {
    let arrays = (0..<5).map { _ in NDArray<UInt8>(uninitialized: [bytes]) }
    for array in arrays { #expect(UInt(bitPattern: array.pointer) % 64 == 0) }
    #expect(Set(arrays.map(\.pointer)).count == 5)
  }

  /// Sizes on both sides of the limit between recycling by size and slabs, and larger than a slab.
  @Test func blocksHoldTheirRoundedSize() {
    let sizes = [
      (0, 64), (1, 64), (64, 64), (65, 128), (4096, 4096), (4097, 4608), (8192, 8192), (8193, 9216),
      (9216, 9216), (15000, 15360), (32 << 10, 32 << 10), ((32 << 10) + 1, 36 << 10),
      ((64 << 20) + 1, (64 << 20) + 4096),
    ]
    for (bytes, rounded) in sizes {
      #expect(StorageBlock(byteCount: bytes).byteCount == rounded, "\(bytes) bytes")
    }
  }

  @Test func blocksThatLiveAtOnceDoNotOverlap() {
    var random = RandomSource(seed: 5).generator("blocks")
    var blocks: [StorageBlock] = []
    for i in 0..<300 {
      if i % 3 == 2 { blocks.remove(at: random.below(blocks.count)) }
      blocks.append(StorageBlock(byteCount: random.below(400_000)))
    }
    let ranges = blocks.map { (UInt(bitPattern: $0.base), UInt($0.byteCount)) }.sorted { $0.0 < $1.0 }
    for (a, b) in zip(ranges, ranges.dropFirst()) { #expect(a.0 + a.1 <= b.0) }
  }
}
