import ArgumentParser
import Foundation
import Quasar
import QuasarBench
import QuasarConsole

/// The command line of the package.
@main
struct QuasarCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quasar",
    abstract: "Mixed-precision vision transformers for FPGAs: train, search, pack and run them bit for bit.",
    discussion: """
      Example: quasar run tools/quickstart.yaml --out runs/quickstart

      Exit codes: 0 done, 64 usage, 65 bad input data, 66 input missing, 69 target infeasible, 70 internal,
      73 cannot write, 74 input/output, 75 interrupted with a checkpoint to resume.
      """,
    version: quasarVersion,
    subcommands: [
      DoctorCommand.self, DataCommand.self, RunCommand.self, TrainCommand.self, SearchCommand.self,
      FinetuneCommand.self, PackCommand.self, EvalCommand.self, ExportCommand.self, EstimateCommand.self,
      VectorsCommand.self,
      CosimCommand.self,
      BenchCommand.self, ReportCommand.self, CompareCommand.self, OptionsCommand.self,
    ])

  static func main() {
    do {
      var command = try parseAsRoot()
      try Launch.join(for: command)
      try command.run()
      Launch.finish()
    } catch let error as QuasarError {
      Launch.fail(error)
    } catch {
      exit(withError: error)
    }
  }
}
