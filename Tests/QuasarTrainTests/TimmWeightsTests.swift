import Foundation
import QuasarAutograd
import QuasarExchange
import QuasarInterchange
import QuasarNetwork
import QuasarSupernet
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarTrain

/// A tiny network in timm's form: 8×8 colour images, patches of 4, width 16, 2 heads of 8, depth 2, 3 classes.
private enum Small {
  static let geometry = ImageGeometry(imageSize: 8, channels: 3, patchSize: 4, classes: 3, headDimension: 8)
  static let architecture = Architecture(
    geometry: geometry, embedDimension: 16, activationBits: 8,
    blocks: Array(
      repeating: BlockGenes(
        heads: 2, mlpRatio: 2, shares: [.qkv: .all, .projection: .all, .expand: .all, .contract: .all]), count: 2))
  static let size = SupernetSize(architecture)

  /// Shapes by name, written from timm's source rather than taken from the key map.
  static func shapes(layerScales: Bool, classes: Int = 3, tokens: Int = 5) -> [String: [Int]] {
    var shapes: [String: [Int]] = [
      "cls_token": [1, 1, 16], "pos_embed": [1, tokens, 16], "patch_embed.proj.weight": [16, 3, 4, 4],
      "patch_embed.proj.bias": [16], "norm.weight": [16], "norm.bias": [16], "head.weight": [classes, 16],
      "head.bias": [classes],
    ]
    for block in ["blocks.0.", "blocks.1."] {
      for (name, shape) in [
        ("norm1.weight", [16]), ("norm1.bias", [16]), ("norm2.weight", [16]), ("norm2.bias", [16]),
        ("attn.qkv.weight", [48, 16]), ("attn.qkv.bias", [48]), ("attn.proj.weight", [16, 16]),
        ("attn.proj.bias", [16]), ("mlp.fc1.weight", [32, 16]), ("mlp.fc1.bias", [32]),
        ("mlp.fc2.weight", [16, 32]), ("mlp.fc2.bias", [16]),
      ] { shapes[block + name] = shape }
      if layerScales {
        shapes[block + "ls1.gamma"] = [16]
        shapes[block + "ls2.gamma"] = [16]
      }
    }
    return shapes
  }

  /// Numbers that each of the three formats holds exactly: 8 significant bits, between 2^−9 and 1.
  ///
  /// The stream stays small, so that ε of the norms counts.
  static func tensors(_ shapes: [String: [Int]]) -> [String: (shape: [Int], values: [Double])] {
    var random = SplitMix(state: 5)
    var result: [String: (shape: [Int], values: [Double])] = [:]
    for (name, shape) in shapes.sorted(by: { $0.key < $1.key }) {
      let isNormWeight = name.hasSuffix("norm.weight") || name.contains(".norm") && name.hasSuffix("weight")
      let isInStream = name.hasSuffix("token") || name.hasPrefix("pos") || name.hasPrefix("patch")
      let values = (0..<shape.reduce(1, *)).map { _ -> Double in
        let code = Double(Int.random(in: -127...127, using: &random))
        return isNormWeight ? 1 + code / 128 / 4 : isInStream ? code / 4096 : code / 512
      }
      // 1 + code/512 needs up to 10 bits: keep 8.
      result[name] = (shape, values.map { Double(Float(bitPattern: Float($0).bitPattern & 0xffff_0000)) })
    }
    return result
  }

