import QuasarAutograd
import QuasarTensor
import QuasarTestGradients
import QuasarTestSupport
import Testing

@testable import QuasarSupernet

/// Slices of a latent matrix [rows, stride] with chosen order, width and precisions of the rows.
@Suite struct WeightSliceTests {
  struct Layout {
    var latentRows: Int
    var stride: Int
    var width: Int
    var rows: [Int32]
    var bits: [UInt8]

    init(latentRows: Int, stride: Int, width: Int, count: Int, precisions: [UInt8], seed: Int) {
      var random = AwkwardValues(seed)
      self.latentRows = latentRows
      self.stride = stride
      self.width = width
      rows = random.permutation(latentRows).prefix(count).map(Int32.init)
      bits = (0..<count).map { precisions[$0 % precisions.count] }
    }

    func step(_ x: [[Double]], _ i: Int) -> Double {
      x[bits[i] == 4 ? 1 : 2][Int(rows[i])]
    }
    func limit(_ i: Int) -> Double { bits[i] == 4 ? 7 : 127 }
  }

  static func inputs(_ layout: Layout) -> [Tensor] {
    var random = AwkwardValues(layout.latentRows + layout.stride)
    let scale8 = random.tensor([layout.latentRows], in: 0.01...0.03)
    let scale4 = random.tensor([layout.latentRows], in: 0.1...0.3)
    let latent = random.tensor([layout.latentRows, layout.stride])
    for (i, row) in layout.rows.enumerated() where layout.bits[i] != 32 {
      let four = layout.bits[i] == 4
      for c in 0..<layout.stride {
        latent[flat: Int(row) * layout.stride + c] = random.quantizable(
          low: four ? -7 : -127, high: four ? 7 : 127, step: (four ? scale4 : scale8)[flat: Int(row)])
      }
    }
    return [latent, scale4, scale8]
  }

  static let layouts = [
    Layout(latentRows: 1, stride: 1, width: 1, count: 1, precisions: [4], seed: 1),
    Layout(latentRows: 13, stride: 17, width: 7, count: 7, precisions: [8], seed: 2),
    Layout(latentRows: 13, stride: 17, width: 17, count: 13, precisions: [4, 8, 32], seed: 3),
    Layout(latentRows: 129, stride: 5, width: 3, count: 65, precisions: [8, 4], seed: 4),
    Layout(latentRows: 7, stride: 131, width: 1, count: 5, precisions: [32], seed: 5),
    Layout(latentRows: 9, stride: 131, width: 131, count: 9, precisions: [4], seed: 6),
  ]

  @Test(arguments: layouts.indices)
  func valuesAndGradients(index: Int) {
    let layout = Self.layouts[index]
    let inputs = Self.inputs(layout)
    let start = inputs.map(\.doubles)
    let place = { (i: Int, c: Int) in Int(layout.rows[i]) * layout.stride + c }
    func map(_ body: (Int, Int) -> Double) -> [Double] {
      layout.rows.indices.flatMap { i in (0..<layout.width).map { body(i, $0) } }
    }
    let frozen = layout.rows.indices.map { i in
      (0..<layout.width).map { c in
        QuantizerOracle(low: -layout.limit(i), high: layout.limit(i))
          .frozen(start[0][place(i, c)], layout.bits[i] == 32 ? 1 : layout.step(start, i))
      }
    }
    verify(
      GradientCase(
        inputs, terms: 16 * layout.width * layout.rows.count,
        build: {
          $0.slice(
            WeightSlice(
              latent: $1[0], scale4: $1[1], scale8: $1[2], rows: layout.rows, width: layout.width,
              bits: layout.bits))
        },
        forward: { x in
          map { i, c in
            let w = x[0][place(i, c)]
            if layout.bits[i] == 32 { return w }
            return QuantizerOracle(low: -layout.limit(i), high: layout.limit(i)).value(w, layout.step(x, i))
          }
        },
        surrogate: { x in
          map { i, c in
            let w = x[0][place(i, c)]
            return layout.bits[i] == 32 ? w : frozen[i][c](w, layout.step(x, i))
          }
        }), limit: 250)
  }

