import ArgumentParser
import CKernels
import Quasar
import QuasarConsole

struct AttentionBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attention", abstract: "Integer softmax attention.",
    discussion: "Example: quasar bench attention --batch 8 --heads 6 --tokens 197 --threads 1")

  @OptionGroup var common: CommonOptions
  @OptionGroup var bench: BenchOptions
  @Option(name: .long, help: "Images.") var batch = 1
  @Option(name: .long, help: "Heads.") var heads = 6
  @Option(name: .long, help: "Tokens of one image.") var tokens = 197
  @Option(name: .long, help: "Width of one head.") var headDimension = 64
  @Option(name: .long, help: "8, 6 or 4; several with commas.") var activationBits = "8"

  func run() throws {
    try bench.validate(common)
    try checkSizes([
      ("--batch", batch, 1...4096), ("--heads", heads, 1...256), ("--tokens", tokens, 1...Int(QK_MAX_TOKENS)),
      ("--head-dimension", headDimension, 1...256),
    ])
    let bits = try activationBits.split(separator: ",", omittingEmptySubsequences: false).map { text in
      guard let bits = Int(text), [4, 6, 8].contains(bits) else {
        throw QuasarError(.usage, "--activation-bits \(text): use 8, 6 or 4")
      }
      return bits
    }
    let meter = PeakMeter()
    let timings = try BenchRounds.measure(try bits.map { try work($0) }, rounds: bench.rounds, meter: meter)
    let operations = 4 * Double(batch * heads) * Double(tokens * tokens) * Double(headDimension)
    let records = zip(bits, timings).map { bits, timing in
      BenchRecord(
        bench: "attention", name: "attention-a\(bits)", shape: "\(batch)x\(heads)x\(tokens)x\(headDimension)",
        timing: timing, value: operations / timing.median / 1e9, unit: "GOP/s", peak: meter.best,
        operations: operations)
    }
    try bench.report(records, json: common.json) {
      """
      attention, batch x heads x tokens x width, \(BenchRecord.machine); peak measured in this run: \
      \(Workflow.fixed(meter.best, 0)) GOP/s
      \(BenchRecord.table(records))
      """
    }
  }

  private func work(_ bits: Int) throws -> BenchCase {
    let width = heads * headDimension
    let qkv = NDArray<Int8>(uninitialized: [batch * tokens, 3 * width])
    BenchData.fill(qkv.pointer, qkv.count, .signedNarrow(bits: bits), stream: 0)
    // Steps give real queries and keys of deviation 1, so scores spread over about ±3 and probabilities differ.
    let step = 1.7 / Float((1 << (bits - 1)) - 1)
    let layer = try IntegerAttention(
      name: "bench", heads: heads, headDimension: headDimension, activationBits: bits, queryStep: step, keyStep: step,
      valueStep: step, outputStep: step / 4)
    let (batch, tokens) = (batch, tokens)
    return BenchCase(run: { _ = try layer.codes(qkv, batch: batch, tokens: tokens) })
  }
}