  static func bytes(_ value: Double, _ type: ElementType) -> [UInt8] {
    func little(_ bits: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: bits.littleEndian) { Array($0) } }
    switch type {
    case .float16:
      // Normal numbers only: exponent + 15, ten bits of fraction.
      if value == 0 { return [0, 0] }
      let magnitude = abs(value)
      let bits =
        UInt16(Int(magnitude.exponent) + 15) << 10 | UInt16(magnitude.significand * 1024 - 1024)
        | (value < 0 ? 0x8000 : 0)
      return little(bits)
    case .bfloat16: return little(UInt16(Float(value).bitPattern >> 16))
    default: return little(Float(value).bitPattern)
    }
  }

  static func write(
    _ tensors: [String: (shape: [Int], values: [Double])], _ type: ElementType, to path: String
  ) throws {
    var file = SafetensorsFile(metadata: ["format": "pt"])
    for (name, tensor) in tensors {
      try file.add(
        RawTensor(elementType: type, shape: tensor.shape, bytes: tensor.values.flatMap { bytes($0, type) }),
        named: name)
    }
    try file.write(to: path)
  }

  static let images: [UInt8] = {
    var random = SplitMix(state: 9)
    return (0..<4 * 192).map { _ in UInt8.random(in: 0...255, using: &random) }
  }()

  static func logits(_ net: Supernet) throws -> [Float] {
    let batch = PatchBatch(images: NDArray(images, shape: [4, 3, 8, 8]), geometry: geometry)
    return try net.forward(Tape(recording: false), batch, architecture: architecture, mode: .full).logits.value.scalars
  }

  static func oracle(_ tensors: [String: (shape: [Int], values: [Double])]) -> TimmOracle {
    TimmOracle(
      tensors: tensors, heads: 2, patch: 4, mean: TimmWeights.imageNet.mean.map(Double.init),
      deviation: TimmWeights.imageNet.deviation.map(Double.init))
  }
}

@Suite struct TimmWeightsTests {
  /// The largest |logit − oracle|/(8·spread) over the first images; infinite where a number is not finite.
  private func largestExcess(_ actual: [Float], _ oracle: TimmOracle, images: Int = 1) -> Double {
    var worst = 0.0
    for image in 0..<images {
      let expected = oracle.logits(Array(Small.images[image * 192..<(image + 1) * 192]), size: 8)
      for (i, logit) in expected.enumerated() {
        let excess = abs(Double(actual[3 * image + i]) - logit.value) / (8 * logit.spread)
        worst = excess.isFinite ? max(worst, excess) : .infinity
      }
    }
    return worst
  }

  @Test(arguments: [ElementType.float32, .float16, .bfloat16], [false, true])
  func logitsAreThoseOfTimm(type: ElementType, layerScales: Bool) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/timm.safetensors"
      let tensors = Small.tensors(Small.shapes(layerScales: layerScales))
      try Small.write(tensors, type, to: path)
      let weights = try TimmWeights(contentsOf: path)
      #expect(weights.head(classes: 3) == .taken)
      let net = try weights.supernet(size: Small.size, random: RandomSource(seed: 1))
      #expect(net.preprocessing == TimmWeights.imageNet)
      let found = try Small.logits(net)
      let oracle = Small.oracle(tensors)
      #expect(largestExcess(found, oracle, images: 4) <= 1)

