import QuasarInterchange
import QuasarSupernet

/// What a session does besides training; none of it changes a bit of the weights.
public struct SessionOptions: Sendable, Equatable {
  /// Random sub-networks whose accuracy is followed next to the largest and the smallest; the same ones through the run.
  public var evaluatedSubnets = 2
  /// Checkpoints of epochs that are kept next to the latest one.
  public var kept = KeptCheckpoints()
  /// Compute blocks again in the backward pass instead of keeping their activations.
  public var recomputes = false

  public init() {}

  /// The rule of runs that train on all images, which have no held-out accuracy.
  public static let withoutAccuracy = OptionRule<SessionOptions>(["keep_best"]) { options in
    options.kept.best == 0
      ? nil
      : "no best checkpoints can be kept: all images are trained on, there is no held-out accuracy; keep last ones"
  }
}

extension SessionOptions {
  /// Keys, flags, ranges, units and help of every option: the one place that names them.
  public static let table = OptionTable<SessionOptions>([
    OptionEntry(
      "keep_best", \.kept.best, .integer(0...100_000), unit: "checkpoints",
      "Checkpoints of the best epochs to keep in kept/, by held-out accuracy."),
    OptionEntry(
      "keep_last", \.kept.last, .integer(0...100_000), unit: "checkpoints",
      "Checkpoints of the last epochs to keep in kept/."),
    OptionEntry(
      "evaluate_subnets", \.evaluatedSubnets, .integer(0...1000),
      "Random sub-networks whose held-out accuracy is followed."),
    OptionEntry(
      "recompute", \.recomputes, .flag,
      "Compute blocks again in the backward pass instead of keeping their activations: less memory, same bits."),
  ])
}
