import Foundation
import Quasar
import QuasarConsole

extension CosimCommand {
  /// A whole engine in Verilator: logits against the kernels, cycles of every command against the timeline.
  func runNetwork() throws {
    guard let engine else { throw QuasarError(.usage, "--network needs --engine FILE.json") }
    guard images >= 1 else { throw QuasarError(.usage, "--images \(images): use at least 1") }
    let (packed, pixels) = try networkAndImages()
    let program = try EngineProgram(packed, on: Self.shape(contentsOf: engine))
    let path = out ?? NSTemporaryDirectory() + "quasar-cosim-\(ProcessInfo.processInfo.processIdentifier)"
    defer { if out == nil { try? FileManager.default.removeItem(atPath: path) } }
    Console.note(
      "verilator: building an engine with an array of \(program.network.shape.arrayDSP) DSPs, some minutes …")
    let folder = try EngineFolder(
      program, patches: PatchBatch(images: pixels, geometry: packed.architecture.geometry),
      isStructural: !behavioural, to: path)
    let simulation = try EngineSimulation(folder, seed: stalls)
    let comparison = try EngineComparison(simulation, program.network, logits: packed.logits(pixels))
    if common.json { try Console.json(["network": Console.object(comparison)]) } else { print(Self.table(comparison)) }
    guard comparison.isEqual else {
      throw QuasarError(
        .internal, "the engine and the kernels or the timeline differ; the lines marked above say where")
    }
  }

  /// The packed model with test images, or a network with random weights and noise.
  private func networkAndImages() throws -> (IntegerModel, NDArray<UInt8>) {
    guard let model else {
      guard architecture.isNamed else {
        throw QuasarError(.usage, "--network needs --model F.quasar, --arch NAME or --subnet FILE")
      }
      let network = try architecture.architecture()
      return (try Workflow.randomModel(network), Workflow.noise(images, network.geometry))
    }
    guard !architecture.isNamed else {
      throw QuasarError(.usage, "--model has its own architecture; leave out --arch and --subnet")
    }
    let packed = try PackedFile.read(model)
    let test = try data.open(for: packed.architecture.geometry).test
    try test.checkFits(packed.architecture.geometry)
    guard images <= test.count else {
      throw QuasarError(.usage, "--images \(images): the set has \(test.count) test images")
    }
    return (packed, try test.array(0..<images))
  }

  private static func shape(contentsOf path: String) throws -> EngineShape {
    do {
      return try JSONDecoder().decode(EngineShape.self, from: Data(InputFile.read(path)))
    } catch let error as DecodingError {
      throw QuasarError(.badData, "\(path): is not a file of an engine's parameters (\(Workflow.reason(error)))")
    }
  }

  private static func table(_ comparison: EngineComparison) -> String {
    let rows = comparison.commands.map { command in
      [
        command.name, String(command.cycles), command.isOnTime ? "" : "counted \(command.counted)",
        String(command.waits.weights), String(command.waits.drain), String(command.waits.softmax),
        Workflow.fixed(100 * command.utilisation, 0) + " %",
      ]
    }
    return Console.table(
      ["command", "cycles", "", "waits: weights", "drain", "softmax", "array busy"], rows)
        + """

        \(comparison.equalImages) of \(comparison.images) images have the logits of the kernels; \
        \(comparison.cycles) cycles, \(Int(comparison.cyclesPerSecond)) a second; built in \
        \(Workflow.fixed(comparison.buildSeconds, 1)) s, simulated in \(Workflow.fixed(comparison.runSeconds, 1)) s
        """
  }
}
