import ArgumentParser
import Quasar

extension TrainingProducts: ExpressibleByArgument {
  /// The help of an option that chooses one.
  package static let help: ArgumentHelp =
    "integer8 (8-bit gradients), integer (15-bit gradients), or float for fp32 products of dequantised values."
}

/// Trades compute for memory.
package struct MemoryOption: ParsableArguments {
  @Flag(
    name: .long,
    help: "Compute blocks again in the backward pass instead of keeping their activations: less memory, same bits.")
  package var recompute = false

  package init() {}
}
