import ArgumentParser
import Foundation
import Quasar

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

struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval", abstract: "Accuracy and logits of a model on test images.",
    discussion: """
      Backends: float (fake-quantised products, float functions) and qat (exact integers inside the training
      graph) take a run folder; integer runs a .quasar file. qat and integer give equal logit codes.

      Example: quasar eval --model runs/fast --backend qat --logits a.npy
      """)

  enum Backend: String, ExpressibleByArgument, CaseIterable {
    case float, qat, integer
  }

  @OptionGroup var common: CommonOptions
  @OptionGroup var data: DataOption
  @Option(name: .long, help: "A .quasar file or a run folder.") var model: String
  @Option(name: .long, help: "float, qat or integer.") var backend: Backend = .integer
  @Option(name: .long, help: "Sub-network file, for the run of a supernet.") var subnet: String?
  @Option(name: .long, help: "Write the logits [images, classes] to this .npy file.") var logits: String?

  func run() throws {
    try common.apply()
    let test = try data.load().test
    let clock = ContinuousClock()
    let start = clock.now
    let (accuracy, array) = try evaluate(test)
    let seconds = start.duration(to: clock.now).seconds
    if let logits { try NumPyFile.write(array, to: logits) }
    if common.json {
      try Console.json([
        "model": model, "backend": backend.rawValue, "images": test.count, "accuracy": accuracy,
        "images_per_second": Double(test.count) / seconds,
      ])
    } else {
      print(
        "\(backend.rawValue): \(Workflow.fixed(100 * accuracy, 2)) % of \(test.count) images, "
          + "\(Int(Double(test.count) / seconds)) images/s")
    }
  }

  private func evaluate(_ test: ImageSet) throws -> (Double, RawTensor) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: model, isDirectory: &isFolder) else {
      throw QuasarError(.missing, "\(model): no such model file or run folder")
    }
    if backend == .integer, !isFolder.boolValue {
      let packed = try PackedFile.read(model)
      return try evaluate(packed, test)
    }
    guard isFolder.boolValue else {
      throw QuasarError(
        .usage,
        "\(model): a packed file holds integers only; --backend \(backend.rawValue) takes a run folder")
    }
    let checkpoint = try RunDirectory(model).load()
    let chosen = try subnet.map { try Workflow.architecture(contentsOf: $0) }
    guard
      let architecture = chosen ?? checkpoint.description.architecture
        ?? checkpoint.description.space?.largest
    else {
      throw QuasarError(.badData, "\(model): the checkpoint names no architecture")
    }
    if backend == .integer {
      return try evaluate(
        IntegerModel(
          packing: checkpoint.net, architecture: architecture, classNames: checkpoint.description.classNames),
        test)
    }
    let result = try Evaluation(
      checkpoint.net, architecture: architecture, mode: backend == .qat ? .exact : .quantized, data: test)
    if let codes = result.logitCodes {
      return (result.accuracy, try RawTensor(codes.scalars, shape: codes.shape))
    }
    return (result.accuracy, try RawTensor(result.logits.scalars, shape: result.logits.shape))
  }

  private func evaluate(_ packed: IntegerModel, _ test: ImageSet) throws -> (Double, RawTensor) {
    try test.checkFits(packed.architecture.geometry)
    let codes = try packed.logits(test.array(0..<test.count))
    return (
      Evaluation.accuracy(codes, test.labels), try RawTensor(codes.scalars, shape: codes.shape)
    )
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
