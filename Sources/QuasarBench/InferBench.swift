import ArgumentParser
import Quasar
import QuasarConsole

struct InferBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "infer", abstract: "A whole network in integers, from pixels to logits, with random weights.",
    discussion: "Example: quasar bench infer --arch deit-s --batch 1 --weight-bits 8 --threads 1")

  @OptionGroup var common: CommonOptions
  @OptionGroup var bench: BenchOptions
  @Option(name: .long, help: "Architecture: \(Architecture.knownNames.joined(separator: ", ")).") var arch = "deit-t"
  @Option(name: .long, help: "Images.") var batch = 1
  @Option(name: .long, help: "8, 4 or mixed:R, R the share of 8-bit rows; several with commas.")
  var weightBits = "8"
  @Option(name: .long, help: "8 or 6.") var activationBits = 8

  /// One network with the seconds of its layers in every round.
  private final class Work {
    let model: IntegerModel
    let images: NDArray<UInt8>
    let units = TimedUnits()
    /// Seconds of one call by kind, a list entry for each round.
    var seconds: [String: [Double]] = [:]
    var operations: [String: Double] = [:]

    init(model: IntegerModel, images: NDArray<UInt8>) {
      self.model = model
      self.images = images
    }

    var benchCase: BenchCase {
      BenchCase(
        run: { _ = try self.model.logits(self.images, on: self.units) }, begin: { self.units.reset() },
        end: { calls in
          for kind in TimedUnits.kinds {
            let share = self.units.shares[kind] ?? TimedUnits.Share()
            self.seconds[kind, default: []].append(share.seconds / Double(calls))
            self.operations[kind] = share.operations / Double(calls)
          }
        })
    }

    var totalOperations: Double { operations.values.reduce(0, +) }
  }

  func run() throws {
    try bench.validate(common)
    try checkSizes([("--batch", batch, 1...4096)])
    let bits = try weightBits.split(separator: ",", omittingEmptySubsequences: false).map { try WeightBits(String($0)) }
    let works = try bits.map { bits in
      let architecture = try Architecture.named(arch).with(weightBits: bits, activationBits: activationBits)
      return Work(
        model: try Workflow.randomModel(architecture), images: Workflow.noise(batch, architecture.geometry))
    }
    let meter = PeakMeter()
    let timings = try BenchRounds.measure(works.map(\.benchCase), rounds: bench.rounds, meter: meter)
    let records = bits.indices.map { i in
      let (work, timing) = (works[i], timings[i])
      let rate = work.totalOperations / timing.median / 1e9
      return BenchRecord(
        bench: "infer", name: "\(arch)-w\(bits[i])-a\(activationBits)", shape: "\(arch)-b\(batch)", timing: timing,
        value: Double(batch) / timing.median, unit: "img/s", peak: meter.best, compared: rate,
        operations: work.totalOperations,
        extra: ["gops": rate, "breakdown": breakdown(work, timing).map { $0.object(peak: meter.best) }])
    }
    try bench.report(records, json: common.json) {
      zip(records, zip(works, timings)).map { record, part in
        """
        \(record.name), batch \(batch), \(BenchRecord.machine)
        median \(record.timeText) (\(record.spanText)), \(record.rateText) images/s, \
        \(Workflow.fixed(record.compared ?? 0, 0)) GOP/s, \(record.percentText) of the peak measured in this run \
        (\(Workflow.fixed(meter.best, 0)) GOP/s), \(BenchRecord.percent(record.adjacentFraction ?? 0)) of the peak beside
        \(table(breakdown(part.0, part.1), peak: meter.best))
        """
      }.joined(separator: "\n\n")
    }
  }

  /// The time of one kind of layer in one call.
  private struct Line {
    var name: String
    var seconds: Double
    var share: Double
    var operations: Double

    var rate: Double { seconds > 0 ? operations / seconds / 1e9 : 0 }

    func object(peak: Double) -> [String: Any] {
      var object: [String: Any] = ["layer": name, "median_s": seconds, "share": share]
      if operations > 0 { object.merge(["gops": rate, "peak_fraction": rate / peak]) { $1 } }
      return object
    }
  }

  private func breakdown(_ work: Work, _ timing: Timing) -> [Line] {
    var lines = TimedUnits.kinds.map { kind in
      let seconds = timing.median(of: work.seconds[kind] ?? [])
      return Line(
        name: kind, seconds: seconds, share: seconds / timing.median, operations: work.operations[kind] ?? 0)
    }
    // Patches, class tokens and positions, and whatever lies between the calls.
    let inside = timing.samples.indices.map { i in work.seconds.values.reduce(0) { $0 + $1[i] } }
    let rest = timing.median(of: zip(timing.samples, inside).map { max(0, $0 - $1) })
    lines.append(Line(name: "other", seconds: rest, share: rest / timing.median, operations: 0))
    return lines
  }

  private func table(_ lines: [Line], peak: Double) -> String {
    Console.table(
      ["layers", "time", "share", "GOP/s", "of peak"],
      lines.map { line in
        [line.name, BenchRecord.time(line.seconds), Workflow.fixed(100 * line.share, 1) + " %"]
          + (line.operations > 0
            ? [Workflow.fixed(line.rate, 0), Workflow.fixed(100 * line.rate / peak, 0) + " %"] : ["", ""])
      })
  }
}
