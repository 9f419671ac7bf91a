import CKernels
import QuasarAutograd
import QuasarTensor

/// Rounding of weight rows in which later columns compensate the errors of earlier ones (GPTQ, Frantar et al. 2022).
public enum CompensatedRounding {
  /// Fractions of the mean diagonal that are added to the diagonal, tried in this order until the matrix is positive
  /// definite.
  static let dampings = [0.01, 0.1, 1]

  /// U, upper triangular, row-major, with (H + λ·mean(diag H)·I)⁻¹ = Uᵀ·U; entries below its diagonal are undefined.
  ///
  /// `hessian` is H[order][order] = 2·X·Xᵀ of the inputs X of the layer `name`. λ is 0.01, then 0.1, then 1, until the
  /// matrix is positive definite. H = 0 (a layer that sees only zeros) is damped by 0.01. Throws `badData` with the
  /// layer's name when the last λ does not suffice or a number is not finite. Example: H = [[2]] → U = [[1/√2.02]].
  public static func inverseFactor(_ hessian: [Double], order: Int, name: String) throws -> [Double] {
    precondition(hessian.count == order * order, "\(hessian.count) numbers for order \(order)")
    let mean = (0..<order).reduce(0) { $0 + hessian[$1 * order + $1] } / Double(max(1, order))
    let unit = mean == 0 ? 1 : mean
    for damping in dampings {
      var factor = hessian
      if qk_inverse_factor(order, damping * unit, &factor) == 1 { return factor }
    }
    throw QuasarError(
      .badData,
      "\(name): 2·X·Xᵀ of its \(order) inputs (mean diagonal \(mean)) is not positive definite, even with "
        + "\((dampings.last ?? 0) * unit) added to the diagonal; check the weights and images, or leave gptq_start out")
  }

  /// Rounds a slice of a latent matrix with quantised rows; its values become s·code.
  ///
  /// For each row w and i = 0, 1, …: w[i] ← s·q[i], then w[j] ← w[j] − (w[i] − s·q[i])·U[i][j]/U[i][i] for j > i. This
  /// choice, column by column, is greedy. A row therefore takes the nearest codes where rounding to nearest leaves the
  /// smaller (s·q − w)·H·(s·q − w)ᵀ. `factor` is the U of `inverseFactor` with the order `slice.width`. Every row must
  /// have 4 or 8 bits.
  public static func round(_ slice: WeightSlice, factor: [Double]) {
    precondition(factor.count == slice.width * slice.width && slice.bits.allSatisfy { $0 == 4 || $0 == 8 })
    var work = [Double](repeating: 0, count: 2 * slice.rows.count * slice.width)
    qk_compensated_rounding(
      slice.rows.count, slice.width, slice.latent.value.pointer, slice.latent.value.width, slice.rows, slice.bits,
      slice.scale4?.value.pointer, slice.scale8?.value.pointer, slice.entanglement.sharing, factor, &work)
  }
}
