import Foundation
import QuasarInterchange
import QuasarTensor
import Testing

@Suite struct AtomicFileTests {
  @Test func writesAndReplaces() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a"
    try AtomicFile.write([1, 2, 3], to: path)
    #expect(folder.bytes("a") == [1, 2, 3])
    try AtomicFile.write("é", to: path)
    #expect(folder.bytes("a") == [0xc3, 0xa9])
    try AtomicFile.write(Data([7]), to: path)
    try AtomicFile.write([UInt8](), to: folder.path + "/empty")
    #expect(folder.bytes("a") == [7] && folder.bytes("empty") == [])
    #expect(folder.names == ["a", "empty"])
  }

  @Test func anErrorHalfWayLeavesTheOldFileAndNothingElse() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a"
    try AtomicFile.write("old", to: path)
    expectError(.internal, holding: "stop") {
      try AtomicFile.write(to: path) { output throws(QuasarError) in
        try output.append([1, 2, 3])
        #expect(output.count == 3)
        throw QuasarError(.internal, "stop")
      }
    }
    #expect(folder.bytes("a") == Array("old".utf8) && folder.names == ["a"])
  }

  @Test func placesThatCannotBeWritten() throws {
    let folder = try TemporaryFolder()
    let missing = folder.path + "/no/file"
    expectError(.cannotWrite, holding: missing, "No such file", "folder exists") {
      try AtomicFile.write([1], to: missing)
    }
    expectError(.cannotWrite, holding: folder.path, "a folder stands there") {
      try AtomicFile.write([1], to: folder.path)
    }
    #expect(folder.names.isEmpty)
  }

  @Test func devicesStayDevices() throws {
    try AtomicFile.write([1, 2], to: "/dev/null")
    var status = stat()
    #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
    #if os(Linux)
      expectError(.inputOutput, holding: "/dev/full", "No space left", "after byte 0") {
        try AtomicFile.write([1, 2], to: "/dev/full")
      }
    #endif
  }
}
