import QuasarTensor
import Yams

extension Device {
  /// The device that a YAML text describes; `file` is its name in messages.
  public init(yaml: String, file: String) throws {
    let reader = try DeviceReader(yaml: yaml, file: file)
    try reader.check()
    name = try reader.string("name")
    description = try reader.string("description")
    part = try reader.string("part")
    let generation = try reader.string("dsp_generation")
    guard let known = DSPGeneration(rawValue: generation) else {
      throw reader.error(
        "dsp_generation", "'\(generation)' is not known: write E1 (7 series) or E2 (UltraScale, UltraScale+)")
    }
    dspGeneration = known
    dsp = try reader.count("dsp", 1...100_000)
    lut = try reader.count("lut", 1...100_000_000)
    ff = try reader.count("ff", 1...200_000_000)
    bram18 = try reader.count("bram18", 1...100_000)
    uram = try reader.count("uram", 0...100_000)
    memoryBandwidth = try reader.number("memory_bandwidth_gb_per_s", 0.001...100_000)
    memoryEfficiency = try reader.number("memory_efficiency", 0.001...1)
    axiPorts = try reader.count("axi_ports", 1...64)
    axiBits = try reader.count("axi_bits", 8...4096)
    clockMHz = try reader.number("clock_mhz", 1...2000)
    caps = try reader.caps()
    provenance = reader.provenance
  }
}

/// Reads one device file strictly: every key known, present once and of the right kind.
private struct DeviceReader {
  static let texts = ["name", "description", "part", "dsp_generation"]
  static let figures = [
    "dsp", "lut", "ff", "bram18", "uram", "memory_bandwidth_gb_per_s", "memory_efficiency", "axi_ports",
    "axi_bits", "clock_mhz",
  ]
  static let capKeys = ["lut", "ff", "bram18", "uram", "dsp"]

  let file: String
  let root: Node.Mapping
  var provenance: [String: Device.Provenance] = [:]

  init(yaml: String, file: String) throws {
    self.file = file
    let node: Node?
    do {
      node = try Yams.compose(yaml: yaml)
    } catch let problem as YamlError {
      let text = "\(problem)".split(separator: "\n").joined(separator: " ")
      throw QuasarError(
        .badData, "\(file): not valid YAML: \(text); compare it with a built-in device file")
    }
    guard let mapping = node?.mapping else {
      throw QuasarError(
        .badData, "\(file):1: a device file is a list of 'key: value' lines; this is not one")
    }
    root = mapping
    for key in Self.figures where mapping[key] != nil {
      let figure = try self.mapping(key)
      let checkedText = try scalar("checked", of: figure, under: key)
      guard let checked = Bool(checkedText) else {
        throw error(key, "checked: '\(checkedText)' must be true or false", at: figure["checked"])
      }
      provenance[key] = Device.Provenance(
        checked: checked, source: try scalar("source", of: figure, under: key))
    }
  }

  func check() throws {
    try checkKeys(root, allowed: Self.texts + Self.figures + ["caps"], under: nil)
    for key in Self.figures {
      try checkKeys(mapping(key), allowed: ["value", "checked", "source"], under: key)
    }
    try checkKeys(mapping("caps"), allowed: Self.capKeys + ["source"], under: "caps")
  }

  func checkKeys(_ mapping: Node.Mapping, allowed: [String], under parent: String?) throws {
    for (key, _) in mapping {
      let name = key.string ?? "?"
      guard allowed.contains(name) else {
        throw error(
          path(parent, name), "unknown key: remove it or use one of \(allowed.joined(separator: ", "))",
          at: key)
      }
    }
    for name in allowed where mapping[name] == nil {
      throw QuasarError(
        .badData, "\(file):\(mapping.mark?.line ?? 1): \(path(parent, name)): missing: add '\(name): …' here"
      )
    }
  }

  func string(_ key: String) throws -> String { try scalar(key, of: root, under: nil) }

  func count(_ key: String, _ range: ClosedRange<Int>) throws -> Int {
    let figure = try mapping(key)
    let text = try scalar("value", of: figure, under: key)
    guard let value = Int(text), range.contains(value) else {
      throw error(
        "\(key).value", "'\(text)' must be a whole number from \(range.lowerBound) to \(range.upperBound)",
        at: figure["value"])
    }
    return value
  }

  func number(_ key: String, _ range: ClosedRange<Double>) throws -> Double {
    let figure = try mapping(key)
    return try number(try scalar("value", of: figure, under: key), range, "\(key).value", at: figure["value"])
  }

  func caps() throws -> Device.Caps {
    let caps = try mapping("caps")
    func cap(_ key: String) throws -> Double {
      try number(try scalar(key, of: caps, under: "caps"), 0.01...1, "caps.\(key)", at: caps[key])
    }
    return Device.Caps(
      lut: try cap("lut"), ff: try cap("ff"), bram18: try cap("bram18"), uram: try cap("uram"),
      dsp: try cap("dsp"))
  }

  func number(_ text: String, _ range: ClosedRange<Double>, _ key: String, at node: Node?) throws -> Double {
    guard let value = Double(text), range.contains(value) else {
      throw error(
        key, "'\(text)' must be a number from \(range.lowerBound) to \(range.upperBound)", at: node)
    }
    return value
  }

  func mapping(_ key: String) throws -> Node.Mapping {
    guard let node = root[key] else { throw error(key, "missing: add it, as in the built-in device files") }
    guard let mapping = node.mapping else {
      throw error(
        key, "must hold the keys value, checked and source (for caps: one number per resource)", at: node)
    }
    return mapping
  }

  func scalar(_ key: String, of mapping: Node.Mapping, under parent: String?) throws -> String {
    guard let node = mapping[key] else {
      throw QuasarError(
        .badData, "\(file):\(mapping.mark?.line ?? 1): \(path(parent, key)): missing: add '\(key): …' here")
    }
    guard let text = node.scalar?.string, !text.isEmpty else {
      throw error(path(parent, key), "must be a single non-empty value", at: node)
    }
    return text
  }

  func path(_ parent: String?, _ key: String) -> String { parent.map { "\($0).\(key)" } ?? key }

  func error(_ key: String, _ problem: String, at node: Node? = nil) -> QuasarError {
    QuasarError(.badData, "\(file):\((node ?? root[key])?.mark?.line ?? 1): \(key): \(problem)")
  }
}
