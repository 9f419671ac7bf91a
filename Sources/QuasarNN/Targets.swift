import QuasarTensor

/// Target distributions of a classification loss.
public enum Targets {
  /// Rows (1 − smoothing)·onehot + smoothing/classes (Szegedy et al. 2016).
  public static func labels(_ labels: [some BinaryInteger], classes: Int, smoothing: Float = 0) -> Tensor {
    let targets = Tensor(repeating: smoothing / Float(classes), shape: [labels.count, classes])
    for (row, label) in labels.enumerated() {
      precondition(Int(label) < classes, "label \(label) of row \(row) with \(classes) classes")
      targets.pointer[row * classes + Int(label)] += 1 - smoothing
    }
    return targets
  }

  /// Index of the largest entry of each row; ties go to the lowest index.
  public static func argMax<Scalar: ArrayScalar & Comparable>(_ logits: NDArray<Scalar>) -> [Int] {
    let width = logits.width
    return (0..<logits.rowCount).map { row in
      let x = logits.pointer + row * width
      return (1..<width).reduce(0) { x[$1] > x[$0] ? $1 : $0 }
    }
  }
}