      guard type == .float32 else { return }
      // The tolerance is tight enough to tell these networks apart.
      var other = oracle
      other.epsilon = 1e-5
      #expect(largestExcess(found, other) > 2, "ε of the norms is not seen")
      other = oracle
      other.deviation[1] *= 1.001
      #expect(largestExcess(found, other) > 2, "the deviation of a channel is not seen")
      for name in tensors.keys {
        var changed = oracle
        changed.tensors[name]?.values[0] += 0.25
        #expect(largestExcess(found, changed) > 2, "\(name) is not seen")
      }
    }
  }

  @Test func anotherNumberOfClassesKeepsTheRandomHead() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/timm.safetensors"
      let fresh = Supernet(
        size: Small.size, preprocessing: TimmWeights.imageNet, random: RandomSource(seed: 7))
      let head = try #require(fresh.parameters.first { $0.name == "head.weight" }).value.scalars
      for classes in [nil, 5] {
        var tensors = Small.tensors(Small.shapes(layerScales: false, classes: classes ?? 3))
        if classes == nil { for name in ["head.weight", "head.bias"] { tensors[name] = nil } }
        try Small.write(tensors, .float32, to: path)
        let weights = try TimmWeights(contentsOf: path)
        #expect(weights.head(classes: 3) == .random(fileClasses: classes))
        let net = try weights.supernet(size: Small.size, random: RandomSource(seed: 7))
        for parameter in net.parameters where parameter.name.hasPrefix("head.") {
          #expect(parameter.name != "head.weight" || parameter.value.scalars == head)
          #expect(parameter.name != "head.bias" || parameter.value.scalars == [0, 0, 0])
        }
        let cls = try #require(net.parameters.first { $0.name == "cls" }).value.scalars
        let expected = try #require(tensors["cls_token"]).values.map { Float($0 * 10.0.squareRoot()) }
        #expect(cls == expected)
      }
    }
  }

  private func refusal(_ change: (inout [String: (shape: [Int], values: [Double])]) -> Void) throws -> String {
    var message = ""
    try withTemporaryFolder { folder in
      let path = folder + "/timm.safetensors"
      var tensors = Small.tensors(Small.shapes(layerScales: true))
      change(&tensors)
      try Small.write(tensors, .float32, to: path)
      let error = quasarError {
        _ = try TimmWeights(contentsOf: path).supernet(size: Small.size, random: RandomSource(seed: 1))
      }
      #expect(error?.kind == .badData)
      message = error?.message ?? "no error"
      #expect(message.hasPrefix(path))
    }
    return message
  }

  @Test func namesAndShapesAreStrict() throws {
    let names = try refusal {
      $0["norm.bias"] = nil
      $0["blocks.1.ls2.gamma"] = nil
      $0["dist_token"] = ([1, 1, 16], Array(repeating: 0, count: 16))
    }
    #expect(names.contains("missing: blocks.1.ls2.gamma, norm.bias; surplus: dist_token;"), "\(names)")
    let shapes = try refusal {
      $0["pos_embed"] = ([1, 10, 16], Array(repeating: 0, count: 160))
      $0["norm.bias"] = ([8], Array(repeating: 0, count: 8))
    }
    #expect(
      shapes.contains(
        "of another shape: norm.bias is [8], needed is [16], pos_embed is [1, 10, 16], needed is [1, 5, 16], "
          + "10 tokens where the space has 5;"), "\(shapes)")
    // Two more blocks than the space: 28 names, of which a dozen are shown.
    let deeper = try refusal { tensors in
      for (name, tensor) in tensors where name.hasPrefix("blocks.") {
        tensors[name.replacingOccurrences(of: "blocks.", with: "blocks.2")] = tensor
      }
    }
    #expect(deeper.contains("surplus: blocks.20.attn.proj.bias,") && deeper.contains(" and 16 more;"), "\(deeper)")
    let bias = try refusal { $0["head.bias"] = ([4], [0, 0, 0, 0]) }
    #expect(bias.contains("head.bias is [4], needed is [3]"), "\(bias)")
    let infinite = try refusal { $0["blocks.0.mlp.fc1.bias"]?.values[3] = .infinity }
    #expect(infinite.contains("“blocks.0.mlp.fc1.bias”: holds a number that is not finite"), "\(infinite)")
  }

  @Test func pixelsMustFitTheImages() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/timm.safetensors"
      try Small.write(Small.tensors(Small.shapes(layerScales: false)), .float32, to: path)
      let grey = try TimmWeights(contentsOf: path, preprocessing: Preprocessing(mean: [0.5], deviation: [0.5]))
      let error = quasarError { _ = try grey.supernet(size: Small.size, random: RandomSource(seed: 1)) }
      #expect(error?.kind == .usage && error?.message.contains("1 channels, but the images have 3") == true)
      for deviation: [Float] in [[0, 1, 1], [1, .nan, 1], [1, 1]] {
        let error = quasarError {
          _ = try TimmWeights(
            contentsOf: path, preprocessing: Preprocessing(mean: [0, 0, 0], deviation: deviation))
        }
        #expect(error?.kind == .usage)
      }
    }
  }
}
