import QuasarTensor

/// The error that a call throws, or nil.
public func quasarError(_ body: () throws -> Void) -> QuasarError? {
  do {
    try body()
    return nil
  } catch {
    return error as? QuasarError
  }
}
