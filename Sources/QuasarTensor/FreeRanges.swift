/// Free ranges of a piece of memory by offset: neighbours are joined, a block is cut from the first range that holds
/// it.
///
/// First fit keeps blocks together at the front, and a loop that asks for the same sizes in the same order gets the
/// same places. There are at most a few hundred ranges, so a search is a linear walk.
struct FreeRanges {
  private(set) var ranges: [Range<Int>]

  /// A memory of which all of `0..<count` is free.
  init(count: Int) {
    ranges = [0..<count]
  }

  /// The offset of `count` bytes that belong to the caller from now on; nil if no range is long enough.
  mutating func take(_ count: Int) -> Int? {
    guard let i = ranges.firstIndex(where: { $0.count >= count }) else { return nil }
    let found = ranges[i]
    if found.count == count {
      ranges.remove(at: i)
    } else {
      ranges[i] = found.lowerBound + count..<found.upperBound
    }
    return found.lowerBound
  }

  /// Adds bytes that are no longer used, and joins them to free neighbours.
  mutating func add(_ range: Range<Int>) {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].lowerBound < range.lowerBound { low = middle + 1 } else { high = middle }
    }
    var joined = range
    if low < ranges.count, joined.upperBound == ranges[low].lowerBound {
      joined = joined.lowerBound..<ranges.remove(at: low).upperBound
    }
    if low > 0, ranges[low - 1].upperBound == joined.lowerBound {
      ranges[low - 1] = ranges[low - 1].lowerBound..<joined.upperBound
    } else {
      ranges.insert(joined, at: low)
    }
  }
}
