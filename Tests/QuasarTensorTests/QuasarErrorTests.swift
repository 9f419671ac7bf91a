import CKernels
import QuasarTensor
import Testing

@Suite struct QuasarErrorTests {
  /// sysexits.h: EX_USAGE 64, EX_DATAERR 65, EX_NOINPUT 66, EX_UNAVAILABLE 69, EX_SOFTWARE 70, EX_CANTCREAT 73,
  /// EX_IOERR 74, EX_TEMPFAIL 75.
  @Test func kindsAreSysexitsNumbers() {
    let numbers: [(QuasarError.Kind, Int32)] = [
      (.usage, 64), (.badData, 65), (.missing, 66), (.infeasible, 69), (.internal, 70), (.cannotWrite, 73),
      (.inputOutput, 74), (.interrupted, 75),
    ]
    for (kind, number) in numbers { #expect(kind.rawValue == number) }
  }

  @Test func descriptionIsTheMessage() {
    #expect("\(QuasarError(.missing, "no file x"))" == "no file x")
  }

  @Test func kernelStatusNamesTheOperation() {
    #expect(throws: Never.self) { try QK_OK.check("unused") }
    let error = #expect(throws: QuasarError.self) { try QK_BAD_SIZE.check("block 3: product") }
    #expect(error?.kind == .badData)
    #expect(error?.message.hasPrefix("block 3: product: ") == true)
    #expect((error?.message.count ?? 0) > 25)
  }
}
