import Foundation
import Quasar
import QuasarConsole

extension CosimCommand {
  /// A whole engine in Verilator: logits against the kernels, cycles of every command against the timeline.
  func runNetwork() throws {
    guard let model, let engine else {
      throw QuasarError(.usage, "--network needs --model F.quasar and --engine FILE.json")
    }
    let packed = try PackedFile.read(model)
    let shape: EngineShape
    do {
      shape = try JSONDecoder().decode(EngineShape.self, from: Data(InputFile.read(engine)))
    } catch let error as DecodingError {
      throw QuasarError(.badData, "\(engine): is not the parameters of an engine (\(error))")
    }
    let test = try data.open(for: packed.architecture.geometry).test
    try test.checkFits(packed.architecture.geometry)
    let count = min(images, test.count)
    let pixels = try test.array(0..<count)
    let program = try EngineProgram(packed, on: shape)
    let path = out ?? NSTemporaryDirectory() + "quasar-cosim-\(ProcessInfo.processInfo.processIdentifier)"
    defer { if out == nil { try? FileManager.default.removeItem(atPath: path) } }
    Console.note("verilator: building an engine of \(shape.arrayDSP) DSPs in its array …")
    let folder = try EngineFolder(
      program, patches: PatchBatch(images: pixels, geometry: packed.architecture.geometry),
      isStructural: !behavioural, to: path)
    let simulation = try EngineSimulation(folder, seed: stalls)
    let expected = try packed.logits(pixels)
    let equal = (0..<count).filter { image in
      (0..<expected.shape[1]).allSatisfy {
        expected.pointer[image * expected.shape[1] + $0] == simulation.logits.pointer[image * expected.shape[1] + $0]
      }
    }.count
    let timeline = EngineTimeline(program.network)
    print("\(equal) of \(count) images have equal logits; \(simulation.cycles) cycles")
    for (index, command) in program.network.commands.enumerated() {
      let found = simulation.completions.first?[index] ?? -1
      let span = timeline.spans[index]
      let name = command.layer.map(String.init(describing:)) ?? "end"
      print("  \(name)  simulated \(found)  counted \(span.end)\(found == span.end ? "" : "  DIFFERS")")
    }
    print("built in \(simulation.buildSeconds) s, simulated in \(simulation.runSeconds) s")
  }
}
