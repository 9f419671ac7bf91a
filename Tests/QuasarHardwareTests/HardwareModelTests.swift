import Foundation
import QuasarArithmetic
import QuasarNetwork
import QuasarTensor
import Testing

@testable import QuasarHardware

@Suite("Hardware model")
struct HardwareModelTests {
  static let devices = ["pynq-z2", "zcu102", "u50"]

  func model(_ name: String) throws -> HardwareModel { try HardwareModel(device: Device.named(name)) }

  @Test("More 8-bit rows are never faster, matrix by matrix, fixed engine and optimised", arguments: devices)
  func shares(device: String) throws {
    let model = try model(device)
    for bits in [6, 8] {
      let engine = smallEngine(model.device, bits: bits)
      for role in LayerID.Role.mixed {
        for width in [64, 96, 160] {
          var last = 0
          for share in RowShare.allCases {
            var architecture = tinyNetwork(width: width, share: .quarter, bits: bits)
            for index in architecture.blocks.indices { architecture.blocks[index].shares[role] = share }
            let cycles = try model.cycles(architecture, engine: engine).cycles
            #expect(cycles >= last, "width \(width) share \(share)")
            last = cycles
          }
        }
      }
      var last = 0
      for share in RowShare.allCases {
        let cycles = try model.estimate(tinyNetwork(width: 96, share: share, bits: bits)).cycles
        #expect(cycles >= last)
        last = cycles
      }
    }
  }

  @Test("Modes with unlike numbers of rows keep the order too")
  func unlikeModes() throws {
    let model = try model("zcu102")
    var engine = smallEngine(model.device)
    engine.fourBitMode = .w4a8TripleRestored
    engine.eightBitMode = .w8a8Pair
    engine.drainGroup = 1
    for lanes in [1, 8, 64] {
      engine.requantisationLanes = lanes
      for width in stride(from: 32, through: 320, by: 32) {
        var last = 0
        for share in RowShare.allCases {
          let cycles = try model.cycles(tinyNetwork(width: width, share: share), engine: engine).cycles
          #expect(cycles >= last, "\(lanes) lanes, width \(width), share \(share)")
          last = cycles
        }
      }
    }
  }

  @Test("Wider, deeper and larger MLPs are slower", arguments: devices)
  func size(device: String) throws {
    let model = try model(device)
    let engine = smallEngine(model.device)
    func check(_ networks: [Architecture], strictly: Bool) throws {
      var fixed = 0
      var optimised = 0
      for network in networks {
        let a = try model.cycles(network, engine: engine).cycles
        let b = try model.estimate(network).cycles
        #expect(strictly ? a > fixed : a >= fixed)
        #expect(strictly ? b > optimised : b >= optimised)
        (fixed, optimised) = (a, b)
      }
    }
    try check([64, 96, 128, 192, 256].map { tinyNetwork(width: $0) }, strictly: true)
    try check((1...6).map { tinyNetwork(depth: $0) }, strictly: true)
    try check([1, 1.5, 2, 3, 4].map { tinyNetwork(ratio: $0) }, strictly: false)
  }

  @Test("Fewer activation bits are never slower", arguments: devices)
  func activationBits(device: String) throws {
    let model = try model(device)
    for share in RowShare.allCases {
      for width in [64, 96] {
        let six = try model.estimate(tinyNetwork(width: width, share: share, bits: 6))
        let eight = try model.estimate(tinyNetwork(width: width, share: share, bits: 8))
        #expect(six.cycles <= eight.cycles)
      }
    }
  }

  @Test("4-bit rows with 6-bit activations are clearly faster than all 8 bits")
  func lowPrecision() throws {
    let model = try model("pynq-z2")
    for width in [64, 96] {
      let low = try model.estimate(tinyNetwork(width: width, share: .none, bits: 6))
      let high = try model.estimate(tinyNetwork(width: width, share: .all, bits: 8))
      #expect(low.fps > 1.1 * high.fps)
      #expect(low.fps > 1000 && low.fps < 20_000)
    }
  }

