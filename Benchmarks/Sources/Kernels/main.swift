// Row-mixed integer products against their parts, measured in turns in one run.
//
//   swift run -c release kernels
//
// For each shape: medians of all-4-bit, mixed and all-8-bit weights, and the mixed time over the mean of its parts
// weighted by their rows (1.00 would mean that mixing costs nothing).
import Quasar

struct Shape {
  var name: String
  var tokens: Int
  var rows: Int
  var depth: Int
}

func layer(_ shape: Shape, share: Int) throws -> IntegerLinear {
  var random = RandomSource(seed: 1).generator("weights")
  let bits = (0..<shape.rows).map { UInt8($0 % 4 < share ? 8 : 4) }
  let codes = NDArray<Int8>(zeros: [shape.rows, shape.depth])
  for row in 0..<shape.rows {
    let limit = bits[row] == 8 ? 127 : 7
    for k in 0..<shape.depth {
      codes.pointer[row * shape.depth + k] = Int8(random.below(2 * limit + 1) - limit)
    }
  }
  return try IntegerLinear(
    name: shape.name, codes: codes, rowBits: bits, realBias: Array(repeating: 0, count: shape.rows),
    scales: IntegerLinear.Scales(
      input: 0.05, rows: Array(repeating: 0.01, count: shape.rows),
      output: Array(repeating: 0.1, count: shape.rows)))
}

func measure(_ shape: Shape) throws {
  let shares = [0, 1, 2, 3, 4]
  let layers = try shares.map { try layer(shape, share: $0) }
  var random = RandomSource(seed: 2).generator("input")
  let input = NDArray<Int8>(zeros: [shape.tokens, shape.depth])
  for i in 0..<input.count { input.pointer[i] = Int8(random.below(255) - 127) }
  let clock = ContinuousClock()
  var times = Array(repeating: [Double](), count: shares.count)
  for _ in 0..<41 {
    for (i, layer) in layers.enumerated() {
      let time = try clock.measure { _ = try layer.codes(.signed(input), range: .signedNarrow(bits: 8)) }
      times[i].append(Double(time.components.attoseconds) * 1e-18 + Double(time.components.seconds))
    }
  }
  let medians = times.map { $0.sorted()[$0.count / 2] }
  let operations = 2.0 * Double(shape.tokens * shape.rows * shape.depth)
  let cells = shares.map { share -> String in
    let rate = Workflow.fixed(operations / medians[share] / 1e9, 0)
    let mean = medians[0] * Double(4 - share) / 4 + medians[4] * Double(share) / 4
    return share % 4 == 0 ? rate : "\(rate) (\(Workflow.fixed(medians[share] / mean, 2)))"
  }
  print("| \(shape.name) \(shape.tokens)×\(shape.rows)×\(shape.depth) | \(cells.joined(separator: " | ")) |")
}

print("| shape | 4-bit GOP/s | ¼ (time ratio) | ½ | ¾ | 8-bit |")
print("| --- | --- | --- | --- | --- | --- |")
for shape in [
  Shape(name: "fashion-s qkv", tokens: 1088, rows: 192, depth: 64),
  Shape(name: "DeiT-T qkv", tokens: 197, rows: 576, depth: 192),
  Shape(name: "DeiT-S projection", tokens: 197, rows: 384, depth: 384),
  Shape(name: "DeiT-S fc1", tokens: 197, rows: 1536, depth: 384),
  Shape(name: "DeiT-B projection", tokens: 197, rows: 768, depth: 768),
] {
  try measure(shape)
}
