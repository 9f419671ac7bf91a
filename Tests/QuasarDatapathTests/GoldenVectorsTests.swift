import Foundation
import QuasarArithmetic
import QuasarData
import QuasarDatapath
import QuasarInterchange
import QuasarNetwork
import QuasarTensor
import QuasarTestNetworks
import QuasarTestSupport
import Testing

/// Golden vectors read back from their files and computed again without any kernel.
@Suite struct GoldenVectorsTests {
  private func model(_ architecture: Architecture, seed: UInt64 = 1, stress: Bool = false) throws -> IntegerModel {
    try Tiny.pack(Tiny.net(architecture, seed: seed, stress: stress), architecture)
  }

  private func images(_ count: Int, _ architecture: Architecture) throws -> NDArray<UInt8> {
    try Tiny.images(count, channels: architecture.geometry.channels).array(0..<count)
  }

  @Test(arguments: [8, 6, 4], [false, true])
  func everyLayerFollowsFromItsFiles(bits: Int, stress: Bool) throws {
    let architecture = Tiny.mixed(bits: bits, channels: stress ? 3 : 1)
    let model = try model(architecture, seed: UInt64(bits), stress: stress)
    let images = try images(3, architecture)
    let folder = GoldenFolder()
    try folder.write(model, images)
    let layers = try folder.layers()
    #expect(layers.map(\.name) == ["network"] + model.graph.names)
    for layer in layers where layer.name != "network" {
      let computed = try PlainLayers.recompute(layer, activationBits: bits)
      // Parameters, input and residual are given; everything else is computed.
      let given: Set = [
        "weights", "row_bits", "bias", "multiplier", "shift", "input", "residual", "table", "embedding", "epsilon",
        "offset", "exponents", "score_multiplier", "score_shift", "output_multiplier", "output_shift",
      ]
      #expect(Set(computed.keys) == Set(layer.tensors.keys).subtracting(given), "\(layer.name)")
      for (role, values) in computed { #expect(try layer[role].values == values, "\(layer.name)/\(role)") }
    }
    let logits = try model.logits(images).scalars.map { Int($0) }
    #expect(try layers[0]["logits"].values == logits)
    #expect(try #require(layers.last)["output"].values == logits)
    #expect(try layers[0]["pixels"].values == images.scalars.map { Int($0) })
  }

  /// Inputs and residuals equal their formulas: outputs of other layers.
  @Test func layersHangTogether() throws {
    let architecture = Tiny.mixed(bits: 6, channels: 3)
    let folder = GoldenFolder()
    try folder.write(model(architecture), images(2, architecture))
    let layers = Dictionary(uniqueKeysWithValues: try folder.layers().map { ($0.name, $0) })
    func values(_ layer: String, _ role: String) throws -> [Int] { try #require(layers[layer])[role].values }
    let (width, tokens) = (architecture.embedDimension, architecture.geometry.tokens)
    let embedding = try values("patch_embed", "embedding")
    let patches = try values("patch_embed", "output")
    let each = patches.count / 2
    var stream = (0..<2).flatMap { embedding[0..<width] + patches[$0 * each..<($0 + 1) * each] }
    #expect(
      try values("patch_embed", "residual") == Array(embedding[width...]) + Array(embedding[width...]))
    // Patch t of 4×4 pixels: columns channel, y, x.
    let (pixels, input) = (try values("network", "pixels"), try values("patch_embed", "input"))
    for (t, c, y, x) in [(0, 0, 0, 0), (1, 0, 2, 3), (2, 1, 3, 1), (3, 2, 1, 0)] {
      let place = (c * 8 + t / 2 * 4 + y) * 8 + t % 2 * 4 + x
      #expect(input[t * 48 + (c * 4 + y) * 4 + x] == pixels[place])
    }
    for block in ["blocks.0", "blocks.1"] {
      #expect(try values("\(block).norm1", "input") == stream)
      #expect(try values("\(block).projection", "residual") == stream)
      for (from, to) in [
        ("norm1", "qkv"), ("qkv", "attention"), ("attention", "projection"), ("projection", "norm2"),
        ("norm2", "expand"), ("expand", "contract"),
      ] {
        #expect(try values("\(block).\(from)", "output") == values("\(block).\(to)", "input"), "\(block).\(to)")
      }
      #expect(try values("\(block).contract", "residual") == values("\(block).norm2", "input"))
      stream = try values("\(block).contract", "output")
    }
    let classRows = (0..<2).flatMap { stream[$0 * tokens * width..<($0 * tokens + 1) * width] }
    #expect(try values("norm", "input") == classRows)
    #expect(try values("norm", "output") == values("head", "input"))
  }

  @Test func manifestListsTheFilesAndTheModel() throws {
    let architecture = Tiny.uniform(.half, bits: 6)
    let model = try model(architecture)
    let folder = GoldenFolder()
    try folder.write(model, images(1, architecture), layers: ["blocks.0", "head"])
    #expect(try folder.files() == folder.manifest["files"] as? [String])
    #expect(folder.manifest["schema"] as? Int == 1 && folder.manifest["images"] as? Int == 1)
    let packed = try PackedFile.encode(model)
    let named = try #require(folder.manifest["model"] as? [String: Any])
    let stored = packed.suffix(4).reversed().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    #expect(named["crc32"] as? String == stored && named["bytes"] as? Int == packed.count)
    #expect(
      try folder.layers().map(\.name)
        == ["network"] + model.graph.names.filter { $0.hasPrefix("blocks.0") || $0 == "head" })
    #expect(folder.manifest["engine"] == nil)
  }

