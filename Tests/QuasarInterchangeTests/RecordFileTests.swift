import Testing

@testable import QuasarInterchange

@Suite struct RecordFileTests {
  /// The vectors of RFC 3720, B.4, and the check value from the catalogue of parametrised CRCs.
  @Test func checksumsArePublishedOnes() {
    #expect(RecordFile.crc32c([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
    #expect(RecordFile.crc32c([UInt8](repeating: 255, count: 32)) == 0x62a8_ab43)
    #expect(RecordFile.crc32c((0..<32).map { $0 }) == 0x46dd_794e)
    #expect(RecordFile.crc32c((0..<32).reversed().map { $0 }) == 0x113f_db5c)
    #expect(RecordFile.crc32c(Array("123456789".utf8)) == 0xe306_9283)
    #expect(RecordFile.crc32c([]) == 0)
  }

  /// Rotated right by 15 bits, plus the constant: 0x8a9136aa → 0x6d551522 + 0xa282ead8.
  @Test func maskByHand() {
    #expect(RecordFile.masked(0) == 0xa282_ead8)
    #expect(RecordFile.masked(0x8a91_36aa) == 0x0fd7_fffa)
  }

  @Test func recordsComeBackUpToTheFirstDamage() {
    let records: [[UInt8]] = [[], [1, 2, 3], (0..<200).map { $0 }]
    let bytes = records.flatMap(RecordFile.encode)
    #expect(bytes.count == 3 * 16 + 203)
    #expect(RecordFile.decode(bytes) == records)
    for length in 0..<bytes.count {
      let whole = length < 16 ? 0 : length < 35 ? 1 : 2
      #expect(RecordFile.decode(Array(bytes.prefix(length))) == Array(records.prefix(whole)), "\(length) bytes")
    }
    for place in 16..<35 {
      var damaged = bytes
      damaged[place] ^= 1
      #expect(RecordFile.decode(damaged) == [[]], "byte \(place)")
    }
  }
}
