import ArgumentParser
import Foundation
import Quasar
import QuasarConsole

struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval", abstract: "Accuracy and logits of a model on test images.",
    discussion: """
      Backends: fp32 (no quantiser at all), float (fake-quantised products, float functions) and qat (exact integers
      inside the training graph) take a run folder; integer runs a .quasar file on this CPU's kernels, datapath runs it on the processing
      elements of an engine, DSP word by DSP word (--speed proved: on the kernels where the depth proof holds).
      qat, integer and datapath give equal logit codes. --spec runs hardware that is not exact.

      Example: quasar eval --model fast.quasar --backend datapath --device zcu102 --logits a.npy
      """)

  enum Backend: String, ExpressibleByArgument, CaseIterable {
    case fp32, float, qat, integer, datapath

    /// The mode of the training graph; nil for what runs a packed model.
    var mode: ForwardMode? {
      switch self {
      case .fp32: .full
      case .float: .quantized
      case .qat: .exact
      case .integer, .datapath: nil
      }
    }
  }

  @OptionGroup var common: CommonOptions
  @OptionGroup var data: DataOption
  @Option(name: .long, help: "A .quasar file or a run folder.") var model: String
  @Option(name: .long, help: "fp32, float, qat, integer or datapath.") var backend: Backend = .integer
  @Option(name: .long, help: "Sub-network file, for the run of a supernet.") var subnet: String?
  @OptionGroup var board: DeviceOptions
  @Option(name: .long, help: "datapath: structural (every DSP word) or proved (plain integers where proved).")
  var speed: DatapathUnits.Speed = .structural
  @Option(name: .long, help: "datapath: YAML file of hardware that is not exact.") var spec: String?
  @Option(name: .long, help: "Write the logits [images, classes] to this .npy file.") var logits: String?

  func run() throws {
    try common.apply()
    guard spec == nil || backend == .datapath else {
      throw QuasarError(.usage, "--spec describes hardware: use it with --backend datapath")
    }
    let (images, accuracy, array, seconds) = try evaluate()
    if let logits { try NumPyFile.write(array, to: logits) }
    if common.json {
      try Console.json([
        "model": model, "backend": backend.rawValue, "images": images, "accuracy": accuracy,
        "images_per_second": Double(images) / seconds,
      ])
    } else {
      print(
        "\(backend.rawValue): \(Workflow.fixed(100 * accuracy, 2)) % of \(images) images, "
          + "\(Int(Double(images) / seconds)) images/s")
    }
  }

  /// Images, accuracy, logits, and the seconds that the images took, loading and planning apart.
  private typealias Result = (images: Int, accuracy: Double, logits: RawTensor, seconds: Double)

  private func evaluate() throws -> Result {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: model, isDirectory: &isFolder) else {
      throw QuasarError(.missing, "\(model): no such model file or run folder")
    }
    if backend.mode == nil, !isFolder.boolValue {
      let packed = try PackedFile.read(model)
      return try evaluate(packed)
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
    guard let mode = backend.mode else {
      return try evaluate(
        IntegerModel(
          packing: checkpoint.net, architecture: architecture, classNames: checkpoint.description.classNames))
    }
    let test = try data.open(for: architecture.geometry).test
    let clock = ContinuousClock()
    let start = clock.now
    let result = try Evaluation(
      checkpoint.net, architecture: architecture, mode: mode, data: test)
    let seconds = start.duration(to: clock.now).seconds
    if let codes = result.logitCodes {
      return (test.count, result.accuracy, try RawTensor(codes.scalars, shape: codes.shape), seconds)
    }
    return (test.count, result.accuracy, try RawTensor(result.logits.scalars, shape: result.logits.shape), seconds)
  }

  private func evaluate(_ packed: IntegerModel) throws -> Result {
    let test = try data.open(for: packed.architecture.geometry).test
    try test.checkFits(packed.architecture.geometry)
    let progress = ConsoleProgress()
    progress.begin("\(backend.rawValue) backend")
    let units = try units(packed)
    let clock = ContinuousClock()
    let start = clock.now
    let codes = try packed.logits(of: test, on: units) {
      progress.update(done: $0, total: test.count, note: "images")
    }
    let seconds = start.duration(to: clock.now).seconds
    progress.clear()
    return (
      test.count, Evaluation.accuracy(codes, test.labels), try RawTensor(codes.scalars, shape: codes.shape), seconds
    )
  }

  private func units(_ packed: IntegerModel) throws -> any IntegerUnits {
    guard backend == .datapath else { return KernelUnits() }
    let engine = try board.model().optimisedEngine(for: packed.architecture)
    let file = try spec.map { try HardwareSpecFile.read($0) }
    let units = try DatapathUnits(packed, engine: engine.datapath, spec: file?.spec ?? .exact, speed: speed)
    let unproved = units.unproved(in: packed)
    if !unproved.isEmpty {
      let products = packed.graph.layers.count { $0.kind != .norm }
      Console.note(
        "\(file?.name ?? "engine"): \(unproved.count) of \(products) products are not proved equal to the plain "
          + "integers, the first is \(unproved[0])")
    }
    return units
  }
}

extension DatapathUnits.Speed: ExpressibleByArgument {}
