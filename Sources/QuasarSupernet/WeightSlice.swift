import CKernels
import QuasarAutograd
import QuasarTensor

/// Rows `rows` and the first `width` columns of a latent parameter, with a precision for each row.
///
/// bits[i] = 32: the latent values. 8 or 4: s·clamp(round(w/s), −Q, Q) with Q = 127 or 7 and s the row's learned step
/// for that precision, as given by `entanglement`. Every slice and both precisions read the same latent rows.
public struct WeightSlice {
  public var latent: Parameter
  public var scale4: Parameter?
  public var scale8: Parameter?
  public var entanglement = Entanglement.independentSteps
  public var rows: [Int32]
  public var width: Int
  public var bits: [UInt8]

  public init(
    latent: Parameter, scale4: Parameter? = nil, scale8: Parameter? = nil,
    entanglement: Entanglement = .independentSteps, rows: [Int32], width: Int, bits: [UInt8]
  ) {
    precondition(rows.count == bits.count, "\(rows.count) rows but \(bits.count) precisions")
    precondition(
      width <= latent.value.width, "width \(width) exceeds \(latent.value.width) of \(latent.name)")
    self.latent = latent
    self.scale4 = scale4
    self.scale8 = scale8
    self.entanglement = entanglement
    self.rows = rows
    self.width = width
    self.bits = bits
  }

  /// The first `count` entries of a vector parameter.
  public init(prefix count: Int, of vector: Parameter) {
    self.init(latent: vector, rows: [0], width: count, bits: [32])
  }

  /// Entries `rows` of a vector parameter.
  public init(entries rows: [Int32], of vector: Parameter) {
    // One column per row: a vector of n entries is read as a matrix [n, 1].
    self.init(latent: vector, rows: rows, asColumn: true)
  }

  private init(latent: Parameter, rows: [Int32], asColumn: Bool) {
    self.latent = latent
    self.rows = rows
    width = 1
    bits = Array(repeating: 32, count: rows.count)
    isColumn = asColumn
  }

  /// True if the slice is the latent parameter as it is stored, whatever its precisions.
  var isWhole: Bool {
    width == stride && rows.count * width == latent.value.count && rows.indices.allSatisfy { rows[$0] == $0 }
  }

  var isColumn = false
  /// Columns of the latent matrix as stored.
  var stride: Int { isColumn ? 1 : latent.value.width }
  /// Latent values and steps.
  public var parameters: [Parameter] { [latent, scale4, scale8].compactMap { $0 } }
}

extension Tape {
  /// The slice of a latent parameter, each row in its precision; see `WeightSlice`.
  ///
  /// Shape [rows, width]; a vector for the vector forms of `WeightSlice`. Gradients go straight to the latent
  /// parameter and, for quantised rows, to the learned steps (LSQ, Esser et al. 2020).
  public func slice(_ slice: WeightSlice) -> Variable {
    if slice.isWhole, slice.latent.value.shape.count <= 2, slice.bits.allSatisfy({ $0 == 32 }) {
      return parameter(slice.latent)
    }
    let out = Tensor(uninitialized: [slice.rows.count, slice.width])
    qk_weight_slice_forward(
      slice.rows.count, slice.width, slice.latent.value.pointer, slice.stride, slice.rows, slice.bits,
      slice.scale4?.value.pointer, slice.scale8?.value.pointer, slice.entanglement.sharing, out.pointer)
    let isVector = slice.isColumn || slice.latent.value.shape.count == 1
    return append(slice, isVector ? out.reshaped([out.count]) : out)
  }
}

extension WeightSlice: FusedOperation {
  public func backward(_ gradient: NodeGradient) -> [NodeGradient?] {
    addGradient(gradient.value, isOwn: !gradient.isShared)
    return []
  }

  /// Adds the gradient of the quantised slice to latent weights and steps: straight through inside the clamp, LSQ.
  ///
  /// `isOwn` is true if nothing else uses `g`, which may then become the latent gradient.
  func addGradient(_ g: Tensor, isOwn: Bool) {
    let isFirst = latent.gradientSoFar == nil
    if isFirst {
      if isOwn, isWhole {
        latent.addGradient(consuming: g)
      } else {
        let others = otherRows
        qk_clear_rows(others.count, others, stride, latent.startGradient().pointer)
      }
    }
    qk_weight_slice_backward(
      rows.count, width, latent.value.pointer, stride, rows, bits, scale4?.value.pointer, scale8?.value.pointer,
      entanglement.sharing, g.pointer, isFirst ? 1 : 0, latent.gradient.pointer, scale4?.gradient.pointer,
      scale8?.gradient.pointer)
  }

  /// Rows of the latent matrix that are not in the slice.
  private var otherRows: [Int32] {
    var isLeftOut = Array(repeating: true, count: latent.value.count / stride)
    for row in rows { isLeftOut[Int(row)] = false }
    return isLeftOut.indices.filter { isLeftOut[$0] }.map(Int32.init)
  }
}
