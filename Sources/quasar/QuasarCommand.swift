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
      BenchCommand.self, ReportCommand.self, CompareCommand.self,
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

/// The seed of everything random.
struct SeedOption: ParsableArguments {
  @Option(name: .long, help: "Seed of everything random; equal seeds give equal bytes.")
  var seed: UInt64 = 1
}

struct DataOption: ParsableArguments {
  @Option(
    name: .long,
    help: "Images: embedded, fashion-mnist:DIR, mnist:DIR, cifar10:DIR, folder:DIR or cache:DIR.")
  var data = "embedded"

  /// The images, those of class folders scaled to the geometry.
  func open(for geometry: ImageGeometry) throws -> ImageSources {
    try DataSpecification(parsing: data).open(size: geometry.imageSize)
  }
}

struct DeviceOptions: ParsableArguments {
  @Option(name: .long, help: "Board by name (see 'quasar estimate --list') or a YAML file.")
  var device = "pynq-z2"

  @Option(name: .long, help: "Clock in MHz (default: the board's).")
  var clock: Double?

  func model() throws -> HardwareModel {
    try HardwareModel(device: Device.load(device), clockMHz: clock)
  }
}
