import QuasarInterchange
import QuasarTrain

/// One training: the options that decide its weights, and what its session does besides.
public struct TrainingSetup: Sendable, Equatable {
  /// Options that decide the weights.
  public var options = TrainingOptions()
  /// Options that change no bit of them.
  public var session = SessionOptions()

  /// Every option at its default.
  public init() {}

  /// Fine-tuning starts quantised and ends in exact integers.
  public static var finetuneDefaults: TrainingSetup {
    var setup = TrainingSetup()
    setup.options.epochs = 5
    setup.options.learningRate = 1e-3
    setup.options.fullPrecision = 0
    setup.options.exact = 0.25
    setup.options.sandwich = false
    setup.options.randomSubnets = 1
    return setup
  }
}

extension TrainingSetup: Codable {
  /// A record holds the options alone: sessions may change while a run goes on.
  public init(from decoder: any Decoder) throws { options = try TrainingOptions(from: decoder) }

  public func encode(to encoder: any Encoder) throws { try options.encode(to: encoder) }
}

extension TrainingSetup {
  /// The options of both, as the mapping `train` has them.
  public static let table =
    TrainingOptions.table.lifted(\TrainingSetup.options) + SessionOptions.table.lifted(\TrainingSetup.session)

  /// The same for fine-tuning, which trains on all images.
  public static let finetuneTable = table.adding(SessionOptions.withoutAccuracy.lifted(\TrainingSetup.session))
}