  @Test func gradientsOutsideTheSliceStayZero() {
    let layout = Self.layouts[1]
    let inputs = Self.inputs(layout)
    let parameters = ["w", "s4", "s8"].enumerated().map {
      Parameter(name: $1, role: .weight, value: inputs[$0])
    }
    let tape = Tape()
    let out = tape.slice(
      WeightSlice(
        latent: parameters[0], scale4: parameters[1], scale8: parameters[2], rows: layout.rows,
        width: layout.width, bits: layout.bits))
    #expect(out.shape == [7, 7])
    tape.backward(from: out)
    var touched = 0
    for row in 0..<layout.latentRows {
      let used = layout.rows.contains(Int32(row))
      for c in 0..<layout.stride {
        let g = parameters[0].gradient[flat: row * layout.stride + c]
        if !used || c >= layout.width {
          #expect(g == 0, "row \(row), column \(c)")
        } else if g != 0 {
          touched += 1
        }
      }
      #expect((parameters[2].gradient[flat: row] != 0) == used, "8-bit step of row \(row)")
      #expect(parameters[1].gradient[flat: row] == 0, "4-bit step of row \(row)")
    }
    #expect(touched > 7 * 7 / 2)
  }

  /// The first gradient of a whole matrix replaces the gradient of its slice, with the bits of adding it to zero.
  @Test(arguments: [Entanglement.independentSteps, .tiedSteps, .nestedCodes])
  func gradientsOfWholeSlicesAreKeptInPlace(entanglement: Entanglement) {
    let (rows, width) = (9, 37)
    var random = AwkwardValues(77)
    let (w, g) = (random.tensor([rows, width]), random.tensor([rows, width]))
    let steps = Tensor((0..<rows).map { 0.01 + 0.02 * Float($0) }, shape: [rows])
    func gradients(inPlace: Bool) -> [[UInt32]] {
      let parameters = [w, steps, steps].map { Parameter(name: "p", role: .weight, value: $0.copied()) }
      let slice = WeightSlice(
        latent: parameters[0], scale4: parameters[1], scale8: parameters[2], entanglement: entanglement,
        rows: (0..<Int32(rows)).map { $0 }, width: width, bits: [4, 8, 32, 8, 4, 4, 32, 8, 4])
      let own = g.copied()
      if !inPlace { _ = parameters[0].gradient }
      slice.addGradient(own, isOwn: true)
      #expect((parameters[0].gradient.pointer == own.pointer) == inPlace)
      return parameters.map { $0.gradient.scalars.map(\.bitPattern) }
    }
    let kept = gradients(inPlace: true)
    #expect(kept == gradients(inPlace: false))
    // Some values are inside the range and some outside.
    #expect(Set(kept[0].map { $0 == 0 }) == [true, false])
  }

  @Test func otherGradientsAreNotKept() {
    let p = Parameter(name: "p", role: .weight, value: Tensor([1, 2, 3, 4], shape: [2, 2]))
    let g = Tensor([5, 6, 7, 8], shape: [2, 2])
    for slice in [
      WeightSlice(latent: p, rows: [0, 1], width: 2, bits: [32, 32]),
      WeightSlice(latent: p, rows: [1, 0], width: 2, bits: [32, 32]),
    ] {
      p.clearGradient()
      slice.addGradient(g, isOwn: slice.rows == [1, 0])
      #expect(p.gradient.pointer != g.pointer && g.scalars == [5, 6, 7, 8])
      #expect(p.gradient.scalars == (slice.rows == [1, 0] ? [7, 8, 5, 6] : [5, 6, 7, 8]))
    }
  }

