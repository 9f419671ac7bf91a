import ArgumentParser
import Quasar
import QuasarConsole

struct EstimateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "estimate", abstract: "Cycles, speed and resources of a network on a board.",
    discussion: "Example: quasar estimate --arch deit-s --device zcu102 --activation-bits 6")

  @OptionGroup var common: CommonOptions
  @OptionGroup var device: DeviceOptions
  @OptionGroup var network: ArchitectureOptions
  @Flag(name: .long, help: "List boards and architectures.") var list = false

  func run() throws {
    try common.apply()
    if list {
      try printLists()
      return
    }
    let architecture = try network.architecture()
    let estimate = try device.model().estimate(architecture)
    if common.json, let object = try Console.object(estimate) as? [String: Any] {
      try Console.json(object)
    } else {
      printTables(estimate)
    }
  }

  private func printLists() throws {
    if common.json {
      try Console.json(["devices": Device.builtInNames, "architectures": Architecture.knownNames])
    } else {
      print("boards: \(Device.builtInNames.joined(separator: ", "))")
      print("architectures: \(Architecture.knownNames.joined(separator: ", "))")
    }
  }

  private func printTables(_ estimate: HardwareEstimate) {
    let rows = estimate.layers.map { layer in
      [
        layer.name, String(layer.rows4), String(layer.rows8), String(layer.multiplyAccumulates),
        String(layer.computeCycles), String(layer.transferCycles), String(layer.totalCycles),
        layer.bound.rawValue, Workflow.fixed(100 * layer.dspEfficiency, 0) + " %",
      ]
    }
    print(
      Console.table(
        ["layer", "4-bit", "8-bit", "MAC", "compute", "transfer", "cycles", "bound", "DSP use"], rows))
    let use = estimate.utilisation
    func percent(_ value: Double) -> String { Workflow.fixed(100 * value, 0) + " %" }
    print(
      """

      \(estimate.device) at \(estimate.clockMHz) MHz: \(estimate.cycles) cycles, \
      \(Workflow.fixed(estimate.latencyMilliseconds, 3)) ms, \(Workflow.fixed(estimate.fps, 1)) FPS \
      (one image after another; \(Workflow.fixed(estimate.pipelinedFPS, 1)) with several in flight)
      DSP \(estimate.dsp) (\(percent(use.dsp)))  LUT \(estimate.lut) (\(percent(use.lut)))  \
      FF \(estimate.ff) (\(percent(use.ff)))  BRAM18 \(estimate.bram18) (\(percent(use.bram18)))  \
      URAM \(estimate.uram)
      weights \(estimate.weightBytes) bytes, memory traffic \(estimate.ddrBytesPerImage) bytes an image
      \(estimate.fits ? "fits" : "does not fit: \(estimate.bindingCap.rawValue) is above its cap")
      """)
  }
}
