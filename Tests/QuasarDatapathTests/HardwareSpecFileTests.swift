import CKernels
import QuasarDatapath
import QuasarTensor
import QuasarTestSupport
import Testing

@Suite("Files of inexact hardware")
struct HardwareSpecFileTests {
  @Test("Every key reaches its field; what is not named stays exact")
  func keys() throws {
    let file = try HardwareSpecFile(
      text: """
        name: everything
        accumulator: {bits: 18, overflow: saturate}
        chain_length: 16
        decode: naive
        truncate: [requantiser, layer-norm]
        exponent_table: 16
        gelu_table: 64
        """, file: "spec.yaml")
    #expect(file.name == "everything")
    #expect(file.spec.accumulator_bits == 18 && file.spec.accumulator_saturates == 1)
    #expect(file.spec.chain_limit == 16 && file.spec.decode == QK_DECODE_NAIVE)
    #expect(file.spec.truncated == Int32(QK_TRUNCATE_REQUANTISER | QK_TRUNCATE_LAYER_NORM))
    #expect(file.spec.exponent_index_bits == 4 && file.spec.gelu_index_bits == 6)
    let little = try HardwareSpecFile(text: "decode: parallel\n", file: "spec.yaml").spec
    #expect(little.accumulator_bits == 32 && little.chain_limit == 0 && little.truncated == 0)
    #expect(little.exponent_index_bits == 8 && little.gelu_index_bits == 8)
  }

  @Test(
    "Errors name file, line and key",
    arguments: [
      ("acumulator: {bits: 18, overflow: wrap}", "spec.yaml:1: acumulator"),
      ("name: x\naccumulator: {bits: 40, overflow: wrap}", "spec.yaml:2: accumulator.bits"),
      ("accumulator: {bits: 18}", "accumulator.overflow"),
      ("accumulator: {bits: 18, overflow: both}", "'both' is not one of wrap, saturate"),
      ("decode: nice", "'nice' is not one of exact, naive, parallel"),
      ("truncate: [softmax, gelu]", "'gelu' is not one of"),
      ("truncate: [softmax, softmax]", "listed twice"),
      ("exponent_table: 100", "power of two"),
      ("gelu_table: 512", "from 2 to 256"),
      ("chain_length: 0", "from 1 to 32000"),
    ])
  func errors(_ text: String, _ part: String) {
    let error = quasarError { _ = try HardwareSpecFile(text: text, file: "spec.yaml") }
    #expect(error?.kind == .badData)
    #expect(error?.message.contains(part) == true, "\(error?.message ?? "no error")")
  }
}
