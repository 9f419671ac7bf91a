import QuasarInterchange
import QuasarTensor
import Testing

@Suite struct NumPyFileTests {
  func header(_ text: String) -> [UInt8] {
    [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(text.utf8.count & 255), UInt8(text.utf8.count >> 8)]
      + Array(text.utf8)
  }

  /// The bytes that numpy 2.4 writes for np.array([[1, -2, 3]], dtype='<i2').
  @Test func sameBytesAsNumPy() throws {
    let tensor = try RawTensor([Int16(1), -2, 3], shape: [1, 3])
    let text = "{'descr': '<i2', 'fortran_order': False, 'shape': (1, 3), }"
    let expected = header(text + String(repeating: " ", count: 117 - text.utf8.count) + "\n")
    #expect(NumPyFile.encode(tensor) == expected + [1, 0, 0xfe, 0xff, 3, 0])
  }

  @Test func everyTypeAndShapeComesBack() throws {
    func check<Element: TensorElement & Equatable>(_ values: [Element], _ shape: [Int]) throws {
      let bytes = NumPyFile.encode(try RawTensor(values, shape: shape))
      #expect(bytes.count % 64 == values.count * Element.elementType.size % 64)
      let tensor = try NumPyFile.decode(bytes, file: "f")
      #expect(tensor.shape == shape && tensor.elementType == Element.elementType)
      #expect(try tensor.values(as: Element.self) == values)
    }
    try check([Float.pi, -.infinity, .leastNonzeroMagnitude], [3])
    try check([Int32.min, .max, 0, 1], [2, 2])
    try check([Int64.min, .max], [2, 1, 1])
    try check([Int16.min, .max], [1, 2])
    try check([Int8.min, .max], [2])
    try check([UInt8(0), 255], [2])
    try check([Float(4)], [])
    try check([Float](), [0, 7])
    let random = (0..<100).map { Int8(truncatingIfNeeded: $0 &* 37) }
    try check(random, [4, 25])
  }

  @Test func readsWhatOtherWritersWrite() throws {
    let tensor = try NumPyFile.decode(
      header("{\"shape\":(2,),\"descr\":\"|u1\",\"fortran_order\":False}") + [5, 6], file: "f")
    #expect(try tensor.values(as: UInt8.self) == [5, 6])
  }

  @Test func refusesWhatItDoesNotRead() {
    func decode(_ bytes: [UInt8]) throws { _ = try NumPyFile.decode(bytes, file: "f.npy") }
    expectError(.badData, holding: "f.npy", "50 4b 03 04", "93 4e 55") { try decode([0x50, 0x4b, 3, 4]) }
    expectError(.badData, holding: "begins with nothing") { try decode([]) }
    expectError(.badData, holding: "version 2.0", "1.0") {
      try decode([0x93] + Array("NUMPY".utf8) + [2, 0, 0, 0])
    }
    expectError(.badData, holding: "“>f4”", "<f4", "astype") {
      try decode(header("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }") + [0, 0, 0, 0])
    }
    expectError(.badData, holding: "Fortran order") {
      try decode(header("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }") + [0, 0, 0, 0])
    }
    expectError(.badData, holding: "f.npy, data from byte", "3 bytes", "[2, 2]", "16") {
      try decode(header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }") + [0, 0, 0])
    }
    expectError(.badData, holding: "does not exist") {
      try decode(header("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 2), }"))
    }
    expectError(.badData, holding: "without descr") { try decode(header("{'shape': (1,), }")) }
    expectError(.badData, holding: "key “shape”") { try decode(header("{'shape': (1,), 'shape': (1,)}")) }
    expectError(.badData, holding: "no whole number") { try decode(header("{'shape': (-1,)}")) }
  }

  @Test func everyTruncationAndFlipIsSafe() throws {
    let whole = NumPyFile.encode(try RawTensor([Int32(1), 2, 3, 4], shape: [2, 2]))
    for length in 0..<whole.count {
      expectError(.badData, holding: "f") { _ = try NumPyFile.decode(Array(whole[..<length]), file: "f") }
    }
    expectError(.badData, holding: "17 bytes") { _ = try NumPyFile.decode(whole + [0], file: "f") }
    var random = SmallRandom(state: 3)
    for _ in 0..<20_000 {
      var bytes = whole
      bytes[Int.random(in: 6..<80, using: &random)] = UInt8.random(in: 0...255, using: &random)
      if let tensor = try? NumPyFile.decode(bytes, file: "f") {
        #expect(tensor.bytes.count == 16 && tensor.shape.reduce(tensor.elementType.size, *) == 16)
      }
    }
  }

  @Test func filesAreWrittenAndRead() throws {
    let folder = try TemporaryFolder()
    let tensor = try RawTensor([Float(1.5)], shape: [1])
    try NumPyFile.write(tensor, to: folder.path + "/a.npy")
    #expect(try NumPyFile.read(folder.path + "/a.npy") == tensor)
    #expect(folder.names == ["a.npy"])
    expectError(.missing, holding: "b.npy") { _ = try NumPyFile.read(folder.path + "/b.npy") }
    expectError(.badData, holding: "a folder") { _ = try NumPyFile.read(folder.path) }
  }
}
