import Testing

@testable import QuasarTensor

@Suite struct FreeRangesTests {
  @Test func blocksComeFromTheFirstRangeThatHoldsThem() {
    var free = FreeRanges(count: 100)
    #expect(free.take(40) == 0 && free.take(20) == 40 && free.take(30) == 60)
    #expect(free.take(11) == nil)
    free.add(0..<40)
    #expect(free.ranges == [0..<40, 90..<100])
    #expect(free.take(10) == 0 && free.take(30) == 10 && free.take(10) == 90)
    #expect(free.ranges.isEmpty && free.take(1) == nil)
  }

  /// Blocks released before, after and between free neighbours.
  @Test(arguments: [[0, 1, 2], [2, 1, 0], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1]])
  func neighboursJoin(order: [Int]) {
    var free = FreeRanges(count: 30)
    for _ in 0..<3 { _ = free.take(10) }
    for i in order { free.add(10 * i..<10 * (i + 1)) }
    #expect(free.ranges == [0..<30])
  }

  /// Compares with a map of single bytes: the first place where a block fits, and the free bytes as maximal runs.
  @Test func agreesWithAMapOfBytes() {
    let size = 200
    var random = RandomSource(seed: 6).generator("ranges")
    var free = FreeRanges(count: size)
    var isFree = [Bool](repeating: true, count: size)
    var taken: [Range<Int>] = []
    for _ in 0..<4000 {
      if random.below(2) == 0 {
        let count = 1 + random.below(40)
        let expected = (0...size - count).first { isFree[$0..<$0 + count].allSatisfy { $0 } }
        #expect(free.take(count) == expected)
        guard let expected else { continue }
        for i in expected..<expected + count { isFree[i] = false }
        taken.append(expected..<expected + count)
      } else if !taken.isEmpty {
        let range = taken.remove(at: random.below(taken.count))
        for i in range { isFree[i] = true }
        free.add(range)
      }
      var runs: [Range<Int>] = []
      for i in 0..<size where isFree[i] {
        if let last = runs.last, last.upperBound == i {
          runs[runs.count - 1] = last.lowerBound..<i + 1
        } else {
          runs.append(i..<i + 1)
        }
      }
      #expect(free.ranges == runs)
    }
  }
}
