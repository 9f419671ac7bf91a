/// The contents of the report page of one run, as plain numbers and texts.
///
/// Accuracies and shares are fractions of 1. If a part is absent (nil or an empty list), its section is left out.
/// Nothing here is computed from the clock or the machine, so equal contents give equal pages.
public struct ReportContent: Codable, Sendable, Equatable {
  /// Heading of the page: "Quickstart on Fashion-MNIST".
  public var title: String
  /// The images.
  public var dataset: DatasetSummary
  /// A simple classifier on the same split, for comparison.
  public var baseline: Baseline?
  /// The chosen sub-networks, one per target.
  public var subnets: [SubnetSummary]
  /// Targets without a sub-network.
  public var unmetTargets: [UnmetTarget] = []
  /// Curves of the supernet's training.
  public var supernet: TrainingRun?
  /// Curves of the fine-tuning of each sub-network.
  public var fineTunings: [TrainingRun] = []
  /// The candidates of the search.
  public var search: SearchSummary?
  /// The command, seed and version that make the run again.
  public var provenance: Provenance

  /// The contents of a page; the other parts are set afterwards.
  public init(
    title: String, dataset: DatasetSummary, baseline: Baseline? = nil, subnets: [SubnetSummary], provenance: Provenance
  ) {
    self.title = title
    self.dataset = dataset
    self.baseline = baseline
    self.subnets = subnets
    self.provenance = provenance
  }
}

/// The images that the run was trained and measured on.
public struct DatasetSummary: Codable, Sendable, Equatable {
  /// Name for people.
  public var name: String
  /// Number of training images.
  public var trainImages: Int
  /// Number of test images.
  public var testImages: Int
  /// 1 (grey) or 3 (colour).
  public var channels: Int
  /// Rows of an image.
  public var height: Int
  /// Columns of an image.
  public var width: Int
  /// Names of the classes.
  public var classNames: [String]

  /// The summary of a data set.
  public init(
    name: String, trainImages: Int, testImages: Int, channels: Int, height: Int, width: Int,
    classNames: [String]
  ) {
    self.name = name
    self.trainImages = trainImages
    self.testImages = testImages
    self.channels = channels
    self.height = height
    self.width = width
    self.classNames = classNames
  }
}

/// A simple classifier that a sub-network has to beat.
public struct Baseline: Codable, Sendable, Equatable {
  /// "softmax regression"
  public var name: String
  /// Top-1 on the test images.
  public var accuracy: Double

  /// The classifier with this accuracy.
  public init(name: String, accuracy: Double) {
    self.name = name
    self.accuracy = accuracy
  }
}

/// A target that no candidate met, with the reason.
public struct UnmetTarget: Codable, Sendable, Equatable {
  /// The target in frames per second.
  public var fpsTarget: Double
  /// The reason why no candidate met it, in one sentence.
  public var reason: String

  /// The target and the reason.
  public init(fpsTarget: Double, reason: String) {
    self.fpsTarget = fpsTarget
    self.reason = reason
  }
}

/// One layer of a sub-network on the engine.
public struct LayerSummary: Codable, Sendable, Equatable {
  /// "blocks.2.qkv": the part before the last dot is the group in the chart.
  public var name: String
  /// Rows of the weight matrix; 0 for a layer without weights.
  public var rows: Int
  /// Rows with 8 bits.
  public var rows8: Int
  /// Cycles that the arithmetic takes by itself.
  public var computeCycles: Int
  /// Cycles that the transfers take by themselves.
  public var transferCycles: Int
  /// Cycles of the layer: compute and transfer overlapped, fill and drain included.
  public var cycles: Int

  /// The figures of one layer.
  public init(
    name: String, rows: Int, rows8: Int, computeCycles: Int, transferCycles: Int, cycles: Int
  ) {
    self.name = name
    self.rows = rows
    self.rows8 = rows8
    self.computeCycles = computeCycles
    self.transferCycles = transferCycles
    self.cycles = cycles
  }
}

/// Curves of one training.
public struct TrainingRun: Codable, Sendable, Equatable {
  /// "supernet", "100 FPS", …
  public var name: String
  /// Loss over the steps, one curve or more.
  public var loss: [Curve]
  /// Top-1 over the steps, one curve or more.
  public var accuracy: [Curve]

  /// The curves of one training.
  public init(name: String, loss: [Curve], accuracy: [Curve]) {
    self.name = name
    self.loss = loss
    self.accuracy = accuracy
  }
}

/// Values over training steps.
public struct Curve: Codable, Sendable, Equatable {
  /// "training", "largest sub-network", …
  public var name: String
  /// Training steps, rising.
  public var steps: [Int]
  /// As many values as `steps`; if the lengths differ, the shorter one counts.
  public var values: [Double]

  /// The curve through these values.
  public init(name: String, steps: [Int], values: [Double]) {
    self.name = name
    self.steps = steps
    self.values = values
  }
}

/// The candidates of the evolutionary search.
public struct SearchSummary: Codable, Sendable, Equatable {
  /// The source of the accuracies below: "supernet weights, 1,000 held-out images".
  public var accuracySource: String
  /// Every candidate whose accuracy was measured.
  public var candidates: [CandidatePoint]
  /// Candidates that a constraint ruled out before any accuracy was measured.
  public var rejected: Int

  /// The summary of a search.
  public init(accuracySource: String, candidates: [CandidatePoint], rejected: Int) {
    self.accuracySource = accuracySource
    self.candidates = candidates
    self.rejected = rejected
  }
}

/// One sub-network that the search evaluated.
public struct CandidatePoint: Codable, Sendable, Equatable {
  /// Predicted frames per second.
  public var fps: Double
  /// Accuracy measured during the search, before fine-tuning.
  public var accuracy: Double
  /// Bits of the codes between the layers.
  public var activationBits: Int
  /// Generation of the search, from 0.
  public var generation: Int
  /// The name of the chosen sub-network that this candidate became; empty for all others.
  public var chosenFor: String

  /// One evaluated sub-network.
  public init(fps: Double, accuracy: Double, activationBits: Int, generation: Int, chosenFor: String = "") {
    self.fps = fps
    self.accuracy = accuracy
    self.activationBits = activationBits
    self.generation = generation
    self.chosenFor = chosenFor
  }
}

/// The command, seed and version that make the same report again.
public struct Provenance: Codable, Sendable, Equatable {
  /// Seed of all random numbers.
  public var seed: Int
  /// The command line; absolute paths are shortened to their last part on the page.
  public var command: String
  /// Version of Quasar.
  public var version: String

  /// The origin of a run.
  public init(seed: Int, command: String, version: String) {
    self.seed = seed
    self.command = command
    self.version = version
  }

  /// The command with every absolute or home path cut to "…/" and its last part.
  ///
  /// Example: `--data cifar10:/data/sets/c10 --out ~/runs/a` → `--data cifar10:…/c10 --out …/a`.
  public var commandWithoutPaths: String {
    var result = ""
    var previous: Character = " "
    var rest = Substring(command)
    while let character = rest.first {
      let startsWord = " \t\n=:,;'\"(".contains(previous)
      if startsWord, character == "/" || rest.hasPrefix("~"), !rest.hasPrefix("//") {
        let path = rest.prefix { !" \t\n,;'\")".contains($0) && !($0 == ":") }
        let last = path.split(separator: "/").last.map(String.init) ?? ""
        result += last.hasPrefix("~") || last.isEmpty ? "…" : "…/" + last
        rest = rest.dropFirst(path.count)
        previous = path.last ?? character
      } else {
        result.append(character)
        previous = character
        rest = rest.dropFirst()
      }
    }
    return result
  }
}
