import QuasarData
import QuasarSupernet
import QuasarTensor
import Testing

@testable import QuasarTrain

@Suite struct BatchSourceTests {
  private func source(
    _ data: ImageSet, seed: UInt64 = 1, _ change: (inout TrainingOptions) -> Void = { _ in }
  ) -> BatchSource {
    var options = Tiny.options(epochs: 2, batch: 8)
    change(&options)
    return BatchSource(data: data, options: options, random: RandomSource(seed: seed))
  }

  @Test func batchIsAFunctionOfSeedAndStep() throws {
    let data = try Tiny.toySet(30, seed: 1)
    func everything(_ options: inout TrainingOptions) {
      options.flip = true
      options.shift = 2
      options.randomErasing = 0.5
    }
    let (a, b) = (source(data, everything), source(data, everything))
    let order = a.order(epoch: 3)
    #expect(order == b.order(epoch: 3) && order.sorted() == Array(0..<30))
    #expect(order != a.order(epoch: 4) && order != source(data, seed: 2).order(epoch: 3))
    // In another order of steps the same batches come out.
    let forwards = (0..<6).map { a.batch(step: $0, order: order) }
    let backwards = (0..<6).reversed().map { b.batch(step: $0, order: order) }
    for (x, y) in zip(forwards, backwards.reversed()) {
      #expect(x.images.scalars == y.images.scalars && x.labels == y.labels)
    }
    let other = source(data, seed: 2, everything).batch(step: 0, order: order)
    #expect(other.labels == forwards[0].labels && other.images.scalars != forwards[0].images.scalars)
  }

  @Test func epochIsWholeBatchesOfDistinctImages() throws {
    let data = try Tiny.toySet(30, seed: 1)
    let source = source(data)
    #expect(source.stepsPerEpoch == 3)
    let order = source.order(epoch: 0)
    for step in 0..<3 {
      let batch = source.batch(step: step, order: order)
      #expect(batch.images.shape == [8, 1, 8, 8])
      for slot in 0..<8 {
        let image = order[step * 8 + slot]
        #expect(batch.labels[slot] == data.labels[image])
        #expect(batch.images.rows(slot..<slot + 1).scalars == Array(data.image(at: image)))
      }
    }
    // Fewer images than a batch: one step, images repeat in order.
    let few = try Tiny.toySet(3, seed: 1)
    let small = self.source(few)
    #expect(small.stepsPerEpoch == 1)
    let order3 = small.order(epoch: 0)
    #expect(
      small.batch(step: 5, order: order3).labels == (0..<8).map { few.labels[order3[$0 % 3]] })
  }

  @Test func flipMirrorsSomeImagesWhole() throws {
    let data = try Tiny.toySet(48, seed: 2, channels: 3)
    let source = source(data) {
      $0.flip = true
      $0.batchSize = 48
    }
    let order = Array(0..<48)
    let batch = source.batch(step: 0, order: order)
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
    let source = source(data) {
      $0.shift = 2
      $0.batchSize = 60
    }
    let batch = source.batch(step: 0, order: Array(0..<60))
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
    let source = source(data) {
      $0.randomErasing = 1
      $0.batchSize = 64
    }
    let sums = (0..<3).map { channel in
      (0..<64).reduce(0) { sum, i in
        data.image(at: i).dropFirst(channel * 64).prefix(64).reduce(sum) { $0 + Int($1) }
      }
    }
    #expect(source.meanCodes == sums.map { UInt8((Double($0) / 4096).rounded()) })
    let batch = source.batch(step: 1, order: Array(0..<64))
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
    let never = self.source(data).batch(step: 0, order: Array(0..<64))
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
}
