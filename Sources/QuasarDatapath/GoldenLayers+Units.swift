import CKernels
import QuasarArithmetic
import QuasarInterchange
import QuasarNetwork

extension GoldenLayers {
  /// LayerNorm of `tokens` rows per image; the statistics are per row.
  func norm(_ layer: Layer, _ norm: IntegerLayerNorm) throws -> GoldenLayer {
    let name = norm.name
    let (tokens, width) = (layer.tokens, norm.width)
    let shape = [images, tokens, width]
    let axes = ["images", "tokens", "width"]
    func parameter<Element: TensorElement>(
      _ role: VectorRole, _ values: [Element], _ axis: String, _ bits: Int, signed: Bool, _ meaning: String
    ) throws -> GoldenTensor {
      try GoldenTensor(
        role, RawTensor(values, shape: [values.count]), axes: [axis], bits: bits, isSigned: signed, meaning: meaning,
        layer: name)
    }
    func statistic(_ role: VectorRole, _ bits: Int, signed: Bool, _ meaning: String, _ formula: String) throws
      -> GoldenTensor
    {
      try tensor(role, [images, tokens], ["images", "tokens"], bits, signed: signed, meaning, formula, layer: name)
    }
    let code =
      "((input[i][t][d] - mean[i][t]) * inverse[i][t] * multiplier[d] + offset[d] + 2^(shift[d] - 1)) >> shift[d]"
    return GoldenLayer(
      name: name, kind: .layerNorm,
      tensors: [
        try parameter(.epsilon, [norm.epsilonCode], "one", 40, signed: false, "added to the sum of squares"),
        try parameter(
          .multiplier, norm.scales.map(\.multiplier), "width", 17, signed: true, "M of each channel, with its weight"),
        try parameter(.shift, norm.scales.map { UInt8($0.shift) }, "width", 6, signed: false, "S of each channel"),
        try parameter(.offset, norm.offsets, "width", 63, signed: true, "bias of each channel in units of 2^-S"),
        try tensor(
          .input, shape, axes, 16, signed: true, "rows of the residual stream", inputFormula(layer), layer: name),
        try statistic(
          .mean, 16, signed: true, "mean of the row, halves up",
          "mean[i][t] = floor((2 * sum over d of input[i][t][d] + \(width)) / \(2 * width))"),
        try statistic(
          .variance, 46, signed: false, "sum of squares of the centred row, not divided",
          "variance[i][t] = epsilon[0] + sum over d of (input[i][t][d] - mean[i][t])^2"),
        try statistic(
          .deviation, 23, signed: false, "integer square root", "deviation[i][t] = floor(sqrt(variance[i][t]))"),
        try statistic(
          .inverse, 31, signed: false, "reciprocal in 30 fraction bits",
          "inverse[i][t] = floor(2^30 / max(deviation[i][t], 1))"),
        try tensor(
          .output, shape, axes, layer.outputCodes.bits, signed: true, "output codes",
          "output[i][t][d] = clamp(\(code), \(norm.range.low), \(norm.range.high))", layer: name),
      ])
  }

