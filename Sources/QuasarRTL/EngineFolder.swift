import Foundation
import QuasarEngine
import QuasarInterchange
import QuasarNetwork
import QuasarTensor

/// A folder with the RTL of one engine, a program for it, images, and what a simulation needs.
public struct EngineFolder: Sendable {
  public let path: String
  public let program: EngineProgram
  /// Number of images in `images.bin`.
  public let images: Int

  /// Writes the folder. `isStructural`: every product in a DSP slice; otherwise in plain multiplications with the same
  /// cycles, which simulates faster.
  public init(
    _ program: EngineProgram, patches: PatchBatch, isStructural: Bool = true, to path: String
  ) throws {
    self.path = path
    self.program = program
    images = patches.batch
    let manager = FileManager.default
    let sources = try RTLFolder.sources().filter { !$0.0.hasPrefix("bench/") }
    let folders = Set(sources.map { ($0.0 as NSString).deletingLastPathComponent })
    for folder in folders.sorted() {
      do {
        try manager.createDirectory(atPath: path + "/" + folder, withIntermediateDirectories: true)
      } catch {
        throw QuasarError(.cannotWrite, "\(path): the folder cannot be made (\(error.localizedDescription))")
      }
    }
    for (name, text) in sources + [("engine_top.sv", Self.top(program.network.shape, isStructural: isStructural))] {
      // A source that is as before keeps its time, so that an engine which was built is not built again.
      let file = path + "/" + name
      if let old = try? InputFile.read(file), old.elementsEqual(text.utf8) { continue }
      try AtomicFile.write(text, to: file)
    }
    try AtomicFile.write(program.bytes, to: path + "/program.bin")
    try AtomicFile.write(program.network.pixels(patches), to: path + "/images.bin")
  }

  /// The engine with its parameters, under a name that does not depend on them.
  static func top(_ shape: EngineShape, isStructural: Bool) -> String {
    let parameters = parameters(of: shape) + [("BEHAVIOURAL", isStructural ? 0 : 1)]
    let list = parameters.map { "    .\($0.name)(\($0.value))" }.joined(separator: ",\n")
    return """
      // Generated: one engine with its parameters.
      module engine_top (
        input  logic        clk,
        input  logic        reset,
        input  logic        stream_valid,
        output logic        stream_ready,
        input  logic [\(shape.streamBits - 1):0] stream_data,
        input  logic        stream_last,
        output logic        logit_valid,
        output logic [15:0] logit_index,
        output logic [31:0] logit,
        output logic        image_done,
        output logic        record_enters,
        output logic        command_complete,
        output logic        error,
        output logic [3:0]  error_code,
        output logic [31:0] error_record
      );
        quasar_engine #(
      \(list)
        ) engine (
          .clk(clk), .reset(reset), .config_hash(32'd\(shape.configurationHash)), .stream_valid(stream_valid),
          .stream_ready(stream_ready), .stream_data(stream_data), .stream_last(stream_last), .logit_valid(logit_valid),
          .logit_index(logit_index), .logit(logit), .image_done(image_done), .record_enters(record_enters),
          .command_complete(command_complete), .error(error), .error_code(error_code), .error_record(error_record));
      endmodule

      """
  }

  /// The parameters of `quasar_engine`.
  static func parameters(of shape: EngineShape) -> [UnitParameter] {
    let limits = shape.limits
    return [
      ("GENERATION", RTLConstants.value(shape.generation)), ("ROWS", shape.rows), ("INPUTS", shape.inputs),
      ("TOKENS", shape.tokens), ("CASCADE", shape.cascade), ("PAIR_PITCH", shape.pairPitch),
      ("BLOCK_PITCH", shape.blockPitch), ("BROADCAST", shape.broadcast), ("SUM_BITS", shape.sumBits),
      ("LANE_SUM_BITS", shape.laneSumBits), ("DRAIN", shape.drain), ("SOFTMAX", shape.softmax), ("NORM", shape.norm),
      ("ACTIVATION_BITS", limits.activationBits), ("STREAM_BITS", shape.streamBits), ("MAX_TOKENS", limits.tokens),
      ("MAX_WIDTH", limits.width), ("MAX_INPUTS", limits.inputs), ("MAX_HIDDEN", limits.hidden),
      ("MAX_HEADS", limits.heads), ("MAX_ATTENTION", limits.attentionWidth),
    ]
  }
}
