/// The numbers that an option takes: an interval, and at most one number outside it, such as 0 for “off”.
public struct OptionRange: Sendable, Equatable {
  /// The smallest number of the interval.
  public let lower: Double
  /// The end of the interval.
  public let upper: Double
  /// False: the interval ends just below `upper`.
  public let includesUpper: Bool
  /// A number outside the interval that is taken as well.
  public let also: Double?

  /// Both ends are taken.
  public init(_ range: ClosedRange<Double>, or also: Double? = nil) {
    (lower, upper, includesUpper, self.also) = (range.lowerBound, range.upperBound, true, also)
  }

  /// The upper end is not taken.
  public init(_ range: Range<Double>) {
    (lower, upper, includesUpper, also) = (range.lowerBound, range.upperBound, false, nil)
  }

  /// Whether a number is taken; the ends are rounded to its type first, so that the smallest Float of a range is in it.
  public func contains<Number: BinaryFloatingPoint>(_ number: Number) -> Bool {
    if let also, number == Number(also) { return true }
    return number >= Number(lower) && (includesUpper ? number <= Number(upper) : number < Number(upper))
  }

  /// "0…1", "0..<1" or "0, 90…100".
  public var text: String {
    let interval = OptionRange.text(lower) + (includesUpper ? "…" : "..<") + OptionRange.text(upper)
    return also.map { "\(OptionRange.text($0)), \(interval)" } ?? interval
  }

  /// "a number from 0 to 1": what an error asks for.
  func expected(_ noun: String) -> String {
    let interval =
      "\(noun) from \(OptionRange.text(lower)) to \(includesUpper ? "" : "below ")\(OptionRange.text(upper))"
    return also.map { "\(OptionRange.text($0)) or \(interval)" } ?? interval
  }

  /// 64 → "64", 0.25 → "0.25", 1e-09 → "1e-09".
  static func text(_ number: Double) -> String {
    number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : "\(number)"
  }
}
