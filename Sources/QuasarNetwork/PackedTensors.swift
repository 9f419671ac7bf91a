import CKernels
import Foundation
import QuasarArithmetic
import QuasarInterchange
import QuasarTensor

/// The body of a `.quasar` file: names and layouts of its tensors.
///
/// Linear layer L: `L.bits` u8 [N]; `L.codes8` i8 [N8, K], the 8-bit rows in row order; `L.codes4` u8 [N4, ⌈K/2⌉], two
/// codes per byte, the even k in the low nibble; `L.bias` i32 [N]; `L.requantiser` i32 [N, 2] (multiplier, shift).
/// LayerNorm L: `L.requantiser` [D, 2], `L.offset` i64 [D], `L.epsilon` i64 [1]. Attention L: `L.requantiser` i32 [2,
/// 2] (score, output), `L.exponents` i32 [256]. `blocks.i.gelu` u8 [256]. `embedding` i16 [tokens, D].
enum PackedTensors {
  /// The metadata of the body, as JSON.
  private struct Header: Codable {
    struct Spec: Codable {
      var version: Int32
      var weightFullRange: Int32
      var residualBits: Int32
      var exponentFractionBits: Int32
      var contextFractionBits: Int32
      var layerNormFractionBits: Int32
    }
    var spec: Spec
    var architecture: Architecture
    var preprocessing: Preprocessing
    var classNames: [String]
    var logitStep: Double
    var residualStep: Double
  }

  private static let embeddingName = "embedding"

  /// The name of the table in the output of a layer: "blocks.3.gelu".
  private static func tableName(_ layer: Layer) -> String { LayerID(.gelu, block: layer.id.block).description }

  static func encode(_ model: IntegerModel) throws -> SafetensorsFile {
    let spec = model.spec
    let header = Header(
      spec: Header.Spec(
        version: spec.version, weightFullRange: spec.weight_full_range, residualBits: spec.residual_bits,
        exponentFractionBits: spec.exponent_fraction_bits, contextFractionBits: spec.context_fraction_bits,
        layerNormFractionBits: spec.layer_norm_fraction_bits),
      architecture: model.architecture, preprocessing: model.preprocessing, classNames: model.classNames,
      logitStep: model.logitStep, residualStep: model.residualStep)
    let json = try JSONText.encode(header, pretty: false)
    var file = SafetensorsFile(metadata: ["format": "quasar-model", "model": json])
    for (layer, integers) in model.walk {
      switch integers {
      case .patches(let embedding):
        try add(embedding.linear, to: &file)
        try file.add(embedding.codes, shape: [embedding.tokens, layer.width], named: embeddingName)
      case .linear(let linear):
        try add(linear, to: &file)
      case .table(let linear, let table):
        try add(linear, to: &file)
        try file.add(table.entries, shape: [256], named: tableName(layer))
      case .norm(let norm):
        try add(norm.scales, "\(norm.name).requantiser", to: &file)
        try file.add(norm.offsets, shape: [norm.width], named: "\(norm.name).offset")
        try file.add([norm.epsilonCode], shape: [1], named: "\(norm.name).epsilon")
      case .attention(let attention):
        try add([attention.score, attention.output], "\(attention.name).requantiser", to: &file)
        try file.add(
          attention.exponentTable.map(Int32.init), shape: [attention.exponentTable.count],
          named: "\(attention.name).exponents")
      }
    }
    return file
  }

  static func decode(_ file: SafetensorsFile, file path: String) throws -> IntegerModel {
    guard file.metadata["format"] == "quasar-model", let json = file.metadata["model"] else {
      throw QuasarError(.badData, "\(path): its body is not a packed model")
    }
    let header: Header
    do {
      header = try JSONDecoder().decode(Header.self, from: Data(json.utf8))
    } catch {
      throw QuasarError(.badData, "\(path): its model description is not understood (\(error))")
    }
    try header.architecture.validate(source: path)
    do {
      return try model(header, file)
    } catch let error as QuasarError {
      throw QuasarError(error.kind, "\(path): \(error.message)")
    }
  }

  private static func model(_ header: Header, _ file: SafetensorsFile) throws -> IntegerModel {
    var spec = ArithmeticSpec.standard
    spec.version = header.spec.version
    spec.weight_full_range = header.spec.weightFullRange
    spec.residual_bits = header.spec.residualBits
    spec.exponent_fraction_bits = header.spec.exponentFractionBits
    spec.context_fraction_bits = header.spec.contextFractionBits
    spec.layer_norm_fraction_bits = header.spec.layerNormFractionBits
    let layers = try LayerGraph(header.architecture).layers.map { layer -> IntegerLayer in
      let name = layer.id.description
      switch layer.kind {
      case .linear(let sizes):
        let linear = try linear(file, name)
        switch sizes.finish {
        case .embedding:
          return .patches(
            try IntegerEmbedding(linear: linear, codes: file.values(embeddingName), tokens: layer.tokens + 1))
        case .table:
          return .table(linear, try GELUTable(entries: file.values(tableName(layer))))
        case .codes, .residual, .logits:
          return .linear(linear)
        }
      case .norm:
        return .norm(try norm(file, name, .signedNarrow(bits: layer.outputCodes.bits)))
      case .attention(let sizes):
        return .attention(try attention(file, name, sizes, bits: layer.outputCodes.bits))
      }
    }
    return try IntegerModel(
      spec: spec, architecture: header.architecture, preprocessing: header.preprocessing,
      classNames: header.classNames, layers: layers, logitStep: header.logitStep, residualStep: header.residualStep)
  }

