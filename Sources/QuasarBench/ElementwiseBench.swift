import ArgumentParser
import Quasar
import QuasarConsole

struct ElementwiseBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "elementwise",
    abstract: "Kernels bound by memory: integer LayerNorm and the float kernels of training.",
    discussion: """
      Example: quasar bench elementwise --rows 4160 --width 192 --kernel gelu-forward,gelu-backward

      GB/s counts each operand once; the peak is a copy of the same working set, measured in turns with the kernel.
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var bench: BenchOptions
  @Option(name: .long, help: "Rows (tokens of a batch).") var rows = 4160
  @Option(name: .long, help: "Elements of a row.") var width = 192
  @Option(name: .long, help: "Names of kernels with commas (default: all).") var kernel: String?

  func run() throws {
    try bench.validate(common)
    try checkSizes([("--rows", rows, 1...(1 << 20)), ("--width", width, 1...8192)])
    guard rows * width <= 1 << 28 else {
      throw QuasarError(.usage, "--rows \(rows) and --width \(width): use at most 2^28 elements")
    }
    let kernels = try chosenKernels().map { try $0.make(rows, width) }
    let meter = PeakMeter()
    // Kernels of one working set share a copy.
    let sets = Array(Set(kernels.map(\.bytes))).sorted()
    let copies = sets.map { CopyMeter(workingSet: $0) }
    let cases =
      kernels.map { BenchCase(run: $0.run) } + copies.map { copy in BenchCase(run: { copy.run() }) }
    let timings = try BenchRounds.measure(cases, rounds: bench.rounds, meter: meter)
    let bandwidth = Dictionary(
      uniqueKeysWithValues: sets.indices.map { i in
        (sets[i], Double(copies[i].bytes) / timings[kernels.count + i].median / 1e9)
      })
    let records = zip(kernels, timings).map { kernel, timing in
      BenchRecord(
        bench: "elementwise", name: kernel.name, shape: "\(rows)x\(width)", timing: timing,
        value: Double(kernel.bytes) / timing.median / 1e9, unit: "GB/s", peak: bandwidth[kernel.bytes] ?? 0,
        peakUnit: "GB/s", extra: ["bytes": kernel.bytes])
    }
    try bench.report(records, json: common.json) { text(records, kernels, bandwidth) }
  }

  private func chosenKernels() throws -> [ElementwiseKernel.Maker] {
    guard let kernel else { return ElementwiseKernel.all }
    return try kernel.split(separator: ",", omittingEmptySubsequences: false).map { name in
      guard let found = ElementwiseKernel.all.first(where: { $0.name == name }) else {
        throw QuasarError(
          .usage,
          "--kernel \(name): use some of \(ElementwiseKernel.all.map(\.name).joined(separator: ", "))")
      }
      return found
    }
  }

  private func text(
    _ records: [BenchRecord], _ kernels: [ElementwiseKernel], _ bandwidth: [Int: Double]
  ) -> String {
    let table = Console.table(
      ["kernel", "median", "min…max", "GB/s", "KiB", "copy GB/s", "of copy"],
      zip(records, kernels).map { record, kernel in
        [
          record.name, record.timeText, record.spanText, record.rateText, String(kernel.bytes >> 10),
          Workflow.fixed(bandwidth[kernel.bytes] ?? 0, 1), record.percentText,
        ]
      })
    return "elementwise, \(rows) rows of \(width), \(BenchRecord.machine)\n\(table)"
  }
}
