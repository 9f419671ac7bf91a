import ArgumentParser
import Foundation
import Quasar
import QuasarConsole

struct PackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack", abstract: "Write the deployable integers of a trained network.",
    discussion: "Example: quasar pack --run runs/fast --out fast.quasar")

  @OptionGroup var common: CommonOptions
  @Option(name: .customLong("run"), help: "Run folder.") var runFolder: String
  @Option(name: .long, help: "Sub-network file, for the run of a supernet.") var subnet: String?
  @Option(name: .long, help: "The file to write.") var out: String

  func run() throws {
    try common.apply()
    let model = try Workflow.pack(
      RunDirectory(runFolder).load(), architecture: subnet.map { try Workflow.architecture(contentsOf: $0) },
      to: out)
    let bytes = try PackedFile.encode(model).count
    if common.json {
      try Console.json([
        "model": out, "bytes": bytes, "average_weight_bits": model.architecture.averageWeightBits,
      ])
    } else {
      print(
        "\(out): \(bytes) bytes, \(Workflow.fixed(model.architecture.averageWeightBits, 2)) bits a weight, "
          + "\(model.architecture.activationBits)-bit activations")
    }
  }
}

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "One self-contained HTML page about a pipeline's run.",
    discussion: "Example: quasar report runs/quickstart --out report.html")

  @OptionGroup var common: CommonOptions
  @Argument(help: "Folder of 'quasar run'.") var folder: String
  @Option(name: .long, help: "The page to write.") var out: String

  func run() throws {
    try common.apply()
    let content = try ReportBuilder(folder: folder).content()
    try AtomicFile.write(HTMLReport(content).html(), to: out)
    if common.json {
      try Console.json(["report": out])
    } else {
      print(out)
    }
  }
}
