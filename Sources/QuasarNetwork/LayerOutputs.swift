/// The outputs of layers during one walk over a graph; each is released when the last layer that reads it has run.
public struct LayerOutputs<Value> {
  private var values: [LayerID: Value] = [:]
  /// Number of layers that still have to read an output.
  private var readers: [LayerID: Int] = [:]

  public init(_ graph: LayerGraph) {
    for layer in graph.layers {
      for source in [layer.input, layer.residual] {
        if let source { readers[source, default: 0] += 1 }
      }
    }
  }

  /// The output of a layer that has run.
  public subscript(id: LayerID) -> Value {
    guard let value = values[id] else { preconditionFailure("\(id) has not run, or nothing should read it any more") }
    return value
  }

  /// Keeps the output of `layer`, which has run, and releases the outputs that it was the last to read.
  public mutating func finish(_ layer: Layer, _ value: Value) {
    for source in [layer.input, layer.residual] {
      guard let source, let count = readers[source] else { continue }
      readers[source] = count - 1
      if count == 1 { values[source] = nil }
    }
    values[layer.id] = value
  }

  /// Keeps `value` as the output of the last of `layers`, which ran as one, and releases the outputs they were the last
  /// to read.
  public mutating func finish(_ layers: ArraySlice<Layer>, _ value: Value) {
    for layer in layers { finish(layer, value) }
  }
}
