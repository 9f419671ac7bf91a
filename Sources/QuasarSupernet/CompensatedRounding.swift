import CKernels
import QuasarAutograd
import QuasarTensor

/// Rounding of weight rows in which later columns make up for the errors of earlier ones (GPTQ, Frantar et al. 2022).
public enum CompensatedRounding {
  /// Parts of the mean diagonal that are added to it, one after the other, until the matrix is positive definite.
  static let dampings = [0.01, 0.1, 1]

  /// U, upper triangular, row-major, with (H + λ·mean(diag H)·I)⁻¹ = Uᵀ·U; what lies below its diagonal is undefined.
  ///
  /// `hessian` is H[order][order] = 2·X·Xᵀ of the inputs X of the layer `name`. λ is 0.01, and 0.1 or 1 where the
  /// matrix is not positive definite before; H = 0 (a layer that sees only zeros) is damped by 0.01. Throws `badData`
  /// with the layer when the last λ does not suffice or a number is not finite. Example: H = [[2]] → U = [[1/√2.02]].
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
  /// For each row w and i = 0, 1, …: w[i] ← s·q[i], then w[j] ← w[j] − (w[i] − s·q[i])·U[i][j]/U[i][i] for j > i.
  /// A row for which rounding to nearest leaves the smaller (s·q − w)·H·(s·q − w)ᵀ takes the nearest codes: the choice
  /// column after column is greedy. `factor` is U of `inverseFactor`, of the order `slice.width`. Every row must have 4 or 8 bits.
  public static func round(_ slice: WeightSlice, factor: [Double]) {
    precondition(factor.count == slice.width * slice.width && slice.bits.allSatisfy { $0 == 4 || $0 == 8 })
    var work = [Double](repeating: 0, count: 2 * slice.rows.count * slice.width)
    qk_compensated_rounding(
      slice.rows.count, slice.width, slice.latent.value.pointer, slice.latent.value.width, slice.rows, slice.bits,
      slice.scale4?.value.pointer, slice.scale8?.value.pointer, slice.entanglement.sharing, factor, &work)
  }
}
