import QuasarNetwork
import Testing

@Suite struct EmbeddingCodeTests {
  @Test func roundsAndSaturates() {
    let codes = embeddingCodes(
      cls: [0.5, -1], position: [0.25, 0.5, 1.3, -1.3, 9000, -9000, 0.375, -0.375], step: 0.25)
    // 0.75/0.25, −0.5/0.25, 5.2, −5.2, ±36,000 saturates, ±1.5 rounds away from zero.
    #expect(codes == [3, -2, 5, -5, 32767, -32768, 2, -2])
  }

  @Test func classTokenOnlyInRowZero() {
    let codes = embeddingCodes(cls: [7, 7, 7], position: Array(repeating: 1, count: 9), step: 1)
    #expect(codes == [8, 8, 8, 1, 1, 1, 1, 1, 1])
  }
}
