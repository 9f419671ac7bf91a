import QuasarArithmetic
import QuasarAutograd
import QuasarNetwork
import QuasarTensor

extension Supernet {
  /// Sets every quantiser step, the residual step and (with `rankRows`) the ranking of rows from data.
  ///
  /// Runs `architecture` in `full` mode over the batches. Activation steps minimise the squared rounding error of the
  /// recorded samples. With a `percentile` above 0 (for example 99.9), the largest code is instead the magnitude that
  /// this percentage of all values does not exceed. Weight steps minimise the error of each row. A row's rank is the
  /// error that its 4-bit codes would leave in the layer's output, Σ_k E[x_k²]·(Q4(w_k) − w_k)²: the rows with the
  /// largest errors get 8 bits first (the criterion of FILM-QNN, FPGA 2022, with a diagonal second moment).
  public func calibrate(
    _ batches: [PatchBatch], architecture: Architecture, weights: Bool = true, rankRows: Bool = true,
    percentile: Double = 0
  ) throws {
    let recorder =
      percentile > 0
      ? ActivationRecorder(magnitudesWithUnsigned: Set(unsignedSteps.map(\.name))) : ActivationRecorder()
    for batch in batches {
      _ = try forward(
        Tape(recording: false), batch, architecture: architecture, mode: .full, recorder: recorder)
    }
    let unsigned = unsignedSteps
    for steps in layers.flatMap({ [$0.tableSteps, $0.steps] }).compactMap({ $0 }) {
      let isGELU = unsigned.contains { $0 === steps }
      for (bits, parameter) in steps.byBits {
        let range = isGELU ? CodeRange.unsigned(bits: bits) : .signedNarrow(bits: bits)
        for (part, values) in (recorder.samples[steps.name] ?? []).enumerated() {
          parameter.value.pointer[part] = StepSearch.activationStep(values, range: range)
        }
        for (part, values) in (recorder.magnitudes[steps.name] ?? []).enumerated() {
          parameter.value.pointer[part] = StepSearch.percentileStep(
            values, percentile, range: range, depth: isGELU ? Float(GELUQuantizer.depth) : 0)
        }
      }
    }
    // Twice the largest value seen still fits. Saturation beyond that is exact and harmless.
    if let largest = recorder.largest["residual"] {
      residualStep = max(2 * largest, 1e-3) / Float(CodeRange.residual.high)
    }
    guard weights else { return }
    for linear in layers.compactMap(\.linear) {
      try calibrateWeights(linear)
      if rankRows, linear.isMixed { rank(linear, recorder.inputSquares[linear.name] ?? []) }
    }
  }

  /// The quantisers after a table: their codes have no sign.
  private var unsignedSteps: [ActivationSteps] {
    layers.compactMap { $0.tableSteps == nil ? nil : $0.steps }
  }

  private func calibrateWeights(_ linear: LinearParameters) throws {
    let (rows, depth) = (linear.weight.value.shape[0], linear.weight.value.width)
    // One step for both precisions: the rounding of 4 bits is 16 times that of 8, so the 4-bit step decides.
    let isShared = linear.isMixed && linear.scale4 == nil
    let steps = try parallelMap(rows) { row in
      let values = UnsafeBufferPointer(start: linear.weight.value.pointer + row * depth, count: depth)
      let step4 = isShared || linear.scale4 != nil ? StepSearch.rowStep(values, bits: 4) : 0
      return (bits8: isShared ? step4 / 16 : StepSearch.rowStep(values, bits: 8), bits4: step4)
    }
    for (row, step) in steps.enumerated() {
      linear.scale8.value.pointer[row] = step.bits8
      linear.scale4?.value.pointer[row] = step.bits4
    }
  }

  private func rank(_ linear: LinearParameters, _ inputSquares: [Double]) {
    let (rows, depth) = (linear.weight.value.shape[0], linear.weight.value.width)
    let errors = (0..<rows).map { row -> Double in
      let step = linear.step(row: row, bits: 4)
      var error = 0.0
      for k in 0..<depth {
        let w = linear.weight.value.pointer[row * depth + k]
        let code = min(max((w / step).rounded(.toNearestOrEven), -7), 7)
        // Columns beyond the calibrated width were not seen; they count with a weight of one.
        error +=
          Double((w - step * code) * (w - step * code)) * (k < inputSquares.count ? inputSquares[k] : 1)
      }
      return error
    }
    linear.ranking = (0..<Int32(rows)).sorted {
      (errors[Int($1)], Int($0)) < (errors[Int($0)], Int($1))
    }
  }
}
