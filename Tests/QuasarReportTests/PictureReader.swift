import Foundation

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// The elements of an SVG text, read by an XML parser.
final class PictureReader: NSObject, XMLParserDelegate {
  struct Element {
    var name: String
    var attributes: [String: String]
    var text = ""

    func number(_ key: String) -> Double { attributes[key].flatMap(Double.init) ?? 0 }
  }

  private(set) var elements: [Element] = []
  private(set) var isWellFormed = false
  private var open: [Int] = []

  init(_ svg: String) {
    super.init()
    let parser = XMLParser(data: Data(svg.utf8))
    parser.delegate = self
    isWellFormed = parser.parse()
  }

  func all(_ name: String, class style: String? = nil) -> [Element] {
    elements.filter { element in
      element.name == name
        && (style.map { (element.attributes["class"] ?? "").split(separator: " ").contains(Substring($0)) }
          ?? true)
    }
  }

  /// Box of each text, with 0.55 of the size per character and 9 pixels of height above the base line.
  var textBoxes: [(text: String, left: Double, top: Double, right: Double, bottom: Double)] {
    all("text").map { element in
      let size = (element.attributes["class"] ?? "").contains("title") ? 14.0 : 12
      let width = Double(element.text.count) * size * 0.55
      let anchor = element.attributes["text-anchor"] ?? "start"
      let left = element.number("x") - (anchor == "end" ? width : anchor == "middle" ? width / 2 : 0)
      return (element.text, left, element.number("y") - 9, left + width, element.number("y") + 2)
    }
  }

  /// Pairs of texts that overlap.
  var overlappingTexts: [String] {
    let boxes = textBoxes
    return boxes.indices.flatMap { i in
      boxes.indices.dropFirst(i + 1).compactMap { j in
        let (a, b) = (boxes[i], boxes[j])
        let meet = a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
        return meet ? "“\(a.text)” and “\(b.text)”" : nil
      }
    }
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String] = [:]
  ) {
    open.append(elements.count)
    elements.append(Element(name: name, attributes: attributes))
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) {
    if let last = open.last { elements[last].text += string }
  }

  func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
    open.removeLast()
  }
}
