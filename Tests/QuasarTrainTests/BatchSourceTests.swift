import QuasarData
import QuasarSupernet
import QuasarTensor
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
    // In another order of steps the same batches come out.
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
    // 48 fair coins: outside 8…40 once in 10⁶.
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
      seen.insert(try #require(match, "image \(i) is no shift of itself"))
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

  @Test func preprocessingByHand() throws {
    let data = try ImageSet(
      name: "two", split: "train", channels: 1, height: 1, width: 2, images: [0, 100, 200, 100],
      labels: [0, 1], classNames: ["a", "b"])
    let found = Preprocessing(of: data)
    // Mean 100, variance 5000.
    #expect(found.mean == [Float(100.0 / 255)] && found.deviation == [Float(5000.0.squareRoot() / 255)])
  }

  /// Targets hold the shares that the pixels have: for images of one colour the mean pixel gives the share away.
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

  /// Mean ½ and variance 1/(4(2a + 1)) of Beta(a, a), within five deviations of 4,000 draws' means.
  @Test(arguments: [0.2, 1.0, 4.0])
  func betaHasItsMoments(a: Double) {
    var generator = RandomSource(seed: 3).generator("beta")
    let draws = (0..<4000).map { _ in BatchSource.beta(a, &generator) }
    let mean = draws.reduce(0, +) / 4000
    let variance = draws.reduce(0) { $0 + ($1 - 0.5) * ($1 - 0.5) } / 4000
    let expected = 1 / (4 * (2 * a + 1))
    #expect(abs(mean - 0.5) < 5 * (expected / 4000).squareRoot())
    // (x − ½)² lies in 0…¼: its variance is at most expected/4.
    #expect(abs(variance - expected) < 5 * (expected / 4 / 4000).squareRoot())
  }
}
