import ArgumentParser
import Quasar
import QuasarConsole

struct TrainBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Training steps on noise: forward, cross-entropy, backward, AdamW.",
    discussion: "Example: quasar bench train --arch vit-cifar --mode qat --batch 64")

  @OptionGroup var common: CommonOptions
  @OptionGroup var bench: BenchOptions
  @Option(name: .long, help: "Architecture: \(Architecture.knownNames.joined(separator: ", ")).") var arch = "vit-cifar"
  @Option(
    name: .long,
    help: "\(TrainingStepMode.allCases.map(\.rawValue).joined(separator: ", ")); several with commas.")
  var mode = "qat"
  @Option(name: .long, help: "Images of a step.") var batch = 64
  @Option(name: .long, help: "8 or 6.") var activationBits = 8
  @Option(name: .long, help: TrainingProducts.help) var products = TrainingProducts.standard

  @OptionGroup var memory: MemoryOption
  @OptionGroup var profile: ProfileOption

  func run() throws {
    try bench.validate(common)
    try checkSizes([("--batch", batch, 1...4096)])
    let modes = try mode.split(separator: ",", omittingEmptySubsequences: false).map { text in
      guard let mode = TrainingStepMode(rawValue: String(text)) else {
        throw QuasarError(
          .usage,
          "--mode \(text): use \(TrainingStepMode.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      return mode
    }
    guard profile.profile == nil || modes.count == 1 else {
      throw QuasarError(.usage, "--profile takes one mode at a time, not \(mode)")
    }
    let architecture = try Architecture.named(arch)
    let before = Machine.peakMemory
    let works = try modes.map {
      try TrainingStepWork(
        architecture, mode: $0, batch: batch, activationBits: activationBits, products: products,
        recomputes: memory.recompute)
    }
    let meter = PeakMeter()
    let timings = try BenchRounds.measure(
      works.map { work in BenchCase(run: { try work.step() }) }, rounds: bench.rounds, meter: meter)
    // The peak in front of the profile, whose buffers are none of the training's.
    let peak = Machine.peakMemory - before
    let report = try profile.record(imagesPerStep: works[0].images) { recording in
      guard let recording else { return }
      for _ in 0..<max(3, bench.rounds) {
        try Profile.measure("step") { _ = try works[0].step() }
        recording.collect()
      }
    }
    let records = try modes.indices.map { i in
      BenchRecord(
        bench: "train", name: "\(arch)-\(modes[i].rawValue)", shape: "\(arch)-b\(batch)", timing: timings[i],
        value: Double(works[i].images) / timings[i].median, unit: "img/s",
        extra: try ["peak_bytes": peak].merging(report.map { ["profile": try Console.object($0)] } ?? [:]) { $1 })
    }
    try bench.report(records, json: common.json) {
      """
      \(BenchRecord.machine)
      \(BenchRecord.table(records))
      peak memory \(Workflow.fixed(Double(peak) / 1e6, 0)) MB more than before
      """
    }
  }
}