  // MARK: Layers

  private static func add(_ linear: IntegerLinear, to file: inout SafetensorsFile) throws {
    let depth = linear.depth
    let pairs = (depth + 1) / 2
    var wide: [Int8] = []
    var narrow: [UInt8] = []
    for (n, bits) in linear.rowBits.enumerated() {
      let row = (0..<depth).map { linear.codes.pointer[n * depth + $0] }
      if bits == 8 {
        wide += row
      } else {
        narrow += (0..<pairs).map { pair in
          let high = 2 * pair + 1 < depth ? row[2 * pair + 1] : 0
          return UInt8(bitPattern: row[2 * pair]) & 15 | UInt8(bitPattern: high) << 4
        }
      }
    }
    try file.add(linear.rowBits, shape: [linear.rows], named: "\(linear.name).bits")
    try file.add(wide, shape: [wide.count / depth, depth], named: "\(linear.name).codes8")
    try file.add(narrow, shape: [narrow.count / pairs, pairs], named: "\(linear.name).codes4")
    try file.add(linear.bias, shape: [linear.rows], named: "\(linear.name).bias")
    try add(linear.requantisers, "\(linear.name).requantiser", to: &file)
  }

  private static func linear(_ file: SafetensorsFile, _ name: String) throws -> IntegerLinear {
    let bits: [UInt8] = try file.values("\(name).bits")
    let wide: [Int8] = try file.values("\(name).codes8")
    let narrow: [UInt8] = try file.values("\(name).codes4")
    let shape = try file.tensor(named: "\(name).codes8").shape
    let narrowShape = try file.tensor(named: "\(name).codes4").shape
    let rows8 = bits.filter { $0 == 8 }.count
    guard bits.allSatisfy({ $0 == 4 || $0 == 8 }), shape.count == 2, narrowShape.count == 2, shape[1] > 0,
      shape[0] == rows8, narrowShape[0] == bits.count - rows8, narrowShape[1] == (shape[1] + 1) / 2
    else {
      throw QuasarError(
        .badData,
        "\(name): codes \(shape) and \(narrowShape) do not fit \(bits.count) rows, \(rows8) of 8 bits")
    }
    let depth = shape[1]
    let pairs = narrowShape[1]
    let codes = NDArray<Int8>(uninitialized: [bits.count, depth])
    var (nextWide, nextNarrow) = (0, 0)
    for (n, precision) in bits.enumerated() {
      let row = codes.pointer + n * depth
      if precision == 8 {
        for k in 0..<depth { row[k] = wide[nextWide * depth + k] }
        nextWide += 1
      } else {
        for k in 0..<depth {
          let byte = Int8(bitPattern: narrow[nextNarrow * pairs + k / 2])
          row[k] = k % 2 == 0 ? (byte << 4) >> 4 : byte >> 4
        }
        nextNarrow += 1
      }
    }
    return try IntegerLinear(
      name: name, codes: codes, rowBits: bits, bias: file.values("\(name).bias"),
      requantisers: requantisers(file, "\(name).requantiser"))
  }

  private static func attention(
    _ file: SafetensorsFile, _ name: String, _ sizes: Layer.Attention, bits: Int
  ) throws -> IntegerAttention {
    let pair = try requantisers(file, "\(name).requantiser")
    guard pair.count == 2 else {
      throw QuasarError(.badData, "\(name).requantiser: \(pair.count) entries instead of 2")
    }
    let exponents: [Int32] = try file.values("\(name).exponents")
    guard exponents.allSatisfy({ $0 >= 0 && $0 <= 65535 }) else {
      throw QuasarError(.badData, "\(name).exponents: an entry does not fit 16 bits")
    }
    return try IntegerAttention(
      name: name, heads: sizes.heads, headDimension: sizes.headDimension, activationBits: bits, score: pair[0],
      output: pair[1], exponentTable: exponents.map { UInt16($0) })
  }

  private static func norm(_ file: SafetensorsFile, _ name: String, _ range: CodeRange) throws
    -> IntegerLayerNorm
  {
    let epsilon: [Int64] = try file.values("\(name).epsilon")
    guard epsilon.count == 1 else {
      throw QuasarError(.badData, "\(name).epsilon: \(epsilon.count) entries instead of 1")
    }
    return try IntegerLayerNorm(
      name: name, epsilonCode: epsilon[0], scales: requantisers(file, "\(name).requantiser"),
      offsets: file.values("\(name).offset"), range: range)
  }

  private static func add(_ values: [Requantiser], _ name: String, to file: inout SafetensorsFile) throws {
    try file.add(values.flatMap { [$0.multiplier, $0.shift] }, shape: [values.count, 2], named: name)
  }

  private static func requantisers(_ file: SafetensorsFile, _ name: String) throws -> [Requantiser] {
    let numbers: [Int32] = try file.values(name)
    guard numbers.count % 2 == 0 else {
      throw QuasarError(.badData, "\(name): an odd number of entries")
    }
    return stride(from: 0, to: numbers.count, by: 2).map {
      Requantiser(multiplier: numbers[$0], shift: numbers[$0 + 1])
    }
  }
}
