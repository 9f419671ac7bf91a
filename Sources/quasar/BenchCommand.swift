import ArgumentParser
import CKernels
import Quasar

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure kernels on this machine.", subcommands: [GEMM.self])

  struct GEMM: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "gemm", abstract: "The row-mixed integer product.",
      discussion: "Example: quasar bench gemm --m 197 --n 768 --k 768 --weight-bits mixed:0.5 --threads 1")

    enum Output: String, ExpressibleByArgument, CaseIterable {
      case int32, requantised
    }

    @OptionGroup var common: CommonOptions
    @Option(name: .long, help: "Tokens.") var m = 197
    @Option(name: .long, help: "Outputs.") var n = 768
    @Option(name: .long, help: "Inputs.") var k = 768
    @Option(name: .long, help: "8, 4 or mixed:R, R the share of 8-bit rows.") var weightBits = "mixed:0.5"
    @Option(name: .long, help: "8 or 6.") var activationBits = 8
    @Option(name: .long, help: "int32 or requantised (int8).") var output: Output = .requantised
    @Option(name: .long, help: "Timed rounds.") var rounds = 15

    func run() throws {
      try common.apply()
      try checkArguments()
      let isa = qk_isa_current()
      let layer = try problem()
      let input = codes(count: m * k, range: .signedNarrow(bits: activationBits), stream: "input")
      let activations = IntegerLinear.Input.signed(NDArray(input, shape: [m, k]))
      let range = CodeRange.signedNarrow(bits: 8)
      func once() throws {
        switch output {
        case .int32: _ = try layer.accumulators(activations)
        case .requantised: _ = try layer.codes(activations, range: range)
        }
      }
      let times = try Bench.rounds(rounds, once)
      let operations = 2 * Double(m) * Double(n) * Double(k)
      let peak = Machine.peak(isa) * Double(Machine.threads)
      let rate = operations / times.median / 1e9
      if common.json {
        try Console.jsonValue([
          [
            "schema": 1, "bench": "gemm", "name": "gemm-w\(weightBits)-a\(activationBits)-\(output.rawValue)",
            "shape": "\(m)x\(n)x\(k)", "threads": Machine.threads, "median_s": times.median,
            "min_s": times.least, "max_s": times.most, "value": rate, "unit": "GOP/s",
            "isa": Machine.name(isa), "peak_fraction": rate / peak,
          ] as [String: Any]
        ])
      } else {
        print(
          """
          gemm \(m)x\(n)x\(k), weights \(weightBits), activations \(activationBits) bits, output \(output.rawValue), \
          \(Machine.name(isa)), \(Machine.threads) thread(s)
          median \(Workflow.fixed(times.median * 1e6, 1)) µs (\(Workflow.fixed(times.least * 1e6, 1))…\
          \(Workflow.fixed(times.most * 1e6, 1))), \(Workflow.fixed(rate, 1)) GOP/s, \
          \(Workflow.fixed(100 * rate / peak, 0)) % of the peak measured in this run
          """)
      }
    }

    private func checkArguments() throws {
      guard m >= 1, n >= 1, k >= 1, m <= 1 << 20, n <= 1 << 20, k <= Int(QK_MAX_DEPTH) else {
        throw QuasarError(.usage, "sizes \(m), \(n), \(k): use 1…2^20 and k at most \(QK_MAX_DEPTH)")
      }
      guard activationBits == 8 || activationBits == 6, rounds >= 1 else {
        throw QuasarError(.usage, "--activation-bits takes 8 or 6, --rounds at least 1")
      }
    }

    private func problem() throws -> IntegerLinear {
      let rows8 = try WeightBits(weightBits).share.rows8(of: n)
      // 8-bit rows lie scattered, as a ranking would scatter them.
      let bits = (0..<n).map { row in UInt8((row + 1) * rows8 / n > row * rows8 / n ? 8 : 4) }
      var weights = codes(count: n * k, range: .signedNarrow(bits: 8), stream: "weights")
      for row in 0..<n where bits[row] == 4 {
        for column in 0..<k { weights[row * k + column] = weights[row * k + column] % 8 }
      }
      return try IntegerLinear(
        name: "bench", codes: NDArray(weights, shape: [n, k]), rowBits: bits,
        realBias: Array(repeating: 0, count: n),
        scales: IntegerLinear.Scales(
          input: 0.05, rows: Array(repeating: 0.01, count: n), output: Array(repeating: 0.1, count: n)))
    }

    private func codes(count: Int, range: CodeRange, stream: String) -> [Int8] {
      var random = RandomSource(seed: 1).generator(stream)
      let span = Int(range.high - range.low) + 1
      return (0..<count).map { _ in Int8(Int(range.low) + random.below(span)) }
    }
  }
}

/// Times of repeated rounds.
enum Bench {
  struct Times {
    var median: Double
    var least: Double
    var most: Double
  }

  /// Runs a warm-up, then `count` rounds of at least two milliseconds each; seconds per call.
  static func rounds(_ count: Int, _ body: () throws -> Void) throws -> Times {
    let clock = ContinuousClock()
    try body()
    let single = try clock.measure(body).seconds
    let repeats = max(1, Int(2e-3 / max(single, 1e-7)))
    let times = try (0..<count).map { _ in
      try clock.measure { for _ in 0..<repeats { try body() } }.seconds / Double(repeats)
    }.sorted()
    return Times(median: times[times.count / 2], least: times[0], most: times[times.count - 1])
  }
}
