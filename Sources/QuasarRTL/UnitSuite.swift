import QuasarArithmetic
import QuasarHardware
import QuasarNetwork

/// The RTL units with their cases: in every mode and form, or as one engine needs them for one network.
public struct UnitSuite: Sendable {
  private var elements: [ElementCase] = []
  private var requantisers: [RequantiserCase] = []
  private var norms: [LayerNormCase] = []
  private var softmaxes: [SoftmaxCase] = []
  private var contexts: [ContextCase] = []

  /// Every packing mode, both requantiser widths and DSP generations, and vector units of several sizes.
  public static var everything: UnitSuite {
    var suite = UnitSuite()
    suite.elements = ElementCase.everyMode()
    suite.requantisers = [
      RequantiserCase(form: .codes, generation: .e2, sumBits: 27, outputBits: 8),
      RequantiserCase(form: .codes, generation: .e2, sumBits: 27, outputBits: 6),
      RequantiserCase(form: .codes, generation: .e2, sumBits: 32, outputBits: 8),
      RequantiserCase(form: .gelu, generation: .e2, sumBits: 27, outputBits: 8),
      RequantiserCase(form: .gelu, generation: .e2, sumBits: 32, outputBits: 8),
      RequantiserCase(form: .residual, generation: .e2, sumBits: 27, outputBits: 16),
      RequantiserCase(form: .residual, generation: .e2, sumBits: 32, outputBits: 16),
      RequantiserCase(form: .codes, generation: .e1, sumBits: 25, outputBits: 8),
      RequantiserCase(form: .codes, generation: .e1, sumBits: 32, outputBits: 8),
      RequantiserCase(form: .residual, generation: .e1, sumBits: 25, outputBits: 16),
    ]
    suite.norms = [
      LayerNormCase(width: 24, lanes: 8, activationBits: 8), LayerNormCase(width: 40, lanes: 8, activationBits: 6),
      LayerNormCase(width: 13, lanes: 4, activationBits: 8), LayerNormCase(width: 192, lanes: 16, activationBits: 8),
    ]
    suite.softmaxes = [
      SoftmaxCase(tokens: 17, lanes: 4, scoreBits: 20, activationBits: 6),
      SoftmaxCase(tokens: 65, lanes: 8, scoreBits: 22, activationBits: 8),
      SoftmaxCase(tokens: 197, lanes: 16, scoreBits: 23, activationBits: 8),
      SoftmaxCase(tokens: 1, lanes: 1, scoreBits: 16, activationBits: 4),
    ]
    suite.contexts = [
      ContextCase(lanes: 8, tokens: 197, activationBits: 8), ContextCase(lanes: 4, tokens: 17, activationBits: 6),
    ]
    return suite
  }

  /// The units of one engine for one network: its modes with the operands and chains of every kind of product, its
  /// requantisers, and vector units of its widths and lanes.
  public init(engine: EngineConfiguration, architecture: Architecture) throws {
    let bits = architecture.activationBits
    let chains = try ChainLengths(engine, activationBits: bits)
    let signed = OperandRange.signed(bits: bits, narrow: true)
    let unsigned = OperandRange.unsigned(bits: bits)
    let wide = OperandRange.signed(bits: 8, narrow: true)
    let work = try NetworkWork(architecture)
    let uses: [(PackingMode, Int, OperandRange, Int)] = [
      (engine.fourBitMode, 4, signed, chains.fourSigned), (engine.fourBitMode, 4, unsigned, chains.fourUnsigned),
      (engine.eightBitMode, 8, signed, chains.eightSigned),
      (engine.eightBitMode, 8, unsigned, chains.eightUnsigned), (engine.eightBitMode, 8, wide, chains.head),
      (engine.eightBitMode, 8, .unsigned(bits: 8), chains.patches),
      (engine.attentionMode, bits, signed, chains.scores), (engine.attentionMode, bits, unsigned, chains.context),
    ]
    let longest = max(2, min(96, (work.largestInputs + engine.inputElements - 1) / engine.inputElements))
    for (mode, weightBits, activation, chain) in uses {
      var mode = mode
      mode.weightBits = weightBits
      mode.activationBits = Self.bits(of: activation)
      let element = ElementCase(
        mode: mode, weight: .signed(bits: weightBits, narrow: true), activation: activation, chain: chain,
        longest: max(longest, min(3 * chain, 96)))
      if !elements.contains(where: { $0.name == element.name }) { elements.append(element) }
    }
    let generation = engine.fourBitMode.generation
    let sumBits = ResourceModel(work: work, generation: generation).accumulatorBits
    let width = sumBits <= generation.preAdderBits ? generation.preAdderBits : 32
    requantisers = [
      RequantiserCase(form: .codes, generation: generation, sumBits: width, outputBits: bits),
      RequantiserCase(form: .gelu, generation: generation, sumBits: width, outputBits: 8),
      RequantiserCase(form: .residual, generation: generation, sumBits: width, outputBits: 16),
    ]
    let tokens = architecture.geometry.tokens
    norms = Set([bits, 8]).sorted().map {
      LayerNormCase(width: architecture.embedDimension, lanes: engine.normLanes, activationBits: $0)
    }
    softmaxes = [
      SoftmaxCase(
        tokens: tokens, lanes: engine.softmaxLanes,
        scoreBits: ResourceModel(work: work, generation: generation).scoreBits + 1, activationBits: bits)
    ]
    contexts = [ContextCase(lanes: engine.contextLanes, tokens: tokens, activationBits: bits)]
  }

  private init() {}

  private static func bits(of range: OperandRange) -> Int {
    let magnitude = Int.bitWidth - range.highest.leadingZeroBitCount
    return range.lowest < 0 ? magnitude + 1 : magnitude
  }

  /// Number of cases.
  public var count: Int {
    elements.count + requantisers.count + 1 + norms.count + softmaxes.count + contexts.count
  }

  /// All cases with `vectors` operations each (product sets, codes, tokens, rows); `observe` hears how many are made.
  public func cases(vectors: Int, seed: UInt64, observe: (Int) -> Void = { _ in }) throws -> [UnitCase] {
    var cases: [UnitCase] = []
    func add(_ next: UnitCase) {
      cases.append(next)
      observe(cases.count)
    }
    for element in elements { add(element.unitCase(count: vectors, seed: seed)) }
    for requantiser in requantisers { add(try requantiser.unitCase(count: vectors, seed: seed)) }
    add(GELUCase().unitCase(count: vectors, seed: seed))
    for norm in norms { add(try norm.unitCase(count: vectors, seed: seed)) }
    for softmax in softmaxes { add(try softmax.unitCase(count: vectors, seed: seed)) }
    for context in contexts { add(try context.unitCase(count: vectors, seed: seed)) }
    return cases
  }
}
