import CKernels
import Testing

/// Products on processing elements: the definition against its own oracle, every kernel against the definition.
@Suite("Datapath products")
struct DatapathTests {
  struct Named: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var mode: qk_packing_mode
    var weightBits: Int
    var activationBits: Int

    init(
      _ name: String, _ generation: qk_dsp_generation, _ weights: Int32, _ activations: Int32, _ pitch: Int32,
      atoms: Int32 = 0, repair: qk_packing_repair = QK_REPAIR_NONE, bits: (Int, Int)
    ) {
      testDescription = name
      mode = qk_packing_mode(
        generation: generation, weights: weights, activations: activations, pitch: pitch, atoms: atoms, repair: repair)
      (weightBits, activationBits) = bits
    }
  }

  static let modes = [
    Named("W8A8 pair", QK_DSP48E2, 2, 1, 18, bits: (8, 8)),
    Named("W4A8 pair", QK_DSP48E2, 2, 1, 22, bits: (4, 8)),
    Named("W4A8 triple", QK_DSP48E2, 3, 1, 11, bits: (4, 8)),
    Named("W4A8 triple restored", QK_DSP48E2, 3, 1, 11, repair: QK_REPAIR_RESTORED_BIT, bits: (4, 8)),
    Named("W4A8 triple counters", QK_DSP48E2, 3, 1, 11, repair: QK_REPAIR_CARRY_COUNTERS, bits: (4, 8)),
    Named("W4A6 2x2", QK_DSP48E2, 2, 2, 11, bits: (4, 6)),
    Named("W8 atoms", QK_DSP48E2, 1, 1, 22, atoms: 1, bits: (8, 8)),
    Named("W8 atoms 2x2", QK_DSP48E2, 1, 2, 11, atoms: 1, bits: (8, 6)),
    Named("W8A6 pair E1", QK_DSP48E1, 2, 1, 17, bits: (8, 6)),
    Named("W4A6 2x2 E1", QK_DSP48E1, 2, 2, 10, bits: (4, 6)),
  ]

  /// One product with random sizes and codes, and the memory around it.
  struct Problem {
    var product = qk_datapath_product()
    var weights: [Int8]
    var activations: [UInt8]
    var rowIndex: [Int32]
    let matrixRows: Int
    var outputs: Int { Int(product.images * product.tokens) * matrixRows }

    init(_ named: Named, unsigned: Bool, _ random: inout SplitMix) {
      let narrow = 1 << (named.weightBits - 1)
      let low = unsigned ? 0 : -(1 << (named.activationBits - 1)) + 1
      let high = unsigned ? (1 << named.activationBits) - 1 : (1 << (named.activationBits - 1)) - 1
      let depth = Int.random(in: 1...70, using: &random)
      matrixRows = Int.random(in: 1...40, using: &random)
      product.images = Int32.random(in: 1...3, using: &random)
      product.tokens = Int32.random(in: 1...7, using: &random)
      product.depth = Int32(depth)
      product.activations_unsigned = unsigned ? 1 : 0
      let rows = (0..<matrixRows).filter { _ in Int.random(in: 0..<4, using: &random) > 0 }
      rowIndex = (rows.isEmpty ? [0] : rows).map { Int32($0) }
      product.rows = Int32(rowIndex.count)
      weights = (0..<matrixRows * depth).map { _ in Int8(random.code(in: -narrow + 1...narrow - 1)) }
      activations = (0..<Int(product.images * product.tokens) * depth).map { _ in
        UInt8(truncatingIfNeeded: random.code(in: low...high))
      }
      var element = qk_datapath_element()
      element.mode = named.mode
      element.input_lanes = Int32.random(in: 1...5, using: &random)
      element.dsp_tokens = named.mode.activations * Int32.random(in: 1...3, using: &random)
      element.fabric_tokens = Int32.random(in: 0...2, using: &random)
      element.chain = 1
      element.accumulator_bits = 32
      product.element = element
    }

    func code(_ t: Int, _ k: Int) -> Int {
      let byte = activations[t * Int(product.depth) + k]
      return product.activations_unsigned == 1 ? Int(byte) : Int(Int8(bitPattern: byte))
    }

    /// The outputs of one instruction set, nil for the definition; −77 where nothing is written.
    func run(_ isa: qk_isa?) -> [Int32] {
      var call = product
      let output = Guarded<Int32>(count: outputs)
      for i in 0..<outputs { output.base[i] = -77 }
      let bytes = qk_datapath_workspace(call.rows, call.images, call.tokens, call.depth)
      let workspace = Guarded<UInt8>(count: (bytes + 63) / 64 * 64, alignment: 64)
      let (w, x, rows) = (Guarded(weights), Guarded(activations), Guarded(rowIndex))
      call.weights = UnsafePointer(w.base)
      call.weight_row_stride = Int(call.depth)
      call.weight_depth_stride = 1
      call.row_index = UnsafePointer(rows.base)
      call.activations = UnsafeRawPointer(x.base)
      call.activation_row_stride = Int(call.depth)
      call.activation_depth_stride = 1
      call.output = output.base
      call.output_stride = matrixRows
      call.workspace = UnsafeMutableRawPointer(workspace.base)
      let status = isa.map { qk_datapath_run_with($0, &call) } ?? qk_datapath_run_reference(&call)
      #expect(status == QK_OK)
      return withExtendedLifetime((w, x, rows, workspace)) { output.array }
    }

    /// Rows and tokens in groups, according to the description.
    func expected() -> [Int32] {
      var result = [Int32](repeating: -77, count: outputs)
      let e = product.element
      let tile = Int(e.dsp_tokens + e.fabric_tokens)
      for inFabric in [false, true] {
        var mode = e.mode
        if inFabric {
          mode = qk_packing_mode(
            generation: e.mode.generation, weights: 1, activations: 1, pitch: 48, atoms: 0, repair: QK_REPAIR_NONE)
        }
        let oracle = DatapathOracle(mode: mode, unsigned: product.activations_unsigned == 1, decode: e.decode)
        for image in 0..<Int(product.images) {
          let tokens = (0..<Int(product.tokens)).filter { ($0 % tile >= Int(e.dsp_tokens)) == inFabric }
            .map { image * Int(product.tokens) + $0 }
          for first in stride(from: 0, to: tokens.count, by: Int(mode.activations)) {
            let group = Array(tokens[first..<min(first + Int(mode.activations), tokens.count)])
            for start in stride(from: 0, to: rowIndex.count, by: Int(mode.weights)) {
              let rows = Array(rowIndex[start..<min(start + Int(mode.weights), rowIndex.count)])
              let w = (0..<Int(product.depth)).map { k in
                (0..<Int(mode.weights)).map {
                  $0 < rows.count ? Int(weights[Int(rows[$0]) * Int(product.depth) + k]) : 0
                }
              }
              let x = (0..<Int(product.depth)).map { k in
                (0..<Int(mode.activations)).map { $0 < group.count ? code(group[$0], k) : 0 }
              }
              let acc = oracle.accumulators(
                w, x, chain: Int(e.chain), inputLanes: Int(e.input_lanes), bits: Int(e.accumulator_bits),
                saturates: e.accumulator_saturates == 1)
              for (i, row) in rows.enumerated() {
                for (j, t) in group.enumerated() {
                  result[t * matrixRows + Int(row)] = Int32(acc[i * Int(mode.activations) + j])
                }
              }
            }
          }
        }
      }
      return result
    }

    func plain() -> [Int32] {
      var result = [Int32](repeating: -77, count: outputs)
      for t in 0..<Int(product.images * product.tokens) {
        for row in rowIndex {
          let sum = (0..<Int(product.depth)).reduce(0) {
            $0 + Int(weights[Int(row) * Int(product.depth) + $1]) * code(t, $1)
          }
          result[t * matrixRows + Int(row)] = Int32(sum)
        }
      }
      return result
    }

    func depth(_ named: Named) -> Int64 {
      var mode = named.mode
      let reach = Int32(1 << (named.weightBits - 1)) - 1
      let top = Int32(1 << (named.activationBits - 1)) - 1
      let x =
        product.activations_unsigned == 1
        ? qk_code_range(lowest: 0, highest: 2 * top + 1) : qk_code_range(lowest: -top, highest: top)
      return qk_packing_depth(&mode, qk_code_range(lowest: -reach, highest: reach), x)
    }
  }

  @Test("Within the depth every instruction set gives the plain product", arguments: modes)
  func proved(_ named: Named) {
    var random = SplitMix(21)
    for round in 0..<40 {
      var problem = Problem(named, unsigned: round % 2 == 1, &random)
      let depth = problem.depth(named)
      guard depth >= 1 else { continue }
      problem.product.element.chain = Int32(min(depth, 1 << 20))
      problem.product.element.decode = round % 4 < 2 ? QK_DECODE_EXACT : QK_DECODE_PARALLEL
      let plain = problem.plain()
      #expect(firstDifference(problem.run(nil), plain) == nil, "definition, round \(round)")
      for isa in instructionSets {
        #expect(firstDifference(problem.run(isa), plain) == nil, "isa \(isa.rawValue), round \(round)")
      }
    }
  }

  @Test("Beyond the depth, naive or in short accumulators, all give the same wrong integers", arguments: modes)
  func lossy(_ named: Named) {
    var random = SplitMix(22)
    var different = 0
    for round in 0..<60 {
      var problem = Problem(named, unsigned: round % 2 == 1, &random)
      let repaired = named.mode.repair != QK_REPAIR_NONE
      problem.product.element.chain =
        named.mode.repair == QK_REPAIR_RESTORED_BIT ? 1 : Int32.random(in: 1...40, using: &random)
      problem.product.element.decode = qk_decode(UInt32(round % 3))
      problem.product.element.accumulator_bits = Int32.random(in: 8...16, using: &random)
      problem.product.element.accumulator_saturates = Int32(round / 3 % 2)
      let definition = problem.run(nil)
      if !repaired {
        #expect(firstDifference(definition, problem.expected()) == nil, "definition, round \(round)")
      }
      for isa in instructionSets {
        #expect(firstDifference(problem.run(isa), definition) == nil, "isa \(isa.rawValue), round \(round)")
      }
      if definition != problem.plain() { different += 1 }
    }
    #expect(different > 20, "the inexact cases are hardly inexact")
  }

  @Test("Arguments that make no sense are refused with a status and nothing is written")
  func refusals() {
    var random = SplitMix(23)
    let problem = Problem(Self.modes[5], unsigned: false, &random)
    func status(_ change: (inout qk_datapath_product) -> Void) -> qk_status {
      var call = problem.product
      var weight: Int8 = 0
      var activation: Int8 = 0
      var output: Int32 = 5
      var workspace: Int64 = 0
      return withUnsafeMutablePointer(to: &weight) { w in
        withUnsafeMutablePointer(to: &activation) { x in
          withUnsafeMutablePointer(to: &output) { y in
            withUnsafeMutablePointer(to: &workspace) { s in
              call.weights = UnsafePointer(w)
              call.activations = UnsafeRawPointer(x)
              call.output = y
              call.workspace = UnsafeMutableRawPointer(s)
              change(&call)
              let result = qk_datapath_run_with(QK_ISA_REFERENCE, &call)
              #expect(y.pointee == 5)
              return result
            }
          }
        }
      }
    }
    #expect(status { $0.weights = nil } == QK_NULL_POINTER)
    #expect(status { $0.workspace = nil } == QK_NULL_POINTER)
    #expect(status { $0.rows = 0 } == QK_BAD_SIZE)
    #expect(status { $0.tokens = Int32.max } == QK_BAD_SIZE)
    #expect(status { $0.depth = 32001 } == QK_DEPTH_BEYOND_PROOF)
    #expect(status { $0.element.chain = 0 } == QK_BAD_SIZE)
    #expect(status { $0.element.input_lanes = 0 } == QK_BAD_SIZE)
    #expect(status { $0.element.dsp_tokens = 3 } == QK_BAD_SIZE)
    #expect(status { $0.element.fabric_tokens = -1 } == QK_BAD_SIZE)
    #expect(status { $0.element.accumulator_bits = 33 } == QK_BAD_SPEC)
    #expect(status { $0.element.mode.pitch = 17 } == QK_BAD_SIZE)
    #expect(status { $0.element.mode.weights = 4 } == QK_BAD_SIZE)
    #expect(status { $0.element.mode.repair = QK_REPAIR_RESTORED_BIT } == QK_BAD_SPEC)
    #expect(qk_datapath_run_with(qk_isa(99), nil) == QK_ISA_NOT_AVAILABLE)
  }
}
