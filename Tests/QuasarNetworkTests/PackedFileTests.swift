import Foundation
import QuasarArithmetic
import QuasarData
import QuasarNetwork
import QuasarSupernet
import QuasarTensor
import QuasarTestNetworks
import QuasarTestSupport
import Testing

@Suite struct PackedFileTests {
  private func small() throws -> IntegerModel {
    let architecture = Architecture(
      geometry: ImageGeometry(imageSize: 4, channels: 1, patchSize: 4, classes: 2, headDimension: 8),
      embedDimension: 8, activationBits: 6,
      blocks: [
        BlockGenes(
          heads: 1, mlpRatio: 1, shares: [.qkv: .none, .projection: .all, .expand: .none, .contract: .all])
      ])
    let net = Supernet(
      size: SupernetSize(architecture), preprocessing: Preprocessing(mean: [0.5], deviation: [0.25]),
      random: RandomSource(seed: 1))
    return try IntegerModel(packing: net, architecture: architecture, classNames: ["a", "b"])
  }

  @Test(arguments: [8, 6, 4])
  func roundTripKeepsBytesAndLogits(bits: Int) throws {
    let architecture = Tiny.mixed(bits: bits, channels: 3)
    let model = try Tiny.pack(Tiny.net(architecture), architecture)
    let path = NSTemporaryDirectory() + "quasar-packed-\(bits)-\(UUID().uuidString).quasar"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try PackedFile.write(model, to: path)
    let read = try PackedFile.read(path)
    #expect(try PackedFile.encode(read) == PackedFile.encode(model))
    let written = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(try [UInt8](written) == PackedFile.encode(model))
    #expect(read.architecture == architecture && read.classNames == Tiny.classNames)
    #expect(read.preprocessing == model.preprocessing && read.logitStep == model.logitStep)
    #expect(read.residualStep == model.residualStep)
    let images = try Tiny.images(20, channels: 3).array(0..<20)
    #expect(try read.logits(images).scalars == model.logits(images).scalars)
    for (a, b) in zip(read.linears, model.linears) {
      #expect(a.name == b.name && a.codes.contentsEqual(b.codes))
      #expect(a.rowBits == b.rowBits && a.bias == b.bias)
    }
  }

  @Test func everyDamagedByteIsRefused() throws {
    let good = try PackedFile.encode(small())
    var random = RandomSource(seed: 4).generator("flips")
    var accepted: [Int] = []
    for i in good.indices {
      for mask in [UInt8(1) << UInt8(random.below(8)), 0xff] {
        var bad = good
        bad[i] ^= mask
        let error = quasarError { _ = try PackedFile.decode(bad, file: "m.quasar") }
        if error?.kind != .badData || error?.message.hasPrefix("m.quasar: ") != true { accepted.append(i) }
      }
    }
    #expect(accepted.isEmpty, "bytes \(accepted.prefix(10)) of \(good.count)")
  }

  @Test func everyTruncationAndSurplusIsRefused() throws {
    let good = try PackedFile.encode(small())
    for length in 0..<good.count {
      let error = quasarError { _ = try PackedFile.decode(Array(good.prefix(length)), file: "m.quasar") }
      guard error?.kind == .badData else {
        Issue.record("the first \(length) of \(good.count) bytes are accepted")
        break
      }
    }
    for surplus in [[UInt8(0)], [255, 1], Array(good.suffix(4)), good] {
      #expect(quasarError { _ = try PackedFile.decode(good + surplus, file: "m.quasar") }?.kind == .badData)
      #expect(quasarError { _ = try PackedFile.decode(surplus + good, file: "m.quasar") }?.kind == .badData)
    }
  }

  /// A valid CRC over changed contents tests the checks after the checksum.
  @Test func resealedDamageIsRefused() throws {
    let good = try PackedFile.encode(small())
    func reseal(_ body: [UInt8], version: UInt8 = 1) -> [UInt8] {
      var bytes = Array("QUASAR\r\n".utf8) + [version, 0, 0, 0]
      bytes += (0..<4).map { UInt8(truncatingIfNeeded: body.count >> (8 * $0)) }
      bytes += body
      let crc = crc32(bytes)
      return bytes + (0..<4).map { UInt8(truncatingIfNeeded: crc >> (8 * UInt32($0))) }
    }
    let body = Array(good[16..<(good.count - 4)])
    // The seal of this test equals the seal of the file.
    #expect(reseal(body) == good)
    let version = quasarError { _ = try PackedFile.decode(reseal(body, version: 2), file: "m.quasar") }
    #expect(version?.message == "m.quasar: format version 2, this build reads 1")
    func replaced(_ old: String, _ new: String) throws -> [UInt8] {
      let (old, new) = (Array(old.utf8), Array(new.utf8))
      precondition(old.count == new.count)
      let start = try #require(body.indices.first { Array(body[$0...].prefix(old.count)) == old })
      return Array(body[..<start]) + new + body[(start + old.count)...]
    }
    for (old, new) in [
      ("quasar-model", "quasar-motel"), ("\"blocks.0.gelu\"", "\"blocks.0.gela\""),
      ("\\\"embedDimension\\\":8", "\\\"embedDimension\\\":9"), ("\\\"heads\\\":1", "\\\"heads\\\":2"),
      ("\\\"version\\\":1", "\\\"version\\\":2"), ("\\\"classes\\\":2", "\\\"classes\\\":3"),
      ("\\\"projection\\\":4", "\\\"projection\\\":0"), ("\\\"qkv\\\":0", "\\\"qkv\\\":7"),
      ("\\\"imageSize\\\":4", "\\\"imageSize\\\":8"), ("[\\\"a\\\",\\\"b\\\"]", "[\\\"a\\\"      ]"),
    ] {
      let error = quasarError { _ = try PackedFile.decode(reseal(replaced(old, new)), file: "m.quasar") }
      #expect(error?.kind == .badData, "\(old) → \(new)")
      #expect(error?.message.hasPrefix("m.quasar: ") == true, "\(old) → \(new): \(error?.message ?? "")")
    }
  }

  @Test func missingFileAndForeignFile() throws {
    let path = NSTemporaryDirectory() + "no-such-\(UUID().uuidString).quasar"
    let missing = quasarError { _ = try PackedFile.read(path) }
    #expect(missing?.kind == .missing && missing?.message.contains(path) == true)
    let foreign = quasarError { _ = try PackedFile.decode(Array("a text of some length".utf8), file: "x") }
    #expect(foreign?.kind == .badData && foreign?.message.contains("not a packed model") == true)
  }

  /// CRC-32 by its definition, bit by bit.
  private func crc32(_ bytes: [UInt8]) -> UInt32 {
    var crc = UInt32.max
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0xedb8_8320 : 0) }
    }
    return ~crc
  }
}
