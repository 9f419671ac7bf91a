import Foundation
import QuasarTensor
import Testing

@testable import QuasarTrain

@Suite struct RandAugmentTests {
  typealias Operation = RandAugment.Operation
  static let fill: [UInt8] = [90, 140, 201]

  private func image(_ channels: Int, _ height: Int, _ width: Int, kind: Int = 0) -> PlainImage {
    var random = RandomSource(seed: 7).generator("image", kind * 1000 + height * 10 + channels)
    let pixels = (0..<channels * height * width).map { _ -> UInt8 in
      switch kind {
      case 0: return UInt8(random.below(256))
      // A narrow range, and black and white.
      case 1: return UInt8(60 + random.below(90))
      default: return random.below(3) == 0 ? 255 : 0
      }
    }
    return PlainImage(channels: channels, height: height, width: width, pixels: pixels)
  }

  private func withPlanar(_ image: PlainImage, _ body: (PlanarImage, UnsafeMutablePointer<UInt8>) -> Void)
    -> PlainImage
  {
    var result = image
    var scratch = image.pixels
    result.pixels.withUnsafeMutableBufferPointer { pixels in
      scratch.withUnsafeMutableBufferPointer { scratch in
        guard let pixels = pixels.baseAddress, let scratch = scratch.baseAddress else { return }
        body(
          PlanarImage(pixels: pixels, channels: image.channels, height: image.height, width: image.width), scratch)
      }
    }
    return result
  }

  private func apply(_ operation: Operation, _ magnitude: Int, isNegative: Bool = false, to image: PlainImage)
    -> PlainImage
  {
    withPlanar(image) {
      operation.apply(magnitude, isNegative: isNegative, to: $0, fill: RandAugmentTests.fill, scratch: $1)
    }
  }

