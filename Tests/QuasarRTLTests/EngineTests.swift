import Foundation
import QuasarArithmetic
import QuasarData
import QuasarEngine
import QuasarNetwork
import QuasarTensor
import QuasarTestNetworks
import Testing

@testable import QuasarRTL

/// Whole engines in Verilator: every logit is that of the kernels, every command ends in the cycle of the timeline.
@Suite("Whole engines", .serialized)
struct EngineTests {
  static func shape(_ generation: DSPGeneration, _ architecture: Architecture) -> EngineShape {
    let isE1 = generation == .e1
    var shape = EngineShape(
      generation: generation, rows: isE1 ? 1 : 2, inputs: 4, tokens: isE1 ? 3 : 2,
      limits: EngineLimits(architecture, inputs: 4))
    shape.hasBlocks = architecture.activationBits <= 6
    shape.broadcast = isE1 ? 0 : 2
    shape.drain = isE1 ? 1 : 2
    shape.softmax = isE1 ? 3 : 1
    shape.norm = isE1 ? 1 : 2
    return shape
  }

  /// Mixed rows with two-by-two products on DSP48E2 at 6 bits, pairs on DSP48E1 at 8 bits; sums that saturate.
  @Test(
    "Logits and cycles of a whole engine", arguments: [(DSPGeneration.e2, 6), (.e1, 8)])
  func network(generation: DSPGeneration, bits: Int) throws {
    let architecture = Tiny.mixed(bits: bits)
    let model = try Tiny.pack(Tiny.net(architecture, stress: true), architecture)
    let images = try Tiny.images(3).array(0..<3)
    let patches = PatchBatch(images: images, geometry: architecture.geometry)
    let temporary = SimulationTests.Folder()
    let folder = try EngineFolder(
      EngineProgram(model, on: Self.shape(generation, architecture)), patches: patches, to: temporary.path)
    let network = folder.program.network
    if bits == 6 {
      let shapes = network.commands.flatMap { command -> [Bool] in
        if case .gemm(let gemm) = command.operation { gemm.tiles.map(\.isBlock) } else { [] }
      }
      #expect(shapes.contains(true) && shapes.contains(false))
    }
    let logits = try model.logits(images)
    let comparison = try EngineComparison(EngineSimulation(folder, optimise: false), network, logits: logits)
    #expect(comparison.equalImages == 3)
    for command in comparison.commands {
      #expect(command.isOnTime, "\(command.name): \(command.cycles) cycles, counted \(command.counted)")
    }
    // The same engine, built once: words of the stream with gaps change no logit.
    for seed in 1...4 as ClosedRange<UInt64> {
      let stalled = try EngineComparison(
        EngineSimulation(folder, seed: seed, optimise: false), network, logits: logits)
      #expect(stalled.equalImages == 3, "seed \(seed)")
    }
    // Another network on the same engine: only the program changes.
    let other = Tiny.uniform(.half, bits: bits)
    let second = try Tiny.pack(Tiny.net(other), other)
    let program = try EngineProgram(second, on: network.shape)
    let again = try EngineFolder(program, patches: patches, to: temporary.path)
    let found = try EngineComparison(
      EngineSimulation(again, optimise: false), program.network, logits: second.logits(images))
    #expect(found.isEqual)
    // A program for another engine runs nothing, a damaged one stops with its record.
    var bytes = program.bytes
    bytes[24] ^= 1
    try Self.expectError(bytes, again)
    bytes = program.bytes
    bytes[program.offsets[2] + 70] ^= 4
    try Self.expectError(bytes, again)
  }

  private static func expectError(_ program: [UInt8], _ folder: EngineFolder) throws {
    try Data(program).write(to: URL(fileURLWithPath: folder.path + "/program.bin"))
    let error = #expect(throws: QuasarError.self) { try EngineSimulation(folder, optimise: false) }
    #expect(error?.message.contains("the engine reports an error") == true, "\(error?.message ?? "")")
  }

  @Test("A network that is too large is refused with the numbers")
  func limits() throws {
    let architecture = Tiny.mixed(bits: 8)
    var shape = Self.shape(.e2, architecture)
    shape.limits.width = 16
    let error = #expect(throws: QuasarError.self) { try EngineNetwork(architecture, on: shape) }
    #expect(error?.message.contains("24 width") == true && error?.message.contains("16") == true)
    shape = Self.shape(.e2, architecture)
    shape.cascade = 3
    #expect(throws: QuasarError.self) { try shape.validate() }
    shape = Self.shape(.e2, architecture)
    shape.inputs = 32
    #expect(throws: QuasarError.self) { try EngineNetwork(architecture, on: shape) }
    shape = Self.shape(.e1, architecture)
    shape.cascade = 4
    let long = #expect(throws: QuasarError.self) { try shape.validate() }
    #expect(long?.message.contains("more than 2 products") == true, "\(long?.message ?? "")")
  }
}
