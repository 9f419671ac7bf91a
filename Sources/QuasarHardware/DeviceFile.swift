import QuasarArithmetic
import QuasarInterchange

extension Device {
  private static let figures = [
    "dsp", "lut", "ff", "bram18", "uram", "memory_bandwidth_gb_per_s", "memory_efficiency", "axi_ports",
    "axi_bits", "clock_mhz",
  ]

  /// The device that a YAML text describes; `file` is its name in messages.
  ///
  /// Every figure is a mapping of value, checked (true if a published text was read for it) and source.
  public init(yaml: String, file: String) throws {
    let root = try StrictYAML(text: yaml, file: file)
    try root.allowOnly(["name", "description", "part", "dsp_generation"] + Device.figures + ["caps"])
    name = try root.string("name")
    description = try root.string("description")
    part = try root.string("part")
    let generation = try root.string("dsp_generation")
    guard let known = DSPGeneration(rawValue: generation) else {
      throw root.error(
        "dsp_generation", "'\(generation)' is not known: write E1 (7 series) or E2 (UltraScale, UltraScale+)")
    }
    dspGeneration = known
    var provenance: [String: Provenance] = [:]
    for key in Device.figures {
      let figure = try root.nested(key)
      try figure.allowOnly(["value", "checked", "source"])
      provenance[key] = Provenance(checked: try figure.bool("checked"), source: try figure.string("source"))
    }
    self.provenance = provenance
    func count(_ key: String, _ range: ClosedRange<Int>) throws -> Int {
      try root.nested(key).integer("value", range)
    }
    func number(_ key: String, _ range: ClosedRange<Double>) throws -> Double {
      try root.nested(key).number("value", range)
    }
    dsp = try count("dsp", 1...100_000)
    lut = try count("lut", 1...100_000_000)
    ff = try count("ff", 1...200_000_000)
    bram18 = try count("bram18", 1...100_000)
    uram = try count("uram", 0...100_000)
    memoryBandwidth = try number("memory_bandwidth_gb_per_s", 0.001...100_000)
    memoryEfficiency = try number("memory_efficiency", 0.001...1)
    axiPorts = try count("axi_ports", 1...64)
    axiBits = try count("axi_bits", 8...4096)
    clockMHz = try number("clock_mhz", 1...2000)
    let caps = try root.nested("caps")
    try caps.allowOnly(["lut", "ff", "bram18", "uram", "dsp", "source"])
    _ = try caps.string("source")
    func cap(_ key: String) throws -> Double { try caps.number(key, 0.01...1) }
    self.caps = Caps(
      lut: try cap("lut"), ff: try cap("ff"), bram18: try cap("bram18"), uram: try cap("uram"), dsp: try cap("dsp"))
  }
}