  @Test("Estimates add up, fit their device and survive JSON", arguments: Device.builtInNames)
  func consistency(device: String) throws {
    let model = try model(device)
    for name in ["deit-t", "vit-cifar"] {
      let network = try Architecture.named(name).with(weightBits: WeightBits("mixed:0.5"), activationBits: 6)
      let estimate = try model.estimate(network)
      #expect(estimate.fits)
      #expect(estimate.cycles == estimate.layers.reduce(0) { $0 + $1.totalCycles })
      #expect(estimate.multiplyAccumulates == network.multiplyAccumulates)
      #expect(abs(estimate.fps * estimate.latencyMilliseconds - 1000) < 1e-6)
      #expect(estimate.pipelinedFPS >= estimate.fps)
      #expect(estimate.dsp <= model.device.budget.dsp && estimate.lut <= model.device.budget.lut)
      #expect(estimate.layers.allSatisfy { $0.dspEfficiency <= 1 && $0.totalCycles > 0 })
      #expect(try model.cycles(network, engine: estimate.engine) == (estimate.cycles, true))
      let data = try JSONEncoder().encode(estimate)
      #expect(try JSONDecoder().decode(HardwareEstimate.self, from: data) == estimate)
      // The least possible image traffic: pixels in, logits out.
      let geometry = network.geometry
      let least = geometry.patches * geometry.patchInputs + 4 * geometry.classes
      #expect(estimate.ddrBytesPerImage >= least)
      if estimate.memoryPlan.weightsOnChip && estimate.memoryPlan.activationsOnChip {
        #expect(estimate.ddrBytesPerImage == least)
      }
    }
  }

  /// Softmax lanes of so many LUTs that eight of them exceed a PYNQ-Z2.
  static let dearSoftmax = {
    var costs = CostConstants.openSynthesis
    costs.lutPerSoftmaxLane = 6000
    return costs
  }()

  /// A small grid on a PYNQ-Z2.
  private func smallGrid(_ costs: CostConstants) throws -> EngineOptimizer {
    var grid = EngineOptimizer(try HardwareModel(device: Device.named("pynq-z2"), costs: costs))
    grid.outputElements = [2, 4]
    grid.inputElements = [4, 8]
    grid.tokenElements = [1, 3, 4]
    grid.fabricTokens = [0, 1]
    grid.drainGroups = [1, 2]
    grid.requantisationLanes = [2, 8]
    grid.contextLanes = [1, 4]
    grid.softmaxLanes = [2, 8]
    grid.normLanes = [2, 4]
    return grid
  }

