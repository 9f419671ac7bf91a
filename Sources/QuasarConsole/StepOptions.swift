import ArgumentParser
import Quasar

extension TrainingProducts: ExpressibleByArgument {
  /// The help of an option that chooses one.
  package static let help = ArgumentHelp(TrainingOptions.table.description("products")?.help ?? "")
}

/// Trades compute for memory.
package struct MemoryOption: ParsableArguments {
  private static let help = ArgumentHelp(SessionOptions.table.description("recompute")?.help ?? "")

  @Flag(name: .long, help: MemoryOption.help) package var recompute = false

  package init() {}
}
