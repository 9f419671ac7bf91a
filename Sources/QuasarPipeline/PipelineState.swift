import Foundation
import QuasarReport
import QuasarTensor

/// The contents of `OUT/pipeline.json`: the configuration, finished steps with their seconds, and results.
struct PipelineState: Codable {
  var configuration: PipelineConfiguration
  var dataset: DatasetSummary?
  var steps: [String: Double] = [:]
  var baseline: Double?
  var subnets: [Summary.Subnet] = []

  init(configuration: PipelineConfiguration) {
    self.configuration = configuration
  }

  /// The record in a folder; nil if there is none.
  static func read(_ folder: String) throws -> PipelineState? {
    guard let data = FileManager.default.contents(atPath: folder + "/pipeline.json") else { return nil }
    guard let state = try? JSONDecoder().decode(PipelineState.self, from: data) else {
      throw QuasarError(
        .badData, "\(folder)/pipeline.json: not a pipeline record; delete the folder or choose another --out")
    }
    return state
  }
}