  @Test(arguments: Operation.allCases)
  func everyOperationEqualsItsDefinition(operation: Operation) {
    // 1 and 2 points wide, not square, more points than 255 values.
    for (height, width) in [(1, 1), (2, 5), (5, 3), (9, 14), (32, 32)] {
      for channels in [1, 3] {
        for kind in 0..<3 {
          let image = image(channels, height, width, kind: kind)
          for magnitude in [0, 1, 4, 9, 15, 22, 30] {
            for isNegative in [false, true] {
              let found = apply(operation, magnitude, isNegative: isNegative, to: image)
              let expected = image.operation(
                operation, magnitude, isNegative: isNegative, fill: RandAugmentTests.fill)
              #expect(
                found == expected, "\(channels)×\(height)×\(width), kind \(kind), \(magnitude), \(isNegative)")
            }
          }
        }
      }
    }
  }

  @Test func magnitudeZeroChangesNothing() {
    for channels in [1, 3] {
      let image = image(channels, 17, 12)
      for operation in Operation.allCases where operation != .autoContrast && operation != .equalize {
        for isNegative in [false, true] {
          #expect(apply(operation, 0, isNegative: isNegative, to: image) == image, "\(operation)")
        }
      }
      // The largest magnitude of every other operation is visible; colour alone has no effect on grey.
      let large = self.image(channels, 32, 32, kind: 1)
      for operation in Operation.allCases where operation != .identity {
        let isSeen = apply(operation, 30, to: large) != large
        #expect(isSeen == (operation != .color || channels == 3), "\(operation)")
      }
    }
  }

  @Test func workedPixels() {
    func grey(_ rows: [[UInt8]]) -> PlainImage {
      PlainImage(channels: 1, height: rows.count, width: rows[0].count, pixels: rows.flatMap { $0 })
    }
    let row = grey([[0, 99, 100, 200, 255]])
    #expect(apply(.brightness, 10, to: row).pixels == [0, 129, 130, 255, 255])
    #expect(apply(.brightness, 10, isNegative: true, to: row).pixels == [0, 69, 70, 140, 179])
    // Mean 130.8 → 131.
    #expect(apply(.contrast, 10, isNegative: true, to: row).pixels == [39, 109, 109, 179, 218])
    // 8 − round(4·15/30) = 6 bits; from 256 − 128 on.
    #expect(apply(.posterize, 15, to: row).pixels == [0, 96, 100, 200, 252])
    #expect(apply(.solarize, 15, to: row).pixels == [0, 99, 100, 55, 0])
    #expect(apply(.autoContrast, 0, to: grey([[50, 100, 150]])).pixels == [0, 128, 255])
    // round(150/331·5·15/30) = round(1.13): one column, filled with 90.
    #expect(apply(.translateX, 15, to: row).pixels == [90, 0, 99, 100, 200])
    #expect(apply(.translateX, 15, isNegative: true, to: row).pixels == [99, 100, 200, 255, 90])
    // Three tenths of a column to either side of the middle row: (0.3·10 + 0.7·20), with 77/256 for 0.3.
    let rows = grey([[10, 20, 30], [10, 20, 30], [10, 20, 30]])
    #expect(apply(.shearX, 30, to: rows).pixels == [34, 17, 27, 10, 20, 30, 13, 23, 48])
    // A spot in the middle: base (5·130 + 8·0)/13 = 50, 50 + 80·1.3 = 154.
    let spot = grey([[0, 0, 0], [0, 130, 0], [0, 0, 0]])
    #expect(apply(.sharpness, 10, to: spot).pixels == [0, 0, 0, 0, 154, 0, 0, 0, 0])
    // Pure red has brightness 76: 76 + 179·0.7, 76 − 76·0.7.
    let red = PlainImage(channels: 3, height: 1, width: 1, pixels: [255, 0, 0])
    #expect(apply(.color, 10, isNegative: true, to: red).pixels == [201, 23, 23])
    // Turned clockwise, the right end of a bar goes down.
    var bar = [UInt8](repeating: 90, count: 81)
    for x in 5..<9 { bar[4 * 9 + x] = 255 }
    let turned = apply(
      .rotate, 30, to: PlainImage(channels: 1, height: 9, width: 9, pixels: bar))
    #expect(turned.at(0, 7, 6) > 200 && turned.at(0, 7, 2) == 90)
  }

  @Test func sineTableIsRounded() {
    for degrees in 0...30 {
      let angle = Double(degrees) * .pi / 180
      #expect(AffineMap.sines[degrees] == Int((65_536 * sin(angle)).rounded()))
      #expect(AffineMap.cosines[degrees] == Int((65_536 * cos(angle)).rounded()))
    }
    #expect(AffineMap.sines.count == 31 && AffineMap.cosines.count == 31)
  }

  /// The result of Pillow 13 for the same image, as FNV-1a over the interleaved bytes.
  @Test func equalsPillowWhereItCountsInIntegers() {
    // p[c][i] = (i·(7 + 4c) + i·i/(3 + c)) mod 256 on 24×32 points, then squared and halved to be uneven.
    let pixels = (0..<3).flatMap { c in
      (0..<768).map { i -> UInt8 in
        let p = (i * (7 + 4 * c) + i * i / (3 + c)) % 256
        return UInt8(p * p / 300)
      }
    }
    let image = PlainImage(channels: 3, height: 24, width: 32, pixels: pixels)
    func hash(_ image: PlainImage) -> UInt64 {
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325
      for i in 0..<768 {
        for c in 0..<3 { hash = (hash ^ UInt64(image.pixels[c * 768 + i])) &* 0x100_0000_01b3 }
      }
      return hash
    }
    #expect(hash(image) == 0x7c3f_4a21_e1ca_4ad9)
    #expect(hash(apply(.equalize, 0, to: image)) == 0x3453_70f0_057a_a997)
    #expect(hash(apply(.posterize, 15, to: image)) == 0xcb82_bb1f_2ae4_91b1)
    #expect(hash(apply(.solarize, 15, to: image)) == 0xb0ea_baaa_8a51_03d0)
  }

  /// Each of the 14 operations occurs with either sign, as often as equal chances give.
  @Test func everyOperationIsReached() {
    let image = image(3, 32, 32, kind: 1)
    let single = RandAugment(operations: 1, magnitude: 20, fill: RandAugmentTests.fill)
    var names: [[UInt8]: String] = [:]
    for operation in Operation.allCases {
      for isNegative in [false, true] {
        names[apply(operation, 20, isNegative: isNegative, to: image).pixels, default: ""] += "\(operation) "
      }
    }
    // Two signs each, except for the five that have none.
    #expect(names.count == 2 * 14 - 5)
    var counts: [String: Int] = [:]
    var random = RandomSource(seed: 2).generator("draws")
    for _ in 0..<1400 {
      let found = withPlanar(image) { single.apply(to: $0, scratch: $1, &random) }
      counts[names[found.pixels] ?? "none", default: 0] += 1
    }
    #expect(counts["none"] == nil && counts.count == 23 - 9)
    // 100 of each are expected, standard deviation 9.6.
    #expect(counts.values.allSatisfy { (50...150).contains($0) }, "\(counts)")
  }

  @Test func operationsFollowOneAnother() {
    let image = image(3, 16, 16)
    let augment = RandAugment(operations: 3, magnitude: 12, fill: RandAugmentTests.fill)
    for seed in 0..<20 {
      var random = RandomSource(seed: UInt64(seed)).generator("draws")
      let found = withPlanar(image) { augment.apply(to: $0, scratch: $1, &random) }
      var draws = RandomSource(seed: UInt64(seed)).generator("draws")
      var expected = image
      for _ in 0..<3 {
        let operation = Operation.allCases[Int(((draws.next() >> 32) * 14) >> 32)]
        expected = expected.operation(
          operation, 12, isNegative: draws.next() >> 63 == 1, fill: RandAugmentTests.fill)
      }
      #expect(found == expected, "seed \(seed)")
    }
  }
}
