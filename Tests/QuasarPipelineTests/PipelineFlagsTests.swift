import Foundation
import QuasarInterchange
import QuasarNetwork
import QuasarSearch
import QuasarSupernet
import QuasarTensor
import QuasarTrain
import Testing

@testable import QuasarPipeline

/// Flags in place of keys, options that follow others, and the record of a pipeline.
@Suite struct PipelineFlagsTests {
  static let file = """
    name: keys
    data: folder:images
    space: cifar-s
    device: pynq-z2
    targets_fps: [1000]
    seed: 1
    train: {batch_size: 48, epochs: 7}
    search: {population: 8, elites: 5}
    """

  private func configuration(
    _ yaml: String = PipelineFlagsTests.file, _ change: (inout PipelineFlags) -> Void = { _ in }
  ) throws
    -> PipelineConfiguration
  {
    var flags = PipelineFlags()
    (flags.train.prefix, flags.search.prefix, flags.finetune.prefix) = ("train-", "search-", "finetune-")
    change(&flags)
    return try PipelineConfiguration(yaml: yaml, file: "keys.yaml", flags: flags)
  }

  private func refused(_ yaml: String = PipelineFlagsTests.file, _ change: (inout PipelineFlags) -> Void) -> String {
    quasarError { _ = try configuration(yaml, change) }?.message ?? "accepted"
  }

  @Test func everyKeyHasAFlagThatWins() throws {
    let found = try configuration(Self.file) { flags in
      flags.run.values = [
        "name": "other", "data": "embedded", "cache": "images.cache", "skip_damaged": "true", "space": "fashion-s",
        "device": "zcu102", "clock_mhz": "150", "targets_fps": "10,20.5", "seed": "18446744073709551615",
        "teacher": "runs/large",
      ]
      flags.initial.values = ["file": "deit.safetensors", "mean": "0.5,0.5,0.5", "deviation": "0.25,0.5,1"]
      flags.train.values = ["epochs": "3", "flip": "false", "keep_last": "2", "recompute": "true"]
      flags.search.values = ["images": "40"]
      flags.finetune.values = ["distillation": "0.25", "evaluate_subnets": "0"]
      #expect(flags.run.values.keys.sorted() == PipelineConfiguration.table.keys.sorted())
      #expect(flags.initial.values.keys.sorted() == InitialWeightsOptions.table.keys.sorted())
    }
    #expect(found.name == "other" && found.data == "embedded" && found.cache == "images.cache" && found.skipDamaged)
    #expect(found.space == "fashion-s" && found.device == "zcu102" && found.clockMHz == 150)
    #expect(found.targets == [10, 20.5] && found.seed == .max && found.teacher == "runs/large")
    #expect(found.initial?.file == "deit.safetensors" && found.initial?.pixels?.deviation == [0.25, 0.5, 1])
    #expect(found.train.options.epochs == 3 && found.train.options.batchSize == 48 && !found.train.options.flip)
    #expect(found.train.session.kept.last == 2 && found.train.session.recomputes)
    #expect(found.search.images == 40 && found.search.population == 8)
    #expect(found.finetune.options.distillation == 0.25 && found.finetune.options.epochs == 5)
    #expect(found.finetune.session.evaluatedSubnets == 0 && !found.finetune.session.recomputes)
    // A file may leave out what a flag gives.
    let short = Self.file.split(separator: "\n").dropFirst().joined(separator: "\n")
    #expect(try configuration(short) { $0.run.values = ["name": "n"] }.name == "n")
    #expect(refused(short) { _ in } == "keys.yaml:1: name: missing; add 'name: …'")
  }

