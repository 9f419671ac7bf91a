import Foundation
import QuasarHardware
import QuasarNetwork
import QuasarReport
import QuasarSearch
import QuasarTensor
import QuasarTrain

/// Gathers the contents of the report page from the files of a pipeline.
public struct ReportBuilder {
  private let state: PipelineState
  private let output: String

  init(state: PipelineState, output: String) {
    self.state = state
    self.output = output
  }

  /// The pipeline in a folder; throws `missing` if there is none.
  public init(folder: String) throws {
    guard let state = try PipelineState.read(folder) else {
      throw QuasarError(.missing, "\(folder): no pipeline.json; 'quasar run' writes one")
    }
    self.init(state: state, output: folder)
  }

  /// The contents of the page; parts whose files do not exist yet are left out.
  public func content() throws -> ReportContent {
    guard let dataset = state.dataset else {
      throw QuasarError(.badData, "\(output)/pipeline.json: no step has run yet")
    }
    let configuration = state.configuration
    let subnets = state.subnets.sorted { $0.fpsTarget < $1.fpsTarget }
    var content = ReportContent(
      title: configuration.name, dataset: dataset,
      baseline: state.baseline.map { Baseline(name: "softmax regression", accuracy: $0) },
      subnets: try subnets.map(summary),
      provenance: Provenance(
        seed: Int(truncatingIfNeeded: configuration.seed), command: "quasar run PIPELINE.yaml --out DIR",
        version: quasarVersion))
    content.supernet = curves("supernet", folder: "supernet")
    content.fineTunings = subnets.compactMap {
      curves(name($0.fpsTarget), folder: "finetune-\(Workflow.label($0.fpsTarget))")
    }
    content.search = try searchSummary(chosen: subnets.map(\.fpsTarget))
    return content
  }

  private func name(_ target: Double) -> String { "\(Workflow.label(target)) FPS" }

  private func summary(_ subnet: Summary.Subnet) throws -> SubnetSummary {
    let device = try Device.load(state.configuration.device)
    let hardware = try HardwareModel(device: device, clockMHz: state.configuration.clockMHz)
    let architecture = try Workflow.architecture(
      contentsOf: "\(output)/search/subnet-\(Workflow.label(subnet.fpsTarget)).json")
    let estimate = try hardware.estimate(architecture)
    return SubnetSummary(
      name: name(subnet.fpsTarget), fpsTarget: subnet.fpsTarget, fps: subnet.fps,
      board: BoardSummary(
        device: subnet.device, clockMegahertz: estimate.clockMHz, dsp: BoardSummary.Use(subnet.dsp, of: device.dsp),
        lut: BoardSummary.Use(subnet.lut, of: device.lut), bram18: BoardSummary.Use(subnet.bram18, of: device.bram18)),
      genes: GeneSummary(
        embedDimension: architecture.embedDimension, depth: architecture.depth,
        heads: architecture.blocks.map(\.heads), mlpRatios: architecture.blocks.map(\.mlpRatio),
        activationBits: subnet.activationBits, share8Bit: subnet.share8bit,
        averageWeightBits: subnet.averageWeightBits),
      accuracyFloat: subnet.accuracyFloat, accuracyInteger: subnet.accuracyInteger,
      layers: estimate.layers.map { layer in
        // Attention products have activations on both sides, so there are no rows of weights to show.
        let weighted = !layer.kind.isAttention
        return LayerSummary(
          name: layer.name, rows: weighted ? layer.rows4 + layer.rows8 : 0, rows8: weighted ? layer.rows8 : 0,
          computeCycles: layer.computeCycles, transferCycles: layer.transferCycles, cycles: layer.totalCycles)
      })
  }

  private func curves(_ name: String, folder: String) -> TrainingRun? {
    let entries = RunDirectory("\(output)/\(folder)").log.read()
    guard !entries.isEmpty else { return nil }
    let training = entries.filter { $0.event == .training }
    let subnets: [String] = ["largest", "smallest", "network"].filter { kind in
      entries.contains { $0.subnet == kind }
    }
    return TrainingRun(
      name: name,
      loss: [
        Curve(name: "training", steps: training.map(\.step), values: training.map { $0.loss ?? .nan })
      ],
      accuracy: subnets.map { kind in
        let points = entries.filter { $0.subnet == kind }
        return Curve(
          name: kind == "network" ? kind : kind + " sub-network", steps: points.map(\.step),
          values: points.map { $0.accuracy ?? .nan })
      })
  }

  private func searchSummary(chosen targets: [Double]) throws -> SearchSummary? {
    let path = output + "/search/search.json"
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    guard let result = try? JSONDecoder().decode(SearchResult.self, from: data) else {
      throw QuasarError(.badData, "\(path): not a search result")
    }
    let names = Dictionary(
      uniqueKeysWithValues: result.results.filter { targets.contains($0.target) }
        .map { ($0.candidate.id, name($0.target)) })
    return SearchSummary(
      accuracySource: "supernet weights on \(result.options.images) held-out training images",
      candidates: result.candidates.map {
        CandidatePoint(
          fps: $0.fps, accuracy: $0.accuracy, activationBits: $0.architecture.activationBits,
          generation: $0.generation, chosenFor: names[$0.id] ?? "")
      }, rejected: result.refused)
  }
}

/// The version of this package.
public let quasarVersion = "0.2.0"
