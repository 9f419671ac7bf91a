import Foundation
import QuasarArithmetic
import QuasarTensor

/// One FPGA board: its arithmetic, logic, memory and bandwidth, and the share of each that a design may use.
///
/// Built-in devices are the YAML files in `Devices/`; a user's file has the same form.
public struct Device: Codable, Hashable, Sendable {
  /// Shares of a resource that a design may use, 0…1.
  public struct Caps: Codable, Hashable, Sendable {
    public var lut: Double
    public var ff: Double
    public var bram18: Double
    public var uram: Double
    public var dsp: Double

    public init(lut: Double, ff: Double, bram18: Double, uram: Double, dsp: Double) {
      self.lut = lut
      self.ff = ff
      self.bram18 = bram18
      self.uram = uram
      self.dsp = dsp
    }
  }

  /// The source of a figure, and whether somebody read the figure there.
  public struct Provenance: Codable, Hashable, Sendable {
    public var checked: Bool
    public var source: String
  }

  public var name: String
  public var description: String
  public var part: String
  public var dspGeneration: DSPGeneration
  public var dsp: Int
  public var lut: Int
  public var ff: Int
  /// Blocks of 18 Kb.
  public var bram18: Int
  /// Blocks of 288 Kb.
  public var uram: Int
  /// Peak of the external memory, in 10⁹ bytes per second.
  public var memoryBandwidth: Double
  /// Share of the peak that a design gets, 0…1.
  public var memoryEfficiency: Double
  /// Number of memory ports that the engine uses.
  public var axiPorts: Int
  /// Width of one port in bits.
  public var axiBits: Int
  /// Default clock in MHz.
  public var clockMHz: Double
  public var caps: Caps
  /// Provenance of each figure, by its key in the file.
  public var provenance: [String: Provenance]

  /// min(bandwidth·efficiency·8 / clock, ports·bits): bits that memory delivers per cycle, both directions
  /// together.
  ///
  /// Example: ZCU102 at 150 MHz: min(19.2·0.75·8000 / 150, 4·128) = min(768, 512) = 512.
  public func memoryBitsPerCycle(clockMHz: Double) -> Double {
    min(memoryBandwidth * memoryEfficiency * 8000 / clockMHz, Double(axiPorts * axiBits))
  }

  /// ⌊count·cap⌋ of each resource: the amounts that a design may use.
  public var budget: ResourceUse {
    ResourceUse(
      dsp: Int(Double(dsp) * caps.dsp), lut: Int(Double(lut) * caps.lut), ff: Int(Double(ff) * caps.ff),
      bram18: Int(Double(bram18) * caps.bram18), uram: Int(Double(uram) * caps.uram))
  }
}

extension Device {
  /// Names of the devices that come with the package, sorted.
  public static var builtInNames: [String] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: builtInFolder.path)) ?? []
    return files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
  }

  /// The built-in device of that name.
  ///
  /// Throws `QuasarError` of kind `usage` that lists the known names.
  public static func named(_ name: String) throws -> Device {
    let known = builtInNames
    guard known.contains(name) else {
      throw QuasarError(
        .usage,
        "unknown device '\(name)': use one of \(known.joined(separator: ", ")),"
          + " or the path of a device file (.yaml)"
      )
    }
    return try Device(contentsOf: builtInFolder.appendingPathComponent(name + ".yaml"))
  }

  /// A built-in device by name or a device file by path.
  ///
  /// A text that contains a slash or ends in .yaml or .yml is a path.
  public static func load(_ text: String) throws -> Device {
    let isPath = text.contains("/") || text.hasSuffix(".yaml") || text.hasSuffix(".yml")
    return isPath ? try Device(contentsOf: URL(fileURLWithPath: text)) : try named(text)
  }

  /// The device that a YAML file describes.
  ///
  /// Throws `QuasarError`: `missing` if the file cannot be read, `badData` with file, line and key
  /// otherwise.
  public init(contentsOf url: URL) throws {
    let text: String
    do {
      text = try String(contentsOf: url, encoding: .utf8)
    } catch {
      throw QuasarError(
        .missing, "cannot read device file '\(url.path)': check the path, or use one of the built-in devices")
    }
    try self.init(yaml: text, file: url.path)
  }

  static var builtInFolder: URL {
    Bundle.module.bundleURL.appendingPathComponent("Devices", isDirectory: true)
  }
}
