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
}