  /// Softmax attention; the input holds q, k and v next to each other, each head by head.
  func attention(_ layer: Layer, _ attention: IntegerAttention) throws -> GoldenLayer {
    let (name, tokens) = (attention.name, layer.tokens)
    let (heads, size, bits) = (attention.heads, attention.headDimension, attention.activationBits)
    let width = heads * size
    let (limit, top) = (1 << (bits - 1) - 1, 1 << bits - 1)
    func scalar<Element: TensorElement>(
      _ role: VectorRole, _ value: Element, _ bits: Int, signed: Bool, _ meaning: String
    ) throws -> GoldenTensor {
      try GoldenTensor(
        role, RawTensor([value], shape: [1]), axes: ["one"], bits: bits, isSigned: signed, meaning: meaning, layer: name
      )
    }
    func inside(
      _ role: VectorRole, _ last: (String, Int)?, _ bits: Int, signed: Bool, _ meaning: String, _ formula: String
    ) throws -> GoldenTensor {
      try tensor(
        role, [images, heads, tokens] + (last.map { [$0.1] } ?? []),
        ["images", "heads", "tokens"] + (last.map { [$0.0] } ?? []), bits, signed: signed, meaning, formula, layer: name
      )
    }
    func signedBits(_ largest: Int) -> Int { Int.bitWidth - largest.leadingZeroBitCount + 1 }
    let keys = ("keys", tokens)
    let channels = ("head_dimension", size)
    // |S| ≤ size·limit², |O| ≤ tokens·top·limit, |U| ≤ 2^8·limit + 1.
    return GoldenLayer(
      name: name, kind: .attention,
      tensors: [
        try scalar(.scoreMultiplier, attention.score.multiplier, 17, signed: true, "M of score distances"),
        try scalar(.scoreShift, UInt8(attention.score.shift), 6, signed: false, "S of score distances"),
        try scalar(.outputMultiplier, attention.output.multiplier, 17, signed: true, "M of the output"),
        try scalar(.outputShift, UInt8(attention.output.shift), 6, signed: false, "S of the output"),
        try GoldenTensor(
          .exponents, RawTensor(attention.exponentTable.map(Int32.init), shape: [attention.exponentTable.count]),
          axes: ["table_entries"], bits: 16, isSigned: false,
          meaning: "2^(-f/256) of the fraction f, (2^\(bits) - 1) * 2^\(16 - bits) being 1", layer: name),
        try tensor(
          .input, [images, tokens, 3 * width], ["images", "tokens", "qkv_width"], bits, signed: true,
          "q, k, v of all heads: column part*\(width) + h*\(size) + c, part 0 q, 1 k, 2 v",
          inputFormula(layer), layer: name),
        try inside(
          .scores, keys, signedBits(size * limit * limit), signed: true, "products of queries and keys",
          "scores[i][h][t][j] = sum over c of q[i][t][h][c] * k[i][j][h][c]"),
        try inside(
          .probability, keys, bits, signed: false, "unnormalised softmax codes, the largest of a row \(top)",
          "probability = (z >> 8) > \(bits) ? 0 : (exponents[z & 255] + 2^(s - 1)) >> s, s = \(16 - bits) + (z >> 8), "
            + "z = (d * score_multiplier + 2^(score_shift - 1)) >> score_shift, "
            + "d = (largest of scores[i][h][t]) - scores[i][h][t][j]"),
        try inside(
          .probabilitySum, nil, signedBits(tokens * top) - 1, signed: false, "Z of each query",
          "probability_sum[i][h][t] = sum over j of probability[i][h][t][j]"),
        try inside(
          .reciprocal, nil, 16, signed: false, "R: 1/Z with 16 significant bits",
          "reciprocal = floor(2^(reciprocal_shift + 15) / probability_sum)"),
        try inside(
          .reciprocalShift, nil, 6, signed: false, "k: the power of two above Z",
          "reciprocal_shift = ceil(log2(probability_sum))"),
        try inside(
          .weightedSum, channels, signedBits(tokens * top * limit), signed: true, "O: values weighted by probability",
          "weighted_sum[i][h][t][c] = sum over j of probability[i][h][t][j] * v[i][j][h][c]"),
        try inside(
          .context, channels, signedBits(limit << Int(QK_CONTEXT_FRACTION_BITS) + 1), signed: true,
          "U: 2^8 * O / Z", "context = (weighted_sum * reciprocal + 2^(reciprocal_shift + 6)) >> (reciprocal_shift + 7)"
        ),
        try tensor(
          .output, [images, tokens, width], ["images", "tokens", "width"], bits, signed: true, "output codes",
          "output[i][t][h*\(size) + c] = clamp((context[i][h][t][c] * output_multiplier + 2^(output_shift - 1)) >> "
            + "output_shift, -\(limit), \(limit))", layer: name),
      ])
  }
}
