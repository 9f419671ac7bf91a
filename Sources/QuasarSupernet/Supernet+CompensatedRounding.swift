import CKernels
import QuasarAutograd
import QuasarNetwork
import QuasarTensor

/// 2·X·Xᵀ of the inputs of some linear layers, over every forward pass that it observes.
final class InputHessians: ActivationObserver {
  private let layers: Set<String>
  /// [inputs][inputs] by the name of the layer.
  private(set) var sums: [String: [Double]] = [:]

  init(of layers: Set<String>) {
    self.layers = layers
  }

  func record(_ name: String, _ x: Tensor, parts: Int) {}

  /// Adds the products of one batch, computed in fp32; the sum over batches is in double.
  func recordInput(_ name: String, _ x: Tensor) {
    guard layers.contains(name) else { return }
    let width = x.width
    let product = Tensor(uninitialized: [width, width])
    let status = qk_sgemm(
      1, 0, width, width, x.rowCount, x.pointer, width, x.pointer, width, product.pointer, width)
    precondition(status == QK_OK, "\(name): no memory for the product of its inputs")
    var sum = sums.removeValue(forKey: name) ?? Array(repeating: 0, count: width * width)
    for i in 0..<width {
      // Both halves are taken from the upper one, so that the sum is exactly symmetric.
      for j in i..<width {
        sum[i * width + j] += 2 * Double(product.pointer[i * width + j])
        sum[j * width + i] = sum[i * width + j]
      }
    }
    sums[name] = sum
  }
}

extension Supernet {
  /// Moves every weight of the quantised matrices of `architecture` to a value of its code, with compensated errors
  /// (GPTQ).
  ///
  /// Expects calibrated quantisers. The stages run in the order of execution (patch embedding, each block, head). For
  /// each, the batches run in `quantized` mode, so it sees the inputs that the rounded stages before it give. Then
  /// `CompensatedRounding` rounds its matrices, each row in its precision in `architecture`. The codes of these rows
  /// are then those of GPTQ and the latent weights are s·code. In a supernet, rows with 4 bits here therefore start on
  /// the 4-bit grid at 8 bits as well. Throws `badData` with the name of a layer whose inputs cannot be used.
  public func startFromCompensatedCodes(_ batches: [PatchBatch], architecture: Architecture) throws {
    try checkFits(architecture)
    for stage in quantizedStages(architecture) {
      let hessians = InputHessians(of: Set(stage.map(\.linear.name)))
      for batch in batches {
        _ = try forward(
          Tape(recording: false), batch, architecture: architecture, mode: .quantized, recorder: hessians)
      }
      for sliced in stage {
        let (linear, slice) = (sliced.linear, sliced.slice)
        let factor = try CompensatedRounding.inverseFactor(
          hessians.sums[linear.name] ?? [], order: slice.width, name: linear.name)
        CompensatedRounding.round(linear.weightSlice(slice), factor: factor)
      }
    }
  }
}
