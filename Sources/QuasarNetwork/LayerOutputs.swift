/// The outputs of layers during one walk over a graph; each is released when the last layer that reads it has run.
public struct LayerOutputs<Value> {
  private let graph: LayerGraph
  /// The outputs that are still to be read, at the places of their layers in the graph.
  private var values: [Value?]
  /// Number of layers that still have to read an output.
  private var readers: [Int]

  public init(_ graph: LayerGraph) {
    self.graph = graph
    values = Array(repeating: nil, count: graph.layers.count)
    readers = Array(repeating: 0, count: graph.layers.count)
    for layer in graph.layers {
      for source in [layer.input, layer.residual] {
        if let source { readers[place(source)] += 1 }
      }
    }
  }

  private func place(_ id: LayerID) -> Int {
    guard let place = graph.index(of: id) else { preconditionFailure("\(id) is not a layer of this network") }
    return place
  }

  /// The output of a layer that has run.
  public subscript(id: LayerID) -> Value {
    guard let value = values[place(id)] else {
      preconditionFailure("\(id) has not run, or nothing should read it any more")
    }
    return value
  }

  /// Keeps the output of `layer`, which has run, and releases the outputs that it was the last to read.
  public mutating func finish(_ layer: Layer, _ value: Value) {
    for source in [layer.input, layer.residual] {
      guard let source = source.map(place) else { continue }
      readers[source] -= 1
      if readers[source] == 0 { values[source] = nil }
    }
    values[place(layer.id)] = value
  }

  /// Keeps `value` as the output of the last of `layers`, which ran as one, and releases the outputs they were the last
  /// to read.
  public mutating func finish(_ layers: ArraySlice<Layer>, _ value: Value) {
    for layer in layers { finish(layer, value) }
  }
}
