import Testing

@testable import QuasarData

@Suite struct ImageCropTests {
  private func write(_ crop: ImageCrop, _ pixels: [UInt8], _ channels: Int, _ rows: Int, _ columns: Int) -> [UInt8] {
    // One extra byte on either side reveals a write beyond the image.
    var target = [UInt8](repeating: 77, count: pixels.count + 2)
    target.withUnsafeMutableBufferPointer { target in
      pixels.withUnsafeBufferPointer { source in
        guard let to = target.baseAddress, let from = source.baseAddress else { return }
        crop.write(from: from, to: to + 1, channels: channels, rows: rows, columns: columns)
      }
    }
    #expect(target.first == 77 && target.last == 77)
    return Array(target.dropFirst().dropLast())
  }

  /// Each rectangle against the same slow resize by definition that the squares are compared with.
  @Test(arguments: [(1, 1), (1, 7), (6, 6), (9, 4), (16, 16)])
  func equalsTheDefinition(rows: Int, columns: Int) {
    var random = SmallRandom(state: UInt64(rows * 100 + columns))
    for channels in [1, 3] {
      let pixels = (0..<channels * rows * columns).map { _ in UInt8(truncatingIfNeeded: random.next() >> 9) }
      for width in Set([1, columns / 2 + 1, max(1, columns - 1), columns]) {
        for height in Set([1, rows / 3 + 1, max(1, rows - 1), rows]) {
          for (left, top) in [(0, 0), (columns - width, rows - height), ((columns - width) / 2, (rows - height) / 2)] {
            let crop = ImageCrop(left: left, top: top, width: width, height: height)
            let found = write(crop, pixels, channels, rows, columns)
            for channel in 0..<channels {
              for y in 0..<rows {
                for x in 0..<columns {
                  let (across, dx) = SquareResizeTests.neighbours(width, to: columns, x)
                  let (along, dy) = SquareResizeTests.neighbours(height, to: rows, y)
                  var sum = 0
                  for (j, wy) in along {
                    for (i, wx) in across {
                      sum += wy * wx * Int(pixels[(channel * rows + top + j) * columns + left + i])
                    }
                  }
                  var value = 0
                  while (2 * value + 1) * dx * dy <= 2 * sum { value += 1 }
                  #expect(
                    found[(channel * rows + y) * columns + x] == UInt8(value), "\(crop): \(channel), \(x), \(y)")
                }
              }
            }
          }
        }
      }
    }
  }

  @Test func workedRow() {
    // The left half of a row of 4: centres at −¼, ¼, ¾ and 1¼ of its two points.
    let left = ImageCrop(left: 0, top: 0, width: 2, height: 1)
    #expect(write(left, [8, 16, 200, 0], 1, 1, 4) == [8, 10, 14, 16])
    let whole = ImageCrop(left: 0, top: 0, width: 4, height: 1)
    #expect(write(whole, [8, 16, 200, 0], 1, 1, 4) == [8, 16, 200, 0])
  }
}
