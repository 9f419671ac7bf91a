import Foundation

/// Values as JSON whose bytes are a function of the value: keys are sorted, slashes are not escaped.
package enum JSONText {
  /// The text, over several lines or on one.
  package static func encode(_ value: some Encodable, pretty: Bool = true) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
