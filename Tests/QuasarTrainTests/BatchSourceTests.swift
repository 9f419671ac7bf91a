import Foundation
import QuasarData
import QuasarNetwork
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarTrain

@Suite struct BatchSourceTests {
  private func source(
    _ data: ImageSet, seed: UInt64 = 1, _ change: (inout TrainingOptions) -> Void = { _ in }
  ) throws -> BatchSource {
    var options = Tiny.options(epochs: 2, batch: 8)
    change(&options)
    return try BatchSource(data: data, options: options, random: RandomSource(seed: seed))
  }

  @Test func batchIsAFunctionOfSeedAndStep() throws {
    let data = try Tiny.toySet(30, seed: 1)
    func everything(_ options: inout TrainingOptions) {
      options.flip = true
      options.shift = 2
      options.randomErasing = 0.5
    }
    let (a, b) = (try source(data, everything), try source(data, everything))
    let order = a.order(epoch: 3)
    #expect(order == b.order(epoch: 3) && order.sorted() == Array(0..<30))
    #expect(try order != a.order(epoch: 4) && order != source(data, seed: 2).order(epoch: 3))
    // The same batches result from another order of steps.
    let forwards = try (0..<6).map { try a.batch(step: $0, order: order) }
    let backwards = try (0..<6).reversed().map { try b.batch(step: $0, order: order) }
    for (x, y) in zip(forwards, backwards.reversed()) {
      #expect(x.images.scalars == y.images.scalars && x.labels == y.labels)
    }
    let other = try source(data, seed: 2, everything).batch(step: 0, order: order)
    #expect(other.labels == forwards[0].labels && other.images.scalars != forwards[0].images.scalars)
  }

