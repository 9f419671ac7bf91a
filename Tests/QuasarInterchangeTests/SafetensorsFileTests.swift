import QuasarInterchange
import QuasarTensor
import Testing

@Suite struct SafetensorsFileTests {
  func sample() throws -> SafetensorsFile {
    var file = SafetensorsFile(metadata: ["quasar": "1", "note": "a \"quote\"\n\u{1}é𝄞"])
    try file.add([Float(1), 2, 3, 4, 5, 6], shape: [2, 3], named: "head.weight")
    try file.add([Int8(-1), 2, 3], shape: [3], named: "blocks.0.codes")
    try file.add([Int64(9)], shape: [], named: "step")
    try file.add([UInt8](), shape: [0, 4], named: "Empty")
    try file.add([Int32.min], shape: [1], named: "é")
    try file.add([Int16(-2)], shape: [1, 1], named: "zz")
    return file
  }

  /// A file with this JSON and this many zero bytes of data.
  func file(_ json: String, data: Int = 0) -> [UInt8] {
    let length = UInt64(json.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(json.utf8)
      + [UInt8](repeating: 0, count: data)
  }

  func decode(_ bytes: [UInt8]) throws { _ = try SafetensorsFile(decoding: bytes, file: "f.st") }

  @Test func bytesAreDeterministicAndSorted() throws {
    var small = SafetensorsFile(metadata: ["b": "2", "a": "1"])
    try small.add([UInt8(7)], shape: [1], named: "w")
    try small.add([Int16(1)], shape: [1], named: "B")
    let json =
      "{\"B\":{\"data_offsets\":[0,2],\"dtype\":\"I16\",\"shape\":[1]},"
      + "\"__metadata__\":{\"a\":\"1\",\"b\":\"2\"},"
      + "\"w\":{\"data_offsets\":[2,3],\"dtype\":\"U8\",\"shape\":[1]}}"
    let padded = json + String(repeating: " ", count: (8 - json.utf8.count % 8) % 8)
    #expect(small.encode() == file(padded) + [1, 0, 7])
    #expect(try sample().encode() == sample().encode())
  }

  @Test func everythingComesBack() throws {
    let whole = try sample()
    let back = try SafetensorsFile(decoding: whole.encode(), file: "f")
    #expect(back == whole)
    #expect(back.names == ["Empty", "blocks.0.codes", "head.weight", "step", "zz", "é"])
    #expect(try back.values("head.weight", as: Float.self, shape: [2, 3]) == [1, 2, 3, 4, 5, 6])
    #expect(try back.values("blocks.0.codes") as [Int8] == [-1, 2, 3])
    #expect(try back.values("step") as [Int64] == [9])
    #expect(try SafetensorsFile(decoding: SafetensorsFile().encode(), file: "f") == SafetensorsFile())
    let folder = try TemporaryFolder()
    try whole.write(to: folder.path + "/m.safetensors")
    #expect(folder.bytes("m.safetensors") == whole.encode() && folder.names == ["m.safetensors"])
    #expect(try SafetensorsFile.read(folder.path + "/m.safetensors") == whole)
  }

  @Test func accessorsNameTheTensor() throws {
    let whole = try sample()
    expectError(.badData, holding: "“step”: holds I64, but F32") {
      _ = try whole.values("step", as: Float.self)
    }
    expectError(.badData, holding: "“head.weight”", "[2, 3]", "[3, 2]") {
      _ = try whole.values("head.weight", as: Float.self, shape: [3, 2])
    }
    expectError(.badData, holding: "“gamma”", "6 tensors") { _ = try whole.tensor(named: "gamma") }
    var copy = whole
    expectError(.usage, holding: "“step”: added twice") {
      try copy.add([Float(0)], shape: [1], named: "step")
    }
    expectError(.usage, holding: "reserved") { try copy.add([Float(0)], shape: [1], named: "__metadata__") }
    expectError(.badData, holding: "“w”: 1 values", "[2]") {
      try copy.add([Float(0)], shape: [2], named: "w")
    }
  }

  @Test func readsForeignHeaders() throws {
    let json =
      " { \"b\\u0041\\ud834\\udd1e\" : {\"dtype\":\"U8\", \"shape\":[ 1 , 2 ],\n\"data_offsets\":[1,3]},"
      + "\"a\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[0,1]},\"__metadata__\":{}}  "
    let file = try SafetensorsFile(decoding: file(json, data: 3), file: "f")
    #expect(file.names == ["a", "bA𝄞"])
    #expect(file.tensors["bA𝄞"]?.shape == [1, 2])
  }

  @Test func offsetsAreChecked() {
    func pair(_ first: String, _ second: String) -> String {
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":\(first)},"
        + "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":\(second)}}"
    }
    expectError(.badData, holding: "f.st: tensor “b”", "offset 1", "overlaps “a”", "ends at 2") {
      try decode(file(pair("[0,2]", "[1,3]"), data: 4))
    }
    expectError(.badData, holding: "“b”", "leaves a gap after “a”", "offset 3") {
      try decode(file(pair("[0,2]", "[3,5]"), data: 5))
    }
    expectError(.badData, holding: "“a”", "leaves a gap after the header") {
      try decode(file(pair("[1,3]", "[3,5]"), data: 5))
    }
    expectError(.badData, holding: "“b”", "2 to 4", "3 bytes of data") {
      try decode(file(pair("[0,2]", "[2,4]"), data: 3))
    }
    expectError(.badData, holding: "“b”", "4 to 2") { try decode(file(pair("[0,2]", "[4,2]"), data: 4)) }
    expectError(.badData, holding: "1 surplus bytes", "“b”") {
      try decode(file(pair("[0,2]", "[2,4]"), data: 5))
    }
    expectError(.badData, holding: "“b”: 3 bytes", "[2] of U8 needs 2") {
      try decode(file(pair("[0,2]", "[2,5]"), data: 5))
    }
    expectError(.badData, holding: "“b”", "9223372036854775807") {
      try decode(file(pair("[0,2]", "[2,9223372036854775807]"), data: 4))
    }
    expectError(.badData, holding: "“b”", "no whole number") {
      try decode(file(pair("[0,2]", "[2,9223372036854775808]"), data: 4))
    }
  }

  @Test func headersAreChecked() {
    expectError(.badData, holding: "7 bytes", "takes 8") { try decode([0, 0, 0, 0, 0, 0, 0]) }
    expectError(.badData, holding: "header length 18446744073709551615", "2 bytes follow") {
      try decode([UInt8](repeating: 255, count: 8) + [0x7b, 0x7d])
    }
    expectError(.badData, holding: "byte 8", "“{”") { try decode(file("[]")) }
    expectError(.badData, holding: "byte 10", "more text") { try decode(file("{}x")) }
    let entry = "{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}"
    expectError(.badData, holding: "key “a” comes twice") {
      try decode(file("{\"a\":\(entry),\"a\":\(entry)}"))
    }
    expectError(.badData, holding: "“a”: dtype “F64”", "F32, F16, BF16, I64") {
      try decode(file("{\"a\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[0,0]}}"))
    }
    expectError(.badData, holding: "“a”", "is missing") { try decode(file("{\"a\":{\"dtype\":\"U8\"}}")) }
    expectError(.badData, holding: "“a”", "3 data_offsets") {
      try decode(file("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0,0]}}"))
    }
    expectError(.badData, holding: "“a”", "key “x”") { try decode(file("{\"a\":{\"x\":1}}")) }
    expectError(.badData, holding: "surrogate") { try decode(file("{\"\\ud834\":{}}")) }
    expectError(.badData, holding: "no whole number") {
      try decode(file("{\"a\":{\"dtype\":\"U8\",\"shape\":[1.5],\"data_offsets\":[0,1]}}", data: 1))
    }
  }

  @Test func everyTruncationAndFlipIsSafe() throws {
    let whole = try sample().encode()
    for length in 0..<whole.count {
      expectError(.badData, holding: "f.st") { try decode(Array(whole[..<length])) }
    }
    var random = SmallRandom(state: 11)
    for _ in 0..<20_000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      do {
        let file = try SafetensorsFile(decoding: bytes, file: "f")
        #expect(file.tensors.values.allSatisfy { $0.shape.reduce($0.elementType.size, *) == $0.bytes.count })
      } catch {
        #expect(error.kind == .badData)
      }
    }
  }
}
