import Foundation
import QuasarArithmetic
import QuasarHardware
import QuasarTensor
import Testing

@Suite("Devices")
struct DeviceTests {
  @Test("Every built-in device loads and states the provenance of every figure")
  func builtIn() throws {
    let expected = ["kv260", "pynq-z2", "u250", "u50", "ultra96-v2", "zcu102", "zcu104"]
    #expect(Device.builtInNames == expected)
    for name in expected {
      let device = try Device.named(name)
      #expect(device.name == name)
      #expect(device.provenance.count == 10)
      #expect(device.provenance.values.allSatisfy { $0.source.count > 10 })
    }
    let zcu102 = try Device.named("zcu102")
    #expect(zcu102.dsp == 2520 && zcu102.lut == 274_080 && zcu102.ff == 548_160 && zcu102.bram18 == 1824)
    #expect(zcu102.budget.dsp == 2016)
    #expect(zcu102.memoryBitsPerCycle(clockMHz: 150) == 512)
    #expect(try Device.named("pynq-z2").dspGeneration == .e1)
  }

  @Test("An unknown name lists the known ones; a missing file says so")
  func unknown() throws {
    let unknown = try #require(throws: QuasarError.self) { try Device.named("zcu999") }
    #expect(
      unknown.kind == .usage && unknown.message.contains("zcu102") && unknown.message.contains("pynq-z2"))
    let missing = try #require(throws: QuasarError.self) { try Device.load("/nowhere/board.yaml") }
    #expect(missing.kind == .missing && missing.message.contains("/nowhere/board.yaml"))
  }

  /// A user's file: one of the built-in ones with `change` applied to its text.
  func load(_ change: (String) -> String) throws -> Device {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("quasar-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let url = folder.appendingPathComponent("board.yaml")
    try change(Self.text).write(to: url, atomically: true, encoding: .utf8)
    return try Device.load(url.path)
  }

  static let text = """
    name: board
    description: a board
    part: XC1
    dsp_generation: E2
    dsp: {value: 100, checked: true, source: count}
    lut: {value: 1000, checked: true, source: count}
    ff: {value: 2000, checked: true, source: count}
    bram18: {value: 50, checked: true, source: count}
    uram: {value: 0, checked: true, source: count}
    memory_bandwidth_gb_per_s: {value: 2.5, checked: true, source: count}
    memory_efficiency: {value: 0.75, checked: true, source: count}
    axi_ports: {value: 1, checked: true, source: count}
    axi_bits: {value: 64, checked: true, source: count}
    clock_mhz: {value: 100, checked: true, source: count}
    caps: {lut: 0.7, ff: 0.5, bram18: 0.8, uram: 0.8, dsp: 0.8, source: count}

    """

  @Test("A user's file loads")
  func userFile() throws { #expect(try load { $0 }.dsp == 100) }

  @Test(
    "A mistake names the line and the key",
    arguments: [
      ("dsp: {value: 100,", "dsp: {value: many,", "board.yaml:5: dsp.value: 'many'"),
      ("dsp: {value: 100,", "dsp: {value: -1,", "board.yaml:5: dsp.value: '-1'"),
      ("lut: {value: 1000, checked: true,", "lut: {value: 1000,", "board.yaml:6: lut.checked: missing"),
      ("uram: {value: 0, checked: true, source: count}\n", "", "uram: missing"),
      ("part: XC1\n", "part: XC1\ncolour: blue\n", "board.yaml:4: colour: unknown key"),
      ("dsp_generation: E2", "dsp_generation: E7", "board.yaml:4: dsp_generation: 'E7'"),
      ("value: 0.75", "value: 1.75", "board.yaml:11: memory_efficiency.value: '1.75'"),
      ("caps: {lut: 0.7,", "caps: {lut: 0.7, power: 3,", "board.yaml:15: caps.power: unknown key"),
      ("caps: {lut: 0.7,", "caps: {lut: 7,", "board.yaml:15: caps.lut: '7'"),
      ("part: XC1", "part: [", "not valid YAML"),
      ("part: XC1", "part: XC1\npart: XC2", "not valid YAML"),
    ])
  func mistakes(change: (from: String, to: String, message: String)) throws {
    let error = try #require(throws: QuasarError.self) {
      try load { $0.replacingOccurrences(of: change.from, with: change.to) }
    }
    #expect(error.kind == .badData)
    #expect(error.message.contains(change.message), "\(error.message)")
    #expect(!error.message.contains("\n"))
  }
}
