import Foundation
import QuasarData
import QuasarExchange
import QuasarHardware
import QuasarInterchange
import QuasarNetwork
import QuasarProcesses
import QuasarRuntime
import QuasarSearch
import QuasarSupernet
import QuasarTensor
import QuasarTrain

/// The steps of the flow as functions on files; `quasar run` chains them, the commands call one each.
public enum Workflow {
  /// Every tenth training image of a class is held out for searches and accuracy curves.
  public static let heldOutEvery = 10

  /// Training images without and with the held-out part.
  public static func split(_ train: any ImageSource) throws -> (kept: any ImageSource, heldOut: any ImageSource) {
    func parts<Source: ImageSource>(_ source: Source) throws -> (kept: any ImageSource, heldOut: any ImageSource) {
      let (kept, heldOut) = try source.splittingEvery(heldOutEvery)
      return (kept, heldOut)
    }
    return try parts(train)
  }

  /// Trains the supernet of a space into a run folder, or continues from its checkpoint.
  ///
  /// A fresh run starts with `initial` weights; if nil, with random ones.
  public static func trainSupernet(
    space: SearchSpace, data: ImageSources, options: TrainingOptions, seed: UInt64, directory: RunDirectory,
    resume: Bool, initial: TimmWeights? = nil, teacher: Teacher? = nil, session: SessionOptions = SessionOptions(),
    sources: [String: String] = [:], processes: any ProcessGroup = SingleProcess(), progress: ProgressReporter
  ) throws {
    let (kept, heldOut) = try split(data.train)
    try kept.checkFits(space.geometry)
    let trainer = try trainer(
      plan: .space(space), data: kept, options: options, seed: seed, directory: directory, resume: resume,
      teacher: teacher, processes: processes, matches: { $0.space == space },
      fresh: {
        let (size, random, entanglement) = (SupernetSize(space), RandomSource(seed: seed), options.entanglement)
        if let initial { return try initial.supernet(size: size, random: random, entanglement: entanglement) }
        return try Supernet(
          size: size, preprocessing: Preprocessing(of: kept), random: random, entanglement: entanglement,
          gain: options.layerScale ? nil : 1)
      })
    try run(trainer, directory, data.classNames, heldOut, session, sources, progress)
  }

  /// A trainer at the start with `fresh` weights, or in the state of the folder's checkpoint.
  private static func trainer(
    plan: SubnetPlan, data: any ImageSource, options: TrainingOptions, seed: UInt64, directory: RunDirectory,
    resume: Bool, teacher: Teacher? = nil, processes: any ProcessGroup, matches: (Checkpoint.Description) -> Bool,
    fresh: () throws -> Supernet
  ) throws -> Trainer {
    guard resume, directory.hasCheckpoint else {
      return try Trainer(
        net: fresh(), plan: plan, data: data, options: options, seed: seed, teacher: teacher, processes: processes)
    }
    let checkpoint = try Checkpoint(contentsOf: directory.checkpointPath)
    let known = checkpoint.description
    guard matches(known), known.options == options, known.seed == seed else {
      throw QuasarError(
        .usage,
        "\(directory.path): its checkpoint was made with another space or sub-network, seed or other options; "
          + "resume with the same ones, or use another folder")
    }
    let trainer = try Trainer(
      net: checkpoint.net, plan: plan, data: data, options: options, seed: seed, teacher: teacher,
      processes: processes)
    try checkpoint.restore(trainer)
    return trainer
  }

  /// Fine-tunes one sub-network of a trained supernet; the teacher is `teacher` or, if nil, the largest sub-network.
  public static func finetune(
    supernet: Checkpoint, architecture: Architecture, data: ImageSources, options: TrainingOptions,
    seed: UInt64, directory: RunDirectory, resume: Bool, teacher: Teacher? = nil,
    session: SessionOptions = SessionOptions(), sources: [String: String] = [:],
    processes: any ProcessGroup = SingleProcess(), progress: ProgressReporter
  ) throws {
    let teacher =
      teacher
      ?? supernet.description.space.map { Teacher(net: supernet.net, architecture: $0.largest, mode: .quantized) }
    let trainer = try trainer(
      plan: .fixed(architecture), data: data.train, options: options, seed: seed, directory: directory,
      resume: resume, teacher: teacher, processes: processes, matches: { $0.architecture == architecture },
      fresh: { try supernet.net.extract(architecture) })
    try run(trainer, directory, data.classNames, nil, session, sources, progress)
  }