  @Test func faultsOfFlagsAreNamed() {
    #expect(refused { $0.train.values = ["repeats": "7"] }.hasPrefix("--train-repeats 7: a batch holds"))
    #expect(refused { $0.finetune.values = ["keep_best": "1"] }.hasPrefix("--finetune-keep-best 1: no best"))
    #expect(refused { $0.search.values = ["crossover": "2"] } == "--search-crossover 2: must be a number from 0 to 1")
    #expect(refused { $0.run.values = ["skip_damaged": "true"] }.hasPrefix("--skip-damaged: damaged images"))
    #expect(
      refused { $0.run.values = ["targets_fps": "10,0"] }.hasPrefix("--fps 10,0: '0' must be a number from 0.001"))
    #expect(refused { $0.initial.values = ["mean": "0.5"] }.hasPrefix("--init-mean 0.5: mean and deviation"))
    let alone = refused { $0.initial.values = ["mean": "0.5", "deviation": "0.5"] }
    #expect(
      alone.hasPrefix("--init-mean 0.5, --init-deviation 0.5: pixels belong to the weights of a file"), "\(alone)")
  }

  /// The default of elites is at most the population; elites that are written are not lowered.
  @Test func elitesFollowThePopulation() throws {
    func search(_ mapping: String, _ flags: [String: String] = [:]) throws -> (Int, Int) {
      let lines = Self.file.split(separator: "\n").dropLast().joined(separator: "\n")
      let found = try configuration(lines + "\nsearch: {\(mapping)}") { $0.search.values = flags }.search
      return (found.population, found.elites)
    }
    #expect(try search("population: 4") == (4, 4))
    #expect(try search("population: 40") == (40, 6))
    #expect(try search("", ["population": "3"]) == (3, 3))
    #expect(try search("population: 4, elites: 3") == (4, 3))
    #expect(try search("elites: 4", ["population": "5"]) == (5, 4))
    let file = quasarError { _ = try search("elites: 5, population: 4") }
    #expect(file?.message.hasPrefix("keys.yaml:8: search.population: elites are some of the population, but 5") == true)
    let flags = quasarError { _ = try search("elites: 5", ["population": "4"]) }
    #expect(flags?.message.hasPrefix("--search-population 4: elites are") == true, "\(flags?.message ?? "accepted")")
    let both = quasarError { _ = try search("", ["population": "4", "elites": "5"]) }
    #expect(both?.message.hasPrefix("--search-population 4, --search-elites 5: elites are") == true)
  }

  private static func stored(_ changes: [(String, String)]) -> String {
    var text =
      #"{"accumulation":1,"average":0,"batchSize":32,"calibrationPercentile":0,"cropScale":1,"cutmix":0,"#
      + #""decayFactor":0.1,"decayPoints":[0.6,0.85],"distillation":0.5,"dropPath":0,"entanglement":"independent-steps","#
      + #""epochs":1,"exact":0,"flip":true,"fullPrecision":0.4,"gptqStart":false,"hardDistillation":false,"#
      + #""labelSmoothing":0.1,"layerScale":true,"learningRate":0.004,"mixup":0,"optimizer":{"beta1":0.9,"beta2":0.999,"#
      + #""clipNorm":1,"epsilon":1e-08,"rule":"adamw","stepFactor":0.5,"weightDecay":0.05},"oscillationMomentum":0.01,"#
      + #""oscillationThreshold":0,"products":"integer8","progressive":0,"randAugment":0,"randAugmentMagnitude":9,"#
      + #""randomErasing":0.25,"randomSubnets":1,"repeats":1,"sandwich":true,"schedule":"cosine","shift":0,"warmUp":0.05}"#
    for (name, value) in changes {
      let parts = text.components(separatedBy: "\"\(name)\":")
      text = parts[0] + "\"\(name)\":\(value)" + parts[1].drop { $0 != "," && $0 != "}" }
    }
    return text
  }

  /// What `quasar run` of 0.1 wrote for this file, byte for byte; sessions are no part of it.
  @Test func theRecordIsAsBefore() throws {
    let yaml = """
      name: Small pipeline
      data: embedded
      space: space.yaml
      device: pynq-z2
      targets_fps: [30000, 40000]
      seed: 3
      train: {epochs: 1, batch_size: 32, keep_best: 2}
      search: {population: 4, generations: 1, children: 3, elites: 2, images: 40}
      finetune: {epochs: 1, batch_size: 32, gptq_start: true, calibration_percentile: 99.9,
        oscillation_threshold: 0.02, oscillation_momentum: 0.015, recompute: true}
      """
    let finetune = Self.stored([
      ("calibrationPercentile", "99.9"), ("exact", "0.25"), ("fullPrecision", "0"), ("gptqStart", "true"),
      ("learningRate", "0.001"), ("oscillationMomentum", "0.015"), ("oscillationThreshold", "0.02"),
      ("sandwich", "false"),
    ])
    let before =
      #"{"data":"embedded","device":"pynq-z2","finetune":"# + finetune
      + #","name":"Small pipeline","search":{"attempts":400,"blockMutation":0.3,"children":3,"crossover":0.5,"elites":2,"#
      + #""generations":1,"images":40,"networkMutation":0.3,"population":4},"seed":3,"space":"space.yaml","#
      + #""targets":[30000,40000],"train":"# + Self.stored([]) + "}"
    let found = try PipelineConfiguration(yaml: yaml, file: "p.yaml")
    #expect(try JSONText.encode(found, pretty: false) == before)
    let read = try JSONDecoder().decode(PipelineConfiguration.self, from: Data(before.utf8))
    #expect(read.decidesTheSame(as: found) && found.decidesTheSame(as: read))
    // The sessions alone differ, and do not count.
    #expect(read != found && read.finetune.options == found.finetune.options)
    #expect(!read.decidesTheSame(as: try configuration()))
    var damaged = found
    damaged.skipDamaged = true
    #expect(try JSONText.encode(damaged, pretty: false).contains(#""skipsDamaged":true"#))
    #expect(!damaged.decidesTheSame(as: found))
  }
}
