import QuasarArithmetic

extension EngineConfiguration {
  /// What the emulator and the golden vectors need of this engine.
  public var datapath: DatapathEngine {
    DatapathEngine(
      fourBitMode: fourBitMode, eightBitMode: eightBitMode, attentionMode: attentionMode,
      inputLanes: inputElements, tokenElements: tokenElements, fabricTokens: fabricTokens,
      maximumChainLength: maximumChainLength)
  }
}
