import CKernels
import Foundation

/// SplitMix64: the tests' own random numbers, so that a failure can be repeated from its seed.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  init(_ seed: Int) { state = UInt64(truncatingIfNeeded: seed) }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
  /// Half of the values are corners, half are anywhere in `range`.
  mutating func code(in range: ClosedRange<Int>) -> Int {
    guard Bool.random(using: &self) else { return Int.random(in: range, using: &self) }
    let corners = [range.lowerBound, range.lowerBound + 1, -1, 0, 1, range.upperBound - 1, range.upperBound]
    return min(max(corners.randomElement(using: &self)!, range.lowerBound), range.upperBound)
  }
  mutating func requantiser(_ factors: ClosedRange<Double>) -> qk_requantiser {
    var r = qk_requantiser()
    let sign = Int.random(in: 0..<4, using: &self) == 0 ? -1.0 : 1.0
    let exponent = Double.random(in: log2(factors.lowerBound)...log2(factors.upperBound), using: &self)
    precondition(qk_requantiser_make(sign * exp2(exponent), &r) == QK_OK)
    return r
  }
}

/// Memory that ends at an unreadable page, so that a read or write past its end crashes.
///
/// With an alignment above the element's, up to alignment − 1 bytes remain between the end and that page. The page
/// before the buffer is unreadable too.
final class Guarded<Element> {
  let count: Int
  let base: UnsafeMutablePointer<Element>
  private let mapping: UnsafeMutableRawPointer
  private let mappedBytes: Int

  init(count: Int, alignment: Int = MemoryLayout<Element>.alignment) {
    let page = 4096
    let bytes = count * MemoryLayout<Element>.stride
    let body = (bytes + alignment + page - 1) / page * page
    mappedBytes = body + 2 * page
    mapping = mmap(nil, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    precondition(
      mprotect(mapping, page, PROT_NONE) == 0 && mprotect(mapping + page + body, page, PROT_NONE) == 0)
    let offset = (page + body - bytes) / alignment * alignment
    base = (mapping + offset).bindMemory(to: Element.self, capacity: count)
    self.count = count
  }
  convenience init(_ values: [Element]) {
    self.init(count: values.count)
    base.update(from: values, count: values.count)
  }
  deinit { munmap(mapping, mappedBytes) }

  var array: [Element] { Array(UnsafeBufferPointer(start: base, count: count)) }
  func fill(byte: UInt8) { memset(base, Int32(byte), count * MemoryLayout<Element>.stride) }
  var bytes: [UInt8] {
    Array(UnsafeRawBufferPointer(start: base, count: count * MemoryLayout<Element>.stride))
  }
}

/// The first index at which two outputs differ; nil when they are equal. Keeps reports of failures short.
func firstDifference<T: Equatable>(_ a: [T], _ b: [T]) -> Int? {
  guard a.count == b.count else { return min(a.count, b.count) }
  return a.indices.first { a[$0] != b[$0] }
}

/// Every instruction set that this machine runs.
let instructionSets = (0..<QK_ISA_COUNT.rawValue).map { qk_isa($0) }.filter { qk_isa_available($0) == 1 }
let fastSets = instructionSets.filter { $0 != QK_ISA_REFERENCE }