  @Test func epochIsWholeBatchesOfDistinctImages() throws {
    let data = try Tiny.toySet(30, seed: 1)
    let source = try source(data)
    #expect(source.stepsPerEpoch == 3)
    let order = source.order(epoch: 0)
    for step in 0..<3 {
      let batch = try source.batch(step: step, order: order)
      #expect(batch.images.shape == [8, 1, 8, 8])
      for slot in 0..<8 {
        let image = order[step * 8 + slot]
        #expect(batch.labels[slot] == data.labels[image])
        #expect(batch.images.rows(slot..<slot + 1).scalars == Array(data.image(at: image)))
      }
    }
    // Fewer images than a batch: one step, images repeat in order.
    let few = try Tiny.toySet(3, seed: 1)
    let small = try self.source(few)
    #expect(small.stepsPerEpoch == 1)
    let order3 = small.order(epoch: 0)
    #expect(
      try small.batch(step: 5, order: order3).labels == (0..<8).map { few.labels[order3[$0 % 3]] })
  }

  @Test func flipMirrorsSomeImagesWhole() throws {
    let data = try Tiny.toySet(48, seed: 2, channels: 3)
    let source = try source(data) {
      $0.flip = true
      $0.batchSize = 48
    }
    let order = Array(0..<48)
    let batch = try source.batch(step: 0, order: order)
    var mirrored = 0
    for i in 0..<48 {
      let original = Array(data.image(at: i))
      let mirror = original.indices.map { original[$0 / 8 * 8 + 7 - $0 % 8] }
      let found = batch.images.rows(i..<i + 1).scalars
      #expect(found == original || found == mirror, "image \(i)")
      if found == mirror { mirrored += 1 }
    }
    // 48 fair coins: outside 8…40 with probability 10⁻⁶.
    #expect((8...40).contains(mirrored))
  }

  @Test func shiftMovesUpToTwoPixelsAndRepeatsEdges() throws {
    let data = try Tiny.toySet(60, seed: 3)
    let source = try source(data) {
      $0.shift = 2
      $0.batchSize = 60
    }
    let batch = try source.batch(step: 0, order: Array(0..<60))
    var seen = Set<[Int]>()
    for i in 0..<60 {
      let original = Array(data.image(at: i))
      let found = batch.images.rows(i..<i + 1).scalars
      var match: [Int]?
      for dy in -2...2 {
        for dx in -2...2 {
          let moved = (0..<64).map { p in
            original[min(max(p / 8 + dy, 0), 7) * 8 + min(max(p % 8 + dx, 0), 7)]
          }
          if moved == found { match = [dx, dy] }
        }
      }
      seen.insert(try #require(match, "image \(i) is not a shift of itself"))
    }
    #expect(seen.count > 10)
    #expect(Set(seen.map { $0[0] }) == [-2, -1, 0, 1, 2] && Set(seen.map { $0[1] }) == [-2, -1, 0, 1, 2])
  }

  @Test func erasingFillsOneRectangleWithTheMean() throws {
    let data = try Tiny.toySet(64, seed: 4, channels: 3)
    let source = try source(data) {
      $0.randomErasing = 1
      $0.batchSize = 64
    }
    let sums = (0..<3).map { channel in
      (0..<64).reduce(0) { sum, i in
        data.image(at: i).dropFirst(channel * 64).prefix(64).reduce(sum) { $0 + Int($1) }
      }
    }
    #expect(source.meanCodes == sums.map { UInt8((Double($0) / 4096).rounded()) })
    let batch = try source.batch(step: 1, order: Array(0..<64))
    for i in 0..<64 {
      let original = Array(data.image(at: i))
      let found = batch.images.rows(i..<i + 1).scalars
      let changed = found.indices.filter { found[$0] != original[$0] }
      for p in changed { #expect(found[p] == source.meanCodes[p / 64]) }
      let ys = Set(changed.map { $0 / 8 % 8 })
      let xs = Set(changed.map { $0 % 8 })
      let (top, bottom) = (try #require(ys.min()), try #require(ys.max()))
      let (left, right) = (try #require(xs.min()), try #require(xs.max()))
      // Sides of 8/7 … 8/7 + 16/7 in whole pixels: at most 3.
      #expect(bottom - top < 3 && right - left < 3, "image \(i)")
      for p in found.indices where (top...bottom).contains(p / 8 % 8) && (left...right).contains(p % 8) {
        #expect(found[p] == source.meanCodes[p / 64], "image \(i), pixel \(p)")
      }
    }
    let never = try self.source(data).batch(step: 0, order: Array(0..<64))
    #expect(never.images.scalars == Array(data.images.prefix(8 * 192)))
  }

  /// Sides and place of 4,000 crops of a rectangle that is not square.
  @Test func cropsHaveTheirAreaAndRatio() {
    var random = RandomSource(seed: 4).generator("crops")
    let (height, width) = (90, 120)
    var (wholes, lefts, areas, logs) = (0, Set<Int>(), [Double](), [Double]())
    var edges = Set<String>()
    for _ in 0..<4000 {
      let crop = BatchSource.crop(height: height, width: width, smallest: 0.1, &random)
      #expect(crop.left >= 0 && crop.top >= 0 && crop.width >= 1 && crop.height >= 1)
      #expect(crop.left + crop.width <= width && crop.top + crop.height <= height)
      if crop.width == width, crop.height == height { wholes += 1 }
      // Half a point of tolerance on both sides of width and height.
      let (w, h) = (Double(crop.width), Double(crop.height))
      #expect((w + 0.5) * (h + 0.5) >= 0.1 * 10_800)
      #expect((w + 0.5) / (h - 0.5) >= 0.75 && (w - 0.5) / (h + 0.5) <= 4.0 / 3)
      lefts.insert(crop.left)
      if crop.width < width, crop.left == 0 { edges.insert("left") }
      if crop.width < width, crop.left + crop.width == width { edges.insert("right") }
      if crop.height < height, crop.top == 0 { edges.insert("top") }
      if crop.height < height, crop.top + crop.height == height { edges.insert("bottom") }
      areas.append(w * h / 10_800)
      logs.append(log(w / h))
    }
    #expect(areas.contains { $0 < 0.15 } && areas.contains { $0 > 0.9 } && lefts.count > 60 && wholes < 40)
    #expect(edges.count == 4)
    // ln of the ratio is evenly distributed around 0 as long as no crop is refused for its sides: areas below ⅗.
    let small = zip(areas, logs).filter { $0.0 < 0.5 }.map { $0.1 }
    let mean = small.reduce(0, +) / Double(small.count)
    #expect(abs(mean) < 5 * 0.166 / Double(small.count).squareRoot())
    let quarter = small.filter { abs($0) < log(4.0 / 3) / 2 }.count
    // Half of them, standard deviation below 23.
    #expect(abs(quarter - small.count / 2) < 115)
  }

  @Test func ratiosAreExponentials() {
    #expect(BatchSource.ratio(0) == 0.75 && abs(BatchSource.ratio(32_768) - 1) < 1e-15)
    for u in stride(from: 0, to: 65_536, by: 97) + [1, 65_535] {
      let expected = 0.75 * pow(16.0 / 9, Double(u) / 65_536)
      #expect(abs(BatchSource.ratio(u) - expected) < 1e-14)
    }
    // A square that cannot hold a crop with these sides is used whole.
    var random = RandomSource(seed: 1).generator("thin")
    let thin = BatchSource.crop(height: 1000, width: 2, smallest: 0.5, &random)
    #expect(thin == ImageCrop(left: 0, top: 0, width: 2, height: 1000))
  }

  /// Crops of a map of places, in which each point tells where it came from.
  @Test func croppedImagesAreResizedCrops() throws {
    let columns: [UInt8] = (0..<64).map { UInt8($0 % 8 * 32) }
    let rows: [UInt8] = (0..<64).map { UInt8($0 / 8 * 32) }
    let pixels = columns + rows + [UInt8](repeating: 9, count: 64)
    let data = try ImageSet(
      name: "map", split: "train", channels: 3, height: 8, width: 8, images: pixels, labels: [0], classNames: ["a"])
    let source = try source(data) {
      $0.cropScale = 0.2
      $0.batchSize = 64
    }
    let batch = try source.batch(step: 0, order: [0])
    var found = Set<[UInt8]>()
    for i in 0..<64 {
      let image = batch.images.rows(i..<i + 1).scalars
      found.insert(image)
      #expect(image.suffix(64).allSatisfy { $0 == 9 })
      // The rectangle given by the corner points, resized by the code that ImageCropTests compare with its definition.
      let (left, right) = (Int(image[0]) / 32, Int(image[7]) / 32)
      let (top, bottom) = (Int(image[64]) / 32, Int(image[127]) / 32)
      let crop = ImageCrop(left: left, top: top, width: right - left + 1, height: bottom - top + 1)
      var expected = [UInt8](repeating: 0, count: 192)
      expected.withUnsafeMutableBufferPointer { target in
        pixels.withUnsafeBufferPointer { source in
          guard let to = target.baseAddress, let from = source.baseAddress else { return }
          crop.write(from: from, to: to, channels: 3, rows: 8, columns: 8)
        }
      }
      #expect(image == expected, "\(crop)")
    }
    #expect(found.count > 30)
  }

  /// Random operations come after mirror and shift, before erasing, and change neither.
  @Test func operationsChangeNoOtherDraw() throws {
    let data = try Tiny.toySet(32, seed: 6, channels: 3)
    func change(_ options: inout TrainingOptions) {
      options.flip = true
      options.shift = 2
      options.randomErasing = 1
      options.batchSize = 32
    }
    let plain = try source(data, change)
    let changed = try source(data) {
      change(&$0)
      $0.randAugment = 1
      $0.randAugmentMagnitude = 20
    }
    let order = Array(0..<32)
    let (a, b) = (try plain.batch(step: 3, order: order), try changed.batch(step: 3, order: order))
    var same = 0
    for i in 0..<32 {
      let (x, y) = (a.images.rows(i..<i + 1).scalars, b.images.rows(i..<i + 1).scalars)
      // Erased points are erased in both, after the operation.
      for p in 0..<192 where x[p] == plain.meanCodes[p / 64] && isErased(x, p, plain.meanCodes) {
        #expect(y[p] == x[p], "image \(i), point \(p)")
      }
      if x == y { same += 1 }
    }
    // At least the fourteenth that the identity leaves, and not all.
    #expect((1...12).contains(same), "\(same)")
    let without = try source(data, change).batch(step: 3, order: order)
    #expect(without.images.scalars == a.images.scalars)
  }

  /// True if all channels have the mean at the point.
  private func isErased(_ image: [UInt8], _ p: Int, _ mean: [UInt8]) -> Bool {
    (0..<3).allSatisfy { image[$0 * 64 + p % 64] == mean[$0] }
  }

  @Test func repeatsComeTogetherAndDiffer() throws {
    let data = try Tiny.toySet(30, seed: 1)
    let source = try source(data) {
      $0.repeats = 4
      $0.shift = 2
      $0.accumulation = 2
      $0.batchSize = 4
    }
    let order = source.order(epoch: 0)
    // 30 / 8 steps, as without repeats; each holds two images four times.
    #expect(source.stepsPerEpoch == 3)
    var seen: [UInt8] = []
    for step in 0..<3 {
      for index in 0..<2 {
        let image: Int = order[2 * step + index]
        let one = try source.batch(step: step, index: index, order: order)
        #expect(one.labels == Array(repeating: data.labels[image], count: 4))
        let looks = (0..<4).map { one.images.rows($0..<$0 + 1).scalars }
        // Shifts by up to two points keep the middle value near the middle.
        let middle = data.image(at: image).dropFirst(27).first ?? 0
        for look in looks { #expect((1...5).contains { y in (1...5).contains { look[y * 8 + $0] == middle } }) }
        #expect(Set(looks).count > 1)
        seen.append(UInt8(image))
      }
    }
    #expect(Set(seen).count == 6)
    // Another epoch shows other images.
    #expect(source.order(epoch: 1).prefix(6) != order.prefix(6))
  }

  @Test func augmentedSetsAreBatchesInOrder() throws {
    let data = try Tiny.toySet(9, seed: 3, channels: 3)
    var options = TrainingOptions()
    options.randAugment = 2
    options.cropScale = 0.4
    options.mixup = 1
    options.repeats = 2
    let found = try data.augmented(options, seed: 11)
    #expect(found.labels == data.labels && found.classNames == data.classNames && found.count == 9)
    var single = options
    (single.batchSize, single.repeats, single.mixup) = (9, 1, 0)
    let source = try BatchSource(data: data, options: single, random: RandomSource(seed: 11))
    #expect(try source.batch(step: 0, order: Array(0..<9)).images.scalars == found.images)
    #expect(found.images != data.images)
    #expect(try data.augmented(options, seed: 11) == found && data.augmented(options, seed: 12) != found)
    options.cropScale = 0
    #expect(quasarError { _ = try data.augmented(options, seed: 1) }?.message.contains("crop_scale") == true)
  }

  @Test func preprocessingByHand() throws {
    let data = try ImageSet(
      name: "two", split: "train", channels: 1, height: 1, width: 2, images: [0, 100, 200, 100],
      labels: [0, 1], classNames: ["a", "b"])
    let found = Preprocessing(of: data)
    // Mean 100, variance 5000.
    #expect(found.mean == [Float(100.0 / 255)] && found.deviation == [Float(5000.0.squareRoot() / 255)])
  }

  /// Targets hold the shares of the pixels: for images of one colour the mean pixel reveals the share.
  @Test(arguments: [(0.8, 0.0), (0.0, 1.0), (3.0, 0.0)])
  func mixedPixelsHaveTheSharesOfTheTargets(mixup: Double, cutmix: Double) throws {
    let count = 8
    let data = try ImageSet(
      name: "flat", split: "train", channels: 1, height: 8, width: 8,
      images: (0..<count).flatMap { Array(repeating: UInt8($0 * 30), count: 64) },
      labels: (0..<count).map { UInt8($0) }, classNames: (0..<count).map { "\($0)" })
    let source = try source(data) {
      $0.mixup = mixup
      $0.cutmix = cutmix
    }
    var shares: Set<Float> = []
    for step in 0..<20 {
      let batch = try source.batch(step: step, order: Array(0..<count))
      let targets = batch.targets(classes: count, smoothing: 0)
      shares.insert(batch.share)
      #expect((0...1).contains(batch.share))
      for i in 0..<count {
        let pixels = batch.images.rows(i..<i + 1).scalars.reduce(0.0) { $0 + Double($1) } / 64
        let (own, other) = (Double(i * 30), Double((count - 1 - i) * 30))
        let expected = Double(batch.share) * own + (1 - Double(batch.share)) * other
        #expect(abs(pixels - expected) <= 0.5 + 1e-3, "step \(step), image \(i)")
        let mine = targets.pointer[i * count + i]
        let partners = targets.pointer[i * count + count - 1 - i]
        #expect(abs(mine - batch.share) < 1e-6)
        #expect(abs(partners - (1 - batch.share)) < 1e-6)
      }
    }
    #expect(shares.count > 5)
  }

  /// Mean ½ and variance 1/(4(2a + 1)) of Beta(a, a), within five standard errors of the means of 4,000 draws.
  @Test(arguments: [0.2, 1.0, 4.0])
  func betaHasItsMoments(a: Double) {
    var generator = RandomSource(seed: 3).generator("beta")
    let draws = (0..<4000).map { _ in BatchSource.beta(a, &generator) }
    let mean = draws.reduce(0, +) / 4000
    let variance = draws.reduce(0) { $0 + ($1 - 0.5) * ($1 - 0.5) } / 4000
    let expected = 1 / (4 * (2 * a + 1))
    #expect(abs(mean - 0.5) < 5 * (expected / 4000).squareRoot())
    // (x − ½)² is in 0…¼, so its variance is at most expected/4.
    #expect(abs(variance - expected) < 5 * (expected / 4 / 4000).squareRoot())
  }
}
