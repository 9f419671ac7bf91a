import Foundation
import QuasarData
import QuasarExchange
import QuasarHardware
import QuasarInterchange
import QuasarNetwork
import QuasarReport
import QuasarRuntime
import QuasarSearch
import QuasarSupernet
import QuasarTensor
import QuasarTrain

/// The whole flow: baseline, supernet, search, fine-tuning and packing of each sub-network, report.
///
/// Each finished step is recorded in `OUT/pipeline.json` with its time; a second run with the same
/// configuration goes on after the last finished step (and inside a training step, after its checkpoint).
public final class Pipeline {
  public let configuration: PipelineConfiguration
  public let output: String
  private let progress: ProgressReporter
  private var state: PipelineState

  /// A run may go on with other sessions than it began with.
  public init(_ configuration: PipelineConfiguration, output: String, progress: ProgressReporter) throws {
    self.configuration = configuration
    self.output = output
    self.progress = progress
    state = PipelineState(configuration: configuration)
    if let known = try PipelineState.read(output) {
      guard known.configuration.decidesTheSame(as: configuration) else {
        throw QuasarError(
          .usage, "\(output): holds the run of another configuration; delete it or choose another --out")
      }
      state = known
    }
  }

  /// Runs what is not done yet and returns the summary, which is also in `OUT/summary.json`.
  public func run() throws -> Summary {
    try Workflow.makeFolder(output)
    let space = try SearchSpace.load(configuration.space)
    let device = try Device.load(configuration.device)
    let hardware = try HardwareModel(device: device, clockMHz: configuration.clockMHz)
    let data = try images(for: space.geometry)
    let teacher = try configuration.teacher.map { try Teacher(folder: $0) }
    let sources = configuration.teacher.map { ["teacher": $0] } ?? [:]
    try data.train.checkFits(space.geometry)

    state.dataset = DatasetSummary(
      name: data.name, trainImages: data.train.count, testImages: data.test.count,
      channels: data.train.channels, height: data.train.height, width: data.train.width,
      classNames: data.classNames)

    try step("baseline") {
      let accuracy = try SoftmaxRegression.accuracy(
        train: data.train, test: data.test, seed: configuration.seed)
      state.baseline = accuracy
      return "softmax regression \(Workflow.fixed(100 * accuracy, 2)) %"
    }
    let supernetRun = RunDirectory(output + "/supernet")
    try step("supernet") {
      try trainSupernet(space, data, supernetRun, teacher, sources)
      return "about 10^\(Workflow.fixed(space.logSize, 0)) sub-networks share one set of weights"
    }
    let supernet = try supernetRun.load()
    try step("search") {
      let result = try Workflow.search(
        supernet: supernet, data: data, hardware: hardware, targets: configuration.targets,
        options: configuration.search, seed: configuration.seed, directory: output + "/search",
        progress: progress)
      return "\(result.candidates.count) candidates scored, \(result.refused) refused by the constraints"
    }
    for target in configuration.targets.sorted() {
      let label = Workflow.label(target)
      let architecture = try Workflow.architecture(
        contentsOf: "\(output)/search/subnet-\(label).json")
      let directory = RunDirectory("\(output)/finetune-\(label)")
      try step("finetune-\(label)") {
        try Workflow.finetune(
          supernet: supernet, architecture: architecture, data: data, options: configuration.finetune.options,
          seed: configuration.seed, directory: directory, resume: true, teacher: teacher,
          session: configuration.finetune.session,
          sources: sources, progress: progress)
        return "embedding \(architecture.embedDimension), depth \(architecture.depth)"
      }
      try step("evaluate-\(label)") {
        let subnet = try packAndEvaluate(
          target, architecture: architecture, directory: directory, data: data, hardware: hardware)
        state.subnets.removeAll { $0.fpsTarget == target }
        state.subnets.append(subnet)
        return "integer accuracy \(Workflow.fixed(100 * subnet.accuracyInteger, 2)) %"
      }
    }
    let reportPath = output + "/report.html"
    try step("report", always: true) {
      let content = try ReportBuilder(state: state, output: output).content()
      try AtomicFile.write(HTMLReport(content).html(), to: reportPath)
      return reportPath
    }
    let summary = Summary(
      seconds: state.steps.values.reduce(0, +), steps: state.steps, baseline: state.baseline ?? 0,
      subnets: state.subnets.sorted { $0.fpsTarget < $1.fpsTarget }, report: reportPath)
    try AtomicFile.write(JSONText.encode(summary), to: output + "/summary.json")
    return summary
  }

