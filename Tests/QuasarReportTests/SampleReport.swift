import Foundation
import QuasarReport

/// A made-up but plausible run, the same on every call.
enum SampleReport {
  static func content() -> ReportContent {
    var random = Noise(state: 7)
    let targets = [(100.0, 8), (160.0, 8), (250.0, 6)]
    let candidates = candidates(&random, targets: targets)
    let names = [
      "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
      "Ankle boot",
    ]
    let subnets = zip(targets, candidates.filter { !$0.chosenFor.isEmpty }).enumerated().map { index, pair in
      subnet(
        index: index, target: pair.0.0, fps: pair.1.fps, accuracy: pair.1.accuracy,
        bits: pair.1.activationBits)
    }
    let steps = Array(stride(from: 0, through: 6000, by: 10))
    let loss = steps.map { 0.42 + 1.9 * exp(-Double($0) / 900) + 0.09 * random.next() }
    let evaluations = Array(stride(from: 0, through: 6000, by: 500))
    func rise(_ top: Double, _ pace: Double) -> [Double] {
      evaluations.map { top - (top - 0.1) * exp(-Double($0) / pace) + 0.004 * random.next() }
    }
    var content = ReportContent(
      title: "Quickstart: Fashion-MNIST on the ZCU102",
      dataset: DatasetSummary(
        name: "Fashion-MNIST, embedded subset", trainImages: 20_000, testImages: 2_000, channels: 1,
        height: 28,
        width: 28, classNames: names),
      baseline: Baseline(name: "softmax regression", accuracy: 0.8275), subnets: subnets,
      provenance: Provenance(
        seed: 1,
        command: "quasar run pipelines/quickstart.yaml --data embedded --out /srv/someone/runs/quickstart",
        version: "0.1.0"))
    content.unmetTargets = [
      UnmetTarget(
        fpsTarget: 900, reason: "the smallest sub-network of the space needs 1.31 ms an image, bound by DDR"
      )
    ]
    content.supernet = TrainingRun(
      name: "supernet", loss: [Curve(name: "training", steps: steps, values: loss)],
      accuracy: [
        Curve(name: "largest sub-network", steps: evaluations, values: rise(0.889, 700)),
        Curve(name: "smallest sub-network", steps: evaluations, values: rise(0.851, 1100)),
      ])
    content.fineTunings = subnets.map { subnet in
      let steps = Array(stride(from: 0, through: 1200, by: 10))
      return TrainingRun(
        name: subnet.name,
        loss: [
          Curve(
            name: "training", steps: steps,
            values: steps.map {
              0.31 + 0.16 * exp(-Double($0) / 300) + 0.05 * random.next() + subnet.fps / 4000
            })
        ],
        accuracy: [
          Curve(
            name: "test", steps: [0, 200, 400, 600, 800, 1000, 1200],
            values: [0, 200, 400, 600, 800, 1000, 1200].map {
              subnet.accuracyFloat - 0.02 * exp(-$0 / 300) + 0.002 * random.next()
            })
        ])
    }
    content.search = SearchSummary(
      accuracySource: "supernet weights on 2,000 held-out training images", candidates: candidates,
      rejected: 1486)
    return content
  }

  private static func candidates(_ random: inout Noise, targets: [(Double, Int)]) -> [CandidatePoint] {
    var all: [CandidatePoint] = []
    for generation in 0..<12 {
      for _ in 0..<40 {
        let bits = random.next() > 0.1 ? 8 : 6
        let speed = 70 + 330 * pow(abs(random.next()), 1.3)
        let ceiling = 0.885 - 0.00016 * speed - (bits == 6 ? 0.004 : 0.012 * speed / 400)
        let spread = 0.035 / (1 + Double(generation) / 3)
        all.append(
          CandidatePoint(
            fps: speed, accuracy: ceiling - spread * abs(random.next()), activationBits: bits,
            generation: generation))
      }
    }
    for (index, target) in targets.enumerated() {
      let fast = all.indices.filter { all[$0].fps >= target.0 && all[$0].chosenFor.isEmpty }
      if let best = fast.max(by: { all[$0].accuracy < all[$1].accuracy }) {
        all[best].chosenFor = "\(Int(targets[index].0)) FPS"
      }
    }
    return all.sorted { ($0.fps, $0.accuracy) < ($1.fps, $1.accuracy) }
  }

  private static func subnet(
    index: Int, target: Double, fps: Double, accuracy: Double, bits: Int
  ) -> SubnetSummary {
    let depth = [7, 6, 5][index]
    let width = [192, 160, 128][index]
    var layers = [layer("patch_embed", rows: width, share: 1, inner: 16, scale: 1)]
    for block in 0..<depth {
      let heads = 3 + (block + index) % 2
      layers.append(
        layer(
          "blocks.\(block).qkv", rows: heads * 192, share: Double((block + index) % 5) / 4, inner: width,
          scale: 1))
      layers.append(layer("blocks.\(block).attention", rows: 0, share: 0, inner: heads * 50, scale: 90))
      layers.append(
        layer(
          "blocks.\(block).projection", rows: width, share: Double((block + 1) % 3) / 4, inner: heads * 64,
          scale: 1))
      layers.append(
        layer(
          "blocks.\(block).expand", rows: width * 2, share: Double((block * 2 + 1) % 5) / 4, inner: width,
          scale: 1))
      layers.append(
        layer(
          "blocks.\(block).contract", rows: width, share: Double(block % 4) / 4, inner: width * 2, scale: 1))
    }
    layers.append(layer("head", rows: 10, share: 1, inner: width, scale: 1))
    return SubnetSummary(
      name: "\(Int(target)) FPS", fpsTarget: target, fps: fps,
      board: BoardSummary(
        device: "ZCU102", clockMegahertz: 200, dsp: BoardSummary.Use([1312, 1536, 1804][index], of: 2520),
        lut: BoardSummary.Use([98_420, 112_055, 131_870][index], of: 274_080),
        bram18: BoardSummary.Use([612, 588, 540][index], of: 1824)),
      genes: GeneSummary(
        embedDimension: width, depth: depth, heads: (0..<depth).map { 3 + ($0 + index) % 2 },
        mlpRatios: (0..<depth).map { 2 + Double($0 % 2) / 2 }, activationBits: bits,
        share8Bit: [0.482, 0.355, 0.241][index], averageWeightBits: [5.98, 5.47, 5.02][index]),
      accuracyFloat: accuracy + 0.0137, accuracyInteger: accuracy + 0.0125, layers: layers)
  }

  private static func layer(_ name: String, rows: Int, share: Double, inner: Int, scale: Int) -> LayerSummary {
    let compute = rows > 0 ? rows * inner * 50 / 1200 : inner * scale
    let transfer = max(rows * inner / 14, inner * 40)
    return LayerSummary(
      name: name, rows: rows, rows8: Int(Double(rows) * share), computeCycles: compute,
      transferCycles: transfer,
      cycles: max(compute, transfer) + 420)
  }

  /// Numbers from −1 to 1 (xorshift).
  struct Noise {
    var state: UInt64
    mutating func next() -> Double {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Double(state >> 11) / Double(1 << 52) - 1
    }
  }
}
