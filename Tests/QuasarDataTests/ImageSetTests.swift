import QuasarData
import QuasarTensor
import Testing

@Suite struct ImageSetTests {
  func set(_ labels: [UInt8], pixels: Int? = nil) throws -> ImageSet {
    try ImageSet(
      name: "set", split: "train", channels: 1, height: 1, width: 2,
      images: (0..<(pixels ?? labels.count * 2)).map { UInt8($0) }, labels: labels,
      classNames: ["a", "b", "c"])
  }

  @Test func slicesAndCounts() throws {
    let whole = try set([0, 2, 2, 1, 0])
    #expect(Array(whole.image(at: 3)) == [6, 7])
    #expect(whole.classCounts == [2, 1, 2])
  }

  @Test func firstOfEachClassKeepsTheFileOrder() throws {
    let whole = try set([2, 0, 2, 1, 0, 1, 2])
    let few = try whole.firstOfEachClass(1)
    #expect(few.labels == [2, 0, 1])
    #expect(few.images == [0, 1, 2, 3, 6, 7])
    #expect(try whole.firstOfEachClass(2).labels == [2, 0, 2, 1, 0, 1])
    expectError(.usage, holding: "3 images", "“a” has 2", "at most 2") { _ = try whole.firstOfEachClass(3) }
    expectError(.usage, holding: "0 images") { _ = try whole.firstOfEachClass(0) }
  }

  @Test func heldOutPartIsStratified() throws {
    let whole = try set([0, 1, 0, 1, 0, 1, 0, 1, 2, 2, 2])
    let (kept, heldOut) = try whole.splittingEvery(2)
    #expect(heldOut.labels == [0, 1, 0, 1, 2])
    #expect(heldOut.images == [4, 5, 6, 7, 12, 13, 14, 15, 18, 19])
    #expect(kept.labels == [0, 1, 0, 1, 2, 2])
    #expect(kept.count + heldOut.count == whole.count)
    expectError(.usage, holding: "every 5-th", "has 4") { _ = try whole.splittingEvery(5) }
    expectError(.usage, holding: "every 1-th") { _ = try whole.splittingEvery(1) }
  }

  @Test func selections() throws {
    #expect(try set([0, 1, 2]).selecting([2, 0, 2]).images == [4, 5, 0, 1, 4, 5])
    expectError(.usage, holding: "image 3", "0 to 2") { _ = try set([0, 1, 2]).selecting([3]) }
    expectError(.usage, holding: "image -1") { _ = try set([0, 1, 2]).selecting([-1]) }
    expectError(.usage, holding: "0 images") { _ = try set([0, 1, 2]).selecting([]) }
  }

  @Test func partsThatDoNotFit() {
    expectError(.badData, holding: "3 bytes", "2 labels", "1×1×2 need 4") { _ = try set([0, 1], pixels: 3) }
    expectError(.badData, holding: "label 3 of image 1", "0 to 2") { _ = try set([0, 3]) }
    expectError(.badData, holding: "0 images") { _ = try set([]) }
    expectError(.badData, holding: "2 channels") {
      _ = try ImageSet(
        name: "s", split: "t", channels: 2, height: 1, width: 1, images: [0, 0], labels: [0],
        classNames: ["a"])
    }
    expectError(.badData, holding: "0×1 pixels") {
      _ = try ImageSet(
        name: "s", split: "t", channels: 1, height: 0, width: 1, images: [], labels: [0], classNames: ["a"])
    }
  }
}
