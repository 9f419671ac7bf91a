import CKernels

extension qk_status {
  /// Throws when the status is not QK_OK; the message names the operation and its shapes.
  public func check(_ operation: @autoclosure () -> String) throws {
    guard self != QK_OK else { return }
    throw QuasarError(.badData, "\(operation()): \(String(cString: qk_status_message(self)))")
  }
}
