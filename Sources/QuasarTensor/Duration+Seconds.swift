extension Duration {
  /// The duration in seconds. Example: .milliseconds(1500) → 1.5.
  package var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