  /// One image of 411 (more than a batch of 2,048 tokens) has the same codes as alone.
  @Test func imagesDoNotMix() throws {
    let architecture = Tiny.mixed(bits: 8)
    let model = try model(architecture)
    let all = try images(411, architecture)
    let vectors = try GoldenVectors(model)
    let together = try vectors.layers(all)
    for image in [0, 408, 409, 410] {
      for (many, one) in zip(together, try vectors.layers(all.rows(image..<image + 1))) {
        for (a, b) in zip(many.tensors, one.tensors) where a.isPerImage {
          let count = b.values.bytes.count
          #expect(
            Array(a.values.bytes[image * count..<(image + 1) * count]) == b.values.bytes, "\(many.name) \(a.role)")
        }
      }
    }
  }

  @Test func anEngineGivesTheSameFilesAndIsNamed() throws {
    let architecture = Tiny.mixed(bits: 6)
    let model = try model(architecture)
    let images = try images(2, architecture)
    let engine = DatapathEngine(
      fourBitMode: .w4a6Block, eightBitMode: .w8a6Pair, attentionMode: .a6a6Pair, inputLanes: 3, tokenElements: 2)
    let units = try DatapathUnits(model, engine: engine, speed: .structural)
    let plain = GoldenFolder()
    try plain.write(model, images)
    let folder = GoldenFolder()
    try folder.write(
      model, images, on: units,
      engine: EngineSummary(device: "board", clockMHz: 200, engine: engine, units: units, model: model))
    for file in try plain.files() where file != "manifest.json" {
      #expect(
        FileManager.default.contentsEqual(atPath: "\(plain.path)/\(file)", andPath: "\(folder.path)/\(file)"), "\(file)"
      )
    }
    let summary = try #require(folder.manifest["engine"] as? [String: Any])
    #expect(summary["device"] as? String == "board" && summary["input_lanes"] as? Int == 3)
    let chains = try #require(summary["chains"] as? [[String: Any]])
    func chain(_ layer: String, _ product: String) -> Int? {
      chains.first { $0["layer"] as? String == layer && $0["product"] as? String == product }?["length"] as? Int
    }
    // 1023/(7·31) = 4 in the 11-bit lanes; (2^17 − 1)/(127·31) = 33 in the 18-bit lanes; the head has no 4-bit rows.
    #expect(chain("blocks.0.qkv", "4-bit rows") == 4 && chain("blocks.0.qkv", "8-bit rows") == 33)
    #expect(chain("blocks.0.attention", "scores") == 136 && chain("head", "4-bit rows") == nil)
    #expect(
      (summary["modes"] as? [[String: Any]])?.map { $0["name"] as? String } == ["w4a6-2x2", "w8a6-pair", "a6a6-pair"])
  }

  @Test func refusesUnitsThatAreNotExact() throws {
    let architecture = Tiny.mixed(bits: 6)
    let model = try model(architecture)
    let engine = DatapathEngine(
      fourBitMode: .w4a6Block, eightBitMode: .w8a6Pair, attentionMode: .a6a6Pair, inputLanes: 1, tokenElements: 1)
    for (yaml, layer) in [
      ("truncate: [requantiser]", "patch_embed"), ("truncate: [softmax]", "blocks.0.attention"),
      ("truncate: [layer-norm]", "blocks.0.norm1"), ("gelu_table: 8", "blocks.0.expand"),
    ] {
      let spec = try HardwareSpecFile(text: yaml, file: "lossy").spec
      let units = try DatapathUnits(model, engine: engine, spec: spec, speed: .structural)
      let error = quasarError { _ = try GoldenVectors(model, on: units).layers(images(2, architecture)) }
      #expect(error?.message.hasPrefix(layer) == true, "\(yaml): \(error?.message ?? "no error")")
    }
  }

  @Test func refusesLayersThatAreNot() throws {
    let architecture = Tiny.mixed(bits: 6)
    let model = try model(architecture)
    for name in ["blocks.2", "blocks", "qkv", "blocks.0.qk", ""] {
      let error = quasarError { _ = try GoldenVectors(model, layers: ["head", name]) }
      if name == "blocks" {
        #expect(error == nil)
      } else {
        #expect(error?.kind == .usage && error?.message.contains("'\(name)'") == true, "\(name)")
        #expect(error?.message.contains("blocks.0 to blocks.1") == true)
      }
    }
  }
}
