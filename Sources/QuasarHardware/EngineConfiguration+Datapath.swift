import QuasarArithmetic

extension EngineConfiguration {
  /// The part of this engine that the emulator and the golden vectors use.
  public var datapath: DatapathEngine {
    DatapathEngine(
      fourBitMode: fourBitMode, eightBitMode: eightBitMode, attentionMode: attentionMode,
      inputLanes: inputElements, tokenElements: tokenElements, fabricTokens: fabricTokens,
      maximumChainLength: maximumChainLength)
  }
}