  private func images(for geometry: ImageGeometry) throws -> ImageSources {
    let specification = try DataSpecification(parsing: configuration.data)
    guard let cache = configuration.cache else { return try specification.open(size: geometry.imageSize) }
    return try Workflow.cached(
      specification, for: geometry, in: cache, workers: ProcessInfo.processInfo.activeProcessorCount,
      skipsDamaged: configuration.skipDamaged, progress: progress
    )
  }

  private func trainSupernet(
    _ space: SearchSpace, _ data: ImageSources, _ directory: RunDirectory, _ teacher: Teacher?,
    _ sources: [String: String]
  ) throws {
    var (weights, sources): (TimmWeights?, [String: String]) = (nil, sources)
    if let initial = configuration.initial {
      sources["init"] = initial.file
      // A run that goes on has its weights already.
      if !directory.hasCheckpoint { weights = try initial.load(for: space).weights }
    }
    try Workflow.trainSupernet(
      space: space, data: data, options: configuration.train.options, seed: configuration.seed, directory: directory,
      resume: true, initial: weights, teacher: teacher, session: configuration.train.session, sources: sources,
      progress: progress)
  }

  /// Runs a step unless it is recorded as done.
  private func step(_ name: String, always: Bool = false, _ work: () throws -> String) throws {
    if state.steps[name] != nil, !always { return }
    progress.begin(name)
    let clock = ContinuousClock()
    let start = clock.now
    let result = try work()
    let seconds = start.duration(to: clock.now).seconds
    state.steps[name] = seconds
    try AtomicFile.write(JSONText.encode(state), to: output + "/pipeline.json")
    progress.end(name, seconds: seconds, result: result)
  }

  /// Packs, reads the file back and compares: training's exact mode and the file must give equal logit codes.
  private func packAndEvaluate(
    _ target: Double, architecture: Architecture, directory: RunDirectory, data: ImageSources,
    hardware: HardwareModel
  ) throws -> Summary.Subnet {
    let checkpoint = try directory.load()
    let path = "\(output)/models/\(Workflow.label(target))fps.quasar"
    try Workflow.pack(checkpoint, architecture: nil, to: path)
    let model = try PackedFile.read(path)
    let quantized = try Evaluation(
      checkpoint.net, architecture: architecture, mode: .quantized, data: data.test)
    let exact = try Evaluation(checkpoint.net, architecture: architecture, mode: .exact, data: data.test)
    let codes = try model.logits(of: data.test)
    guard let trained = exact.logitCodes, trained.contentsEqual(codes) else {
      throw QuasarError(
        .internal, "\(path): its logit codes differ from those of exact training; this is a defect of ours")
    }
    let estimate = try hardware.estimate(architecture)
    return Summary.Subnet(
      fpsTarget: target, fps: estimate.fps, device: hardware.device.name,
      activationBits: architecture.activationBits, share8bit: architecture.share8Bit,
      averageWeightBits: architecture.averageWeightBits, dsp: estimate.dsp, lut: estimate.lut,
      bram18: estimate.bram18, accuracyFloat: quantized.accuracy,
      accuracyInteger: Evaluation.accuracy(codes, data.test.labels), model: path, run: directory.path)
  }
}