  private static func run(
    _ trainer: Trainer, _ directory: RunDirectory, _ classNames: [String], _ heldOut: (any ImageSource)?,
    _ options: SessionOptions, _ sources: [String: String], _ progress: ProgressReporter
  ) throws {
    let session = try TrainingSession(
      trainer: trainer, directory: directory, classNames: classNames, heldOut: heldOut, options: options,
      sources: sources)
    try session.run(
      observe: { step, rate in
        let waited = trainer.waitingSeconds
        progress.update(
          done: step.step + 1, total: step.totalSteps,
          note: "\(step.mode.rawValue), loss \(fixed(step.loss, 3)), \(Int(rate)) images/s"
            + (step.oscillating.map { ", \(fixed(100 * $0, 2)) % oscillating" } ?? "")
            + (step.frozen.map { ", \(fixed(100 * $0, 2)) % frozen" } ?? "")
            + (waited < 1 ? "" : ", \(Int(waited)) s waited for images"))
      }, shouldStop: { progress.shouldStop })
  }

  /// Searches a trained supernet; the first process writes `search.json`, `lineage.jsonl` and one `subnet-F.json` per
  /// target.
  public static func search(
    supernet: Checkpoint, data: ImageSources, hardware: HardwareModel, targets: [Double],
    options: SearchOptions, seed: UInt64, directory: String, processes: any ProcessGroup = SingleProcess(),
    progress: ProgressReporter
  ) throws -> SearchResult {
    guard let space = supernet.description.space else {
      throw QuasarError(.usage, "the run holds one network, not a supernet; search needs a supernet run")
    }
    try data.train.checkFits(space.geometry)
    let search = try EvolutionarySearch(
      net: supernet.net, space: space, hardware: hardware, heldOut: split(data.train).heldOut,
      options: options, seed: seed, processes: processes)
    let result = try search.run(targets: targets) { done, total, candidate in
      progress.update(
        done: done, total: total,
        note: "\(Int(candidate.target)) FPS: \(fixed(100 * candidate.accuracy, 1)) % at \(Int(candidate.fps))"
      )
    }
    guard processes.isFirst else { return result }
    try makeFolder(directory)
    try AtomicFile.write(JSONText.encode(result), to: directory + "/search.json")
    let lineage = try result.candidates.map { try JSONText.encode($0, pretty: false) }.joined(separator: "\n")
    try AtomicFile.write(lineage + "\n", to: directory + "/lineage.jsonl")
    for found in result.results {
      try AtomicFile.write(
        JSONText.encode(found.candidate.architecture), to: "\(directory)/subnet-\(label(found.target)).json")
    }
    return result
  }

  /// Packs the network of a fine-tuned run into a `.quasar` file; returns the model.
  @discardableResult
  public static func pack(_ checkpoint: Checkpoint, architecture: Architecture?, to path: String) throws
    -> IntegerModel
  {
    guard let chosen = architecture ?? checkpoint.description.architecture else {
      throw QuasarError(.usage, "the run holds a supernet: name one sub-network with --subnet FILE")
    }
    let model = try IntegerModel(
      packing: checkpoint.net, architecture: chosen, classNames: checkpoint.description.classNames)
    let folder = (path as NSString).deletingLastPathComponent
    if !folder.isEmpty { try makeFolder(folder) }
    try PackedFile.write(model, to: path)
    return model
  }

  /// The architecture in a `subnet-F.json` file.
  public static func architecture(contentsOf path: String) throws -> Architecture {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw QuasarError(.missing, "\(path): no such sub-network file; 'quasar search' writes them")
    }
    do {
      let architecture = try JSONDecoder().decode(Architecture.self, from: data)
      try architecture.validate(source: path)
      return architecture
    } catch let error as QuasarError {
      throw error
    } catch DecodingError.keyNotFound(let key, _) {
      throw QuasarError(.badData, "\(path): the gene '\(key.stringValue)' is missing")
    } catch {
      throw QuasarError(.badData, "\(path): is not a sub-network file (\(reason(error)))")
    }
  }

  /// What a decoder has to say about a file, in a few words.
  public static func reason(_ error: Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    switch error {
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      let place = context.codingPath.map(\.stringValue).joined(separator: ".")
      return place.isEmpty ? context.debugDescription : "\(place): \(context.debugDescription)"
    default: return "\(error)"
    }
  }

  // MARK: Small things

  /// 12000 → "12000", 7.5 → "7.5": a target as it appears in file names.
  public static func label(_ target: Double) -> String {
    target == target.rounded() && target < 1e15 ? String(Int(target)) : String(target)
  }

  static func makeFolder(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw QuasarError(.cannotWrite, "\(path): the folder cannot be made (\(error.localizedDescription))")
    }
  }

  /// A number with this many decimals.
  public static func fixed(_ value: Double, _ decimals: Int) -> String {
    String(format: "%.\(decimals)f", value)
  }
}