  @Test("The optimiser finds the best point of a grid, checked one by one", arguments: [.openSynthesis, dearSoftmax])
  func exhaustive(costs: CostConstants) throws {
    let grid = try smallGrid(costs)
    let model = grid.model
    for network in [tinyNetwork(share: .half), tinyNetwork(width: 96, share: .none)] {
      var best = Int.max
      for mode in EngineOptimizer.fourBitModes(.e1, bits: 6) {
        var engine = grid.smallest(bits: 6, fourBitMode: mode)
        for n in grid.outputElements {
          for k in grid.inputElements {
            for t in grid.tokenElements {
              for fabric in grid.fabricTokens {
                for group in grid.drainGroups {
                  (engine.outputElements, engine.inputElements, engine.tokenElements) = (n, k, t)
                  (engine.fabricTokens, engine.drainGroup) = (fabric, group)
                  for r in grid.requantisationLanes {
                    for c in grid.contextLanes {
                      for e in grid.softmaxLanes {
                        for v in grid.normLanes {
                          (engine.requantisationLanes, engine.contextLanes) = (r, c)
                          (engine.softmaxLanes, engine.normLanes) = (e, v)
                          for ports in [1, model.device.axiPorts] {
                            engine.axiPorts = ports
                            let result = try model.cycles(network, engine: engine)
                            if result.fits { best = min(best, result.cycles) }
                          }
                        }
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
      let engine = try grid.engine(for: network)
      #expect(try model.cycles(network, engine: engine) == (best, true))
    }
  }

  @Test("Other costs lead to another engine, which fits them where the first one does not")
  func costs() throws {
    for network in [tinyNetwork(share: .half), tinyNetwork(width: 96, share: .none)] {
      let usual = try smallGrid(.openSynthesis).engine(for: network)
      let dear = try smallGrid(Self.dearSoftmax)
      let other = try dear.engine(for: network)
      #expect(usual.softmaxLanes == 8 && other.softmaxLanes == 2)
      #expect(try !dear.model.estimate(network, engine: usual).fits)
      #expect(try dear.model.estimate(network, engine: other).fits)
      // The model hands its costs on to its optimiser.
      #expect(try dear.model.estimate(network).fits)
    }
  }

  @Test("A fixed engine serves other networks; the optimised one is at least as fast")
  func fixedEngine() throws {
    let model = try model("zcu102")
    let engine = try model.optimisedEngine(for: tinyNetwork(width: 96))
    for network in [tinyNetwork(width: 64), tinyNetwork(width: 128), try Architecture.named("vit-cifar")] {
      let network = network.uniform(share: .half, activationBits: 6)
      let fixed = try model.estimate(network, engine: .fixed(engine))
      let free = try model.estimate(network, engine: .optimised)
      if fixed.fits { #expect(free.cycles <= fixed.cycles) }
      #expect(try model.optimisedEngine(for: network) == free.engine)
    }
  }

  @Test("Feasibility names the fastest rate and the limit")
  func feasibility() throws {
    let model = try model("pynq-z2")
    let easy = try model.feasibility(tinyNetwork(), targetFPS: 100)
    #expect(easy.feasible && easy.message.contains("reached"))
    let hard = try model.feasibility(Architecture.named("deit-s"), targetFPS: 1000)
    #expect(!hard.feasible && hard.fastestFPS < 100 && hard.message.contains("not reached"))
    // One port of a slow memory: weights arrive too slowly for a network that does not fit on chip.
    var device = model.device
    device.memoryBandwidth = 0.02
    let slow = try HardwareModel(device: device).feasibility(Architecture.named("deit-s"), targetFPS: 5)
    #expect(!slow.feasible && [.weightBandwidth, .activationBandwidth].contains(slow.limit))
    #expect(throws: QuasarError.self) { try model.feasibility(tinyNetwork(), targetFPS: 0) }
    #expect(throws: QuasarError.self) { try HardwareModel(device: model.device, clockMHz: 0) }
  }

  @Test("An engine for another device or with impossible parameters is refused")
  func refused() throws {
    let model = try model("pynq-z2")
    let foreign = smallEngine(try Device.named("zcu102"))
    let error = try #require(throws: QuasarError.self) {
      try model.estimate(tinyNetwork(), engine: foreign)
    }
    #expect(error.message.contains("DSP48E2") && error.message.contains("pynq-z2"))
    var engine = smallEngine(model.device)
    engine.drainGroup = 99
    #expect(throws: QuasarError.self) { try model.estimate(tinyNetwork(), engine: engine) }
    engine = smallEngine(model.device)
    engine.normLanes = 0
    #expect(throws: QuasarError.self) { try model.estimate(tinyNetwork(), engine: engine) }
    // A plain triple cannot hold an unsigned 8-bit product.
    let zcu102 = try self.model("zcu102")
    engine = smallEngine(zcu102.device, bits: 8)
    engine.fourBitMode = .w4a8Triple
    let depth = try #require(throws: QuasarError.self) {
      try zcu102.estimate(tinyNetwork(bits: 8), engine: engine)
    }
    #expect(depth.message.contains("w4a8-triple"))
  }

  @Test("Fast enough for a search and for a command line")
  func speed() throws {
    let model = try model("pynq-z2")
    let network = tinyNetwork()
    let engine = smallEngine(model.device)
    let clock = ContinuousClock()
    var best = Duration.seconds(100)
    for _ in 0..<5 {
      best = min(
        best, try clock.measure { for _ in 0..<1000 { _ = try model.estimate(network, engine: engine) } })
    }
    // The aim is 20,000 per second; half of that leaves room for a busy machine.
    #expect(best < .milliseconds(100))
    let zcu102 = try self.model("zcu102")
    let deit = try Architecture.named("deit-s").with(weightBits: WeightBits("mixed:0.5"), activationBits: 6)
    _ = try zcu102.estimate(deit)
    #expect(try clock.measure { _ = try zcu102.estimate(deit) } < .milliseconds(300))
  }
}
