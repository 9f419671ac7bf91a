import ArgumentParser
import Foundation
import Quasar
import QuasarConsole

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write a packed model for other tools.",
    discussion: """
      --format vectors: a folder with the integers of every layer for some test images (parameters, input,
      accumulators, what lies inside attention and LayerNorm, output) as .npy, .hex for $readmemh and C headers; its
      manifest.json names widths and formulas. With --device the layers run on the processing elements of that
      board's engine, and the manifest names packing modes and chain lengths; the integers are the same.

      --format rtl: a folder with the SystemVerilog units of the board's engine for this model, self-checking benches
      with vectors of the emulator, and a Makefile for Verilator, Icarus and yosys; README.txt says how to begin.

      Example: quasar export --model fast.quasar --format vectors --layer blocks.0 --out vectors
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case vectors, rtl
  }

  @OptionGroup var common: CommonOptions
  @OptionGroup var data: DataOption
  @Option(name: .long, help: "A .quasar file.") var model: String
  @Option(name: .long, help: "What to write: vectors or rtl.") var format: Format
  @Option(name: .long, help: "vectors: how many test images, from the first.") var images = 2
  @Option(name: .long, parsing: .upToNextOption, help: "vectors: these layers or blocks only (default: all).")
  var layer: [String] = []
  @Option(name: .long, help: "Board by name (see 'quasar estimate --list') or a YAML file.") var device: String?
  @Option(name: .long, help: "Clock in MHz (default: the board's).") var clock: Double?
  @Option(name: .long, help: "vectors: most MiB that may be written.")
  var limit = GoldenVectors.defaultLimit >> 20
  @Option(name: .long, help: "rtl: operations per unit.") var vectors = 2000
  @Option(name: .long, help: "The folder to write.") var out: String

  func run() throws {
    try common.apply()
    let packed = try readModel()
    switch format {
    case .vectors: try exportVectors(packed)
    case .rtl: try exportRTL()
    }
  }

  private func exportRTL() throws {
    guard (1...10_000_000).contains(vectors) else {
      throw QuasarError(.usage, "--vectors \(vectors): use a number from 1 to 10000000")
    }
    let board = device ?? "pynq-z2"
    let folder = try RTLExport.write(
      model: model, hardware: { try HardwareModel(device: Device.load(board), clockMHz: clock) }, vectors: vectors,
      seed: 1, to: out)
    if common.json {
      try Console.json([
        "folder": out, "format": format.rawValue, "device": board, "vectors": vectors,
        "units": folder.cases.map(\.name),
      ])
    } else {
      print("\(out): \(folder.cases.count) units for \(board), \(vectors) vectors each; cd there, then make verilator")
    }
  }

  private func readModel() throws -> IntegerModel {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: model, isDirectory: &isFolder), isFolder.boolValue {
      throw QuasarError(
        .usage, "\(model): is a folder; export takes a packed file: quasar pack --run \(model) --out F.quasar")
    }
    return try PackedFile.read(model)
  }

  private func exportVectors(_ packed: IntegerModel) throws {
    guard clock == nil || device != nil else {
      throw QuasarError(.usage, "--clock belongs to a board: name it with --device")
    }
    guard (1...1 << 24).contains(limit) else {
      throw QuasarError(.usage, "--limit \(limit): use a number of MiB from 1 to \(1 << 24)")
    }
    let test = try data.open(for: packed.architecture.geometry).test
    try test.checkFits(packed.architecture.geometry)
    guard (1...test.count).contains(images) else {
      throw QuasarError(.usage, "--images \(images): the set has \(test.count) test images; use 1 to \(test.count)")
    }
    let (units, engine) = try units(packed)
    let vectors = try GoldenVectors(packed, layers: layer, on: units, engine: engine)
    let progress = ConsoleProgress()
    progress.begin("vectors")
    let summary = try vectors.write(test.array(0..<images), to: out, limit: limit << 20) { done, total in
      progress.update(done: done, total: total, note: "files")
      if progress.shouldStop {
        throw QuasarError(.interrupted, "\(out): stopped, nothing was left there; start the command again")
      }
    }
    progress.clear()
    if common.json {
      var figures: [String: Any] = [
        "folder": out, "format": format.rawValue, "images": images, "layers": summary.layers,
        "tensors": summary.tensors, "files": summary.files, "bytes": summary.bytes,
      ]
      figures["device"] = engine?.device
      try Console.json(figures)
    } else {
      let board = engine.map { " on the engine of \($0.device)" } ?? ""
      print(
        "\(out): \(summary.layers) layers\(board), \(images) images, \(summary.tensors) tensors in "
          + "\(summary.files) files, \(Workflow.fixed(Double(summary.bytes) / 1_048_576, 1)) MiB")
    }
  }

  /// The kernels of this CPU, or the processing elements of the board's engine for this model.
  private func units(_ packed: IntegerModel) throws -> (any IntegerUnits, EngineSummary?) {
    guard let device else { return (KernelUnits(), nil) }
    let hardware = try HardwareModel(device: Device.load(device), clockMHz: clock)
    let engine = try hardware.optimisedEngine(for: packed.architecture).datapath
    let units = try DatapathUnits(packed, engine: engine, speed: .structural)
    return (
      units,
      EngineSummary(
        device: hardware.device.name, clockMHz: hardware.clockMHz, engine: engine, units: units, model: packed)
    )
  }
}
