import ArgumentParser
import Quasar
import QuasarConsole

/// Where the first weights of a training come from.
struct InitialWeightsOptions: ParsableArguments {
  @Option(
    name: .customLong("init"),
    help: "Start with the weights of a timm vision transformer (safetensors) of the space's largest sizes.")
  var file: String?

  @Option(
    name: .customLong("init-mean"),
    help: "Mean pixel of each channel, 0…1, in its training (default: ImageNet's)."
  )
  var mean: String?

  @Option(name: .customLong("init-deviation"), help: "Deviation of the pixels of each channel (default: ImageNet's).")
  var deviation: String?

  /// The weights in the file, with a line that says where the head comes from; nil without --init.
  func load(_ space: SearchSpace, resume: Bool) throws -> TimmWeights? {
    guard let file else {
      guard mean == nil, deviation == nil else {
        throw QuasarError(.usage, "--init-mean and --init-deviation belong to --init FILE; name the file")
      }
      return nil
    }
    guard !resume else {
      throw QuasarError(
        .usage, "--init \(file): --resume goes on with the weights of the checkpoint; leave one of them out")
    }
    guard (mean == nil) == (deviation == nil) else {
      throw QuasarError(.usage, "--init-mean and --init-deviation come together; give both or neither")
    }
    var initial = InitialWeights(file: file)
    if let mean, let deviation {
      initial.pixels = Preprocessing(
        mean: try numbers(mean, "--init-mean"), deviation: try numbers(deviation, "--init-deviation"))
    }
    let (weights, note) = try initial.load(for: space)
    Console.note(note)
    return weights
  }

  private func numbers(_ text: String, _ option: String) throws -> [Float] {
    try text.split(separator: ",").map { part in
      guard let value = Float(part) else {
        throw QuasarError(.usage, "\(option) \(text): '\(part)' is no number; write e.g. 0.485,0.456,0.406")
      }
      return value
    }
  }
}