  /// The first gradient of a part of a matrix is written into memory that held other values; the rest of it is zero.
  @Test(arguments: [[8], [32]] as [[UInt8]])
  func gradientsOfPartsStartFromZero(bits: [UInt8]) {
    let (rows, width, partWidth) = (101, 103, 50)
    let part: [Int32] = (0..<40).map { ($0 * 37 + 100) % 101 }
    var random = AwkwardValues(79)
    let g = random.tensor([part.count, partWidth])
    let parameter = Parameter(name: "p", role: .weight, value: Tensor(zeros: [rows, width]))
    let steps = Parameter(name: "s", role: .scale, value: Tensor(repeating: 0.5, shape: [rows]))
    let slice = WeightSlice(
      latent: parameter, scale8: steps, rows: part, width: partWidth,
      bits: part.flatMap { _ in bits })
    for _ in 0..<3 {
      _ = Tensor(repeating: .nan, shape: [rows, width])
      parameter.clearGradient()
      slice.addGradient(g.copied(), isOwn: true)
      slice.addGradient(g.copied(), isOwn: true)
      var expected = [Float](repeating: 0, count: rows * width)
      for (i, row) in part.enumerated() {
        for column in 0..<partWidth { expected[Int(row) * width + column] = 2 * g.scalars[i * partWidth + column] }
      }
      #expect(parameter.gradient.scalars == expected)
    }
  }

  @Test func vectorForms() {
    var random = AwkwardValues(31)
    let vector = random.tensor([13])
    verify(
      GradientCase(
        [vector], terms: 1, build: { $0.slice(WeightSlice(prefix: 5, of: $1[0])) },
        forward: { Array($0[0].prefix(5)) }))
    let entries: [Int32] = [12, 0, 7, 3]
    verify(
      GradientCase(
        [vector], terms: 1, build: { $0.slice(WeightSlice(entries: entries, of: $1[0])) },
        forward: { x in entries.map { x[0][Int($0)] } }))
    let tape = Tape(recording: false)
    let parameter = Parameter(name: "v", role: .vector, value: vector)
    #expect(tape.slice(WeightSlice(prefix: 5, of: parameter)).shape == [5])
    #expect(tape.slice(WeightSlice(entries: entries, of: parameter)).shape == [4])
  }
}

/// Rows whose 4-bit step is tied to the 8-bit step: codes by plain integer arithmetic, gradients by the rule of LSQ.
@Suite struct TiedRowTests {
  @Test(arguments: [Entanglement.tiedSteps, .nestedCodes])
  func valuesAndGradients(entanglement: Entanglement) {
    let step: Float = 0.0625
    // v = w / (16·step) = w: around the ties of the 4-bit code, of the 8-bit code, and beyond the range.
    let weights: [Float] = [0, 0.4, 0.5, 0.53, -0.5, -0.53, 1.49, 1.5, 6.9, 7, 7.2, -7.3, 9, -9, 0.46875, 0.484]
    let latent = Parameter(name: "w", role: .weight, value: Tensor(weights, shape: [1, weights.count]))
    let scale8 = Parameter(name: "s", role: .scale, value: Tensor([step], shape: [1]))
    let tape = Tape()
    let slice = tape.slice(
      WeightSlice(
        latent: latent, scale8: scale8, entanglement: entanglement, rows: [0], width: weights.count, bits: [4]))
    func code(_ w: Float) -> Int {
      guard entanglement == .nestedCodes else {
        return min(max(Int(w.rounded(.toNearestOrEven)), -7), 7)
      }
      let q8 = min(max(Int((w * 16).rounded(.toNearestOrEven)), -127), 127)
      return min(max((q8 + 8) >> 4, -7), 7)
    }
    #expect(slice.value.scalars == weights.map { 16 * step * Float(code($0)) })
    let seed = (0..<weights.count).map { Float($0) - 5.5 }
    tape.backward(from: slice, seed: Tensor(seed, shape: [1, weights.count]))
    #expect(latent.gradient.scalars == zip(weights, seed).map { abs($0) <= 7 ? $1 : 0 })
    let expected = zip(weights, seed).reduce(0.0) { sum, pair in
      let (w, g) = pair
      let slope = abs(w) <= 7 ? Double(code(w)) - Double(w) : (w < 0 ? -7 : 7)
      return sum + 16 * Double(g) * slope
    }
    #expect(abs(Double(scale8.gradient.scalars[0]) - expected) < 1e-3)
  }
}
