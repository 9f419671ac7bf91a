import ArgumentParser
import CKernels
import Quasar
import QuasarConsole

extension ProductOutput: ExpressibleByArgument {}

struct GEMMBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gemm", abstract: "The row-mixed integer product.",
    discussion: """
      Example: quasar bench gemm --m 197 --n 768 --k 768 --weight-bits mixed:0.5 --threads 1

      --suite deit measures the 24 products of DeiT (tokens 197 and 1576; qkv, proj, fc1, fc2 of T, S and B).
      """)

  enum Suite: String, ExpressibleByArgument, CaseIterable { case deit }
  enum Activations: String, ExpressibleByArgument, CaseIterable { case signed, unsigned }

  @OptionGroup var common: CommonOptions
  @OptionGroup var bench: BenchOptions
  @Option(name: .long, help: "Tokens (default: 197).") var m: Int?
  @Option(name: .long, help: "Outputs (default: 768).") var n: Int?
  @Option(name: .long, help: "Inputs (default: 768).") var k: Int?
  @Option(name: .long, help: "A suite of shapes instead of --m, --n, --k: deit.") var suite: Suite?
  @Option(
    name: .long,
    help: """
      8, 4 or mixed:R, R the share of 8-bit rows; several with commas (default: mixed:0.5, of a suite 8,4,mixed:0.5).
      """)
  var weightBits: String?
  @Option(name: .long, help: "8, 6 or 4.") var activationBits = 8
  @Option(name: .long, help: "Codes of the activations: signed or unsigned.")
  var activations: Activations = .signed
  @Option(
    name: .long, help: "What the product writes: \(ProductOutput.allCases.map(\.rawValue).joined(separator: ", ")).")
  var output: ProductOutput = .requantised

  struct Shape {
    var name: String
    var m: Int
    var n: Int
    var k: Int

    var text: String { "\(m)x\(n)x\(k)" }

    /// Tokens of one and of eight images; the four matrices of a block of DeiT-T, -S and -B.
    static let deit = [197, 1576].flatMap { tokens in
      [("T", 192), ("S", 384), ("B", 768)].flatMap { size, width in
        [("qkv", 3, 1), ("proj", 1, 1), ("fc1", 4, 1), ("fc2", 1, 4)].map { part, rows, depth in
          Shape(name: "\(size) \(part)", m: tokens, n: rows * width, k: depth * width)
        }
      }
    }
  }

  func run() throws {
    try bench.validate(common)
    let shapes = try chosenShapes()
    let bits = try (weightBits ?? (suite == nil ? "mixed:0.5" : "8,4,mixed:0.5"))
      .split(separator: ",", omittingEmptySubsequences: false).map { try WeightBits(String($0)) }
    let meter = PeakMeter()
    let problems = try shapes.flatMap { shape in
      try bits.map { bits in
        try GEMMProblem(
          tokens: shape.m, rows: shape.n, depth: shape.k, share: bits.share, activationBits: activationBits,
          unsigned: activations == .unsigned, output: output)
      }
    }
    let timings = try BenchRounds.measure(
      problems.map { problem in BenchCase(run: { try problem.run() }) }, rounds: bench.rounds, meter: meter)
    let records = problems.indices.map { i in
      BenchRecord(
        bench: "gemm", name: "gemm-w\(bits[i % bits.count])-a\(activationBits)-\(output.rawValue)",
        shape: shapes[i / bits.count].text, timing: timings[i],
        value: problems[i].operations / timings[i].median / 1e9, unit: "GOP/s", peak: meter.best,
        operations: problems[i].operations,
        extra: ["activations": activations.rawValue, "part": shapes[i / bits.count].name])
    }
    try bench.report(records, json: common.json) { text(records, shapes: shapes, bits: bits, peak: meter.best) }
  }

  private func chosenShapes() throws -> [Shape] {
    guard [8, 6, 4].contains(activationBits) else {
      throw QuasarError(.usage, "--activation-bits \(activationBits): use 8, 6 or 4")
    }
    guard suite == nil else {
      guard m == nil, n == nil, k == nil else {
        throw QuasarError(.usage, "--suite fixes the shapes: leave out --m, --n and --k")
      }
      return Shape.deit
    }
    let shape = Shape(name: "", m: m ?? 197, n: n ?? 768, k: k ?? 768)
    try checkSizes([
      ("--m", shape.m, 1...(1 << 20)), ("--n", shape.n, 1...(1 << 20)), ("--k", shape.k, 1...Int(QK_MAX_DEPTH)),
    ])
    return [shape]
  }

  private func text(_ records: [BenchRecord], shapes: [Shape], bits: [WeightBits], peak: Double) -> String {
    let heading = """
      gemm, \(activations.rawValue) activations of \(activationBits) bits, output \(output.rawValue), \
      \(BenchRecord.machine); peak measured in this run: \(Workflow.fixed(peak, 0)) GOP/s
      """
    guard suite != nil else { return "\(heading)\n\(BenchRecord.table(records))" }
    let rows = shapes.indices.map { i in
      [shapes[i].name, shapes[i].text]
        + bits.indices.flatMap { [records[i * bits.count + $0].rateText, records[i * bits.count + $0].percentText] }
    }
    let beside = bits.indices.flatMap { b in
      let own = shapes.indices.map { records[$0 * bits.count + b] }
      return ["", BenchRecord.percent(BenchRecord.geometricMean(own.compactMap(\.adjacentFraction)))]
    }
    let means = bits.indices.flatMap { b in
      let own = shapes.indices.map { records[$0 * bits.count + b] }
      return [
        Workflow.fixed(BenchRecord.geometricMean(own.map(\.value)), 0),
        BenchRecord.percent(BenchRecord.geometricMean(own.map(\.fraction))),
      ]
    }
    return heading + "\n"
      + Console.table(
        ["part", "shape"] + bits.flatMap { ["w\($0) GOP/s", "of peak"] },
        rows + [["geometric mean", ""] + means, ["of peak beside", ""] + beside])
  }
}
