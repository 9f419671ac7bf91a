import Foundation
import QuasarAutograd
import QuasarInterchange
import QuasarSupernet
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarTrain

@Suite struct CheckpointTests {
  private func write(_ path: String, optimizer: Bool = true) throws -> Supernet {
    let data = try Tiny.toySet(12, seed: 1)
    let net = Tiny.net(data: data)
    try net.calibrate(
      Trainer.calibrationBatches(data, geometry: Tiny.geometry), architecture: Tiny.architecture)
    let description = Checkpoint.Description(
      net: net, classNames: Tiny.classNames, plan: .fixed(Tiny.architecture),
      options: Tiny.options(epochs: 3), seed: 9, step: 4, totalSteps: 6)
    try Checkpoint.write(
      description, net: net, optimizer: optimizer ? AdamW(net.parameters) : nil, to: path)
    return net
  }

  @Test func roundTripKeepsEveryBit() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/c.safetensors"
      let net = try write(path)
      let read = try Checkpoint(contentsOf: path)
      #expect(read.description.step == 4 && read.description.seed == 9 && read.description.totalSteps == 6)
      #expect(read.description.architecture == Tiny.architecture && read.description.space == nil)
      #expect(read.description.classNames == Tiny.classNames)
      #expect(read.net.residualStep == net.residualStep && read.net.rowRankings == net.rowRankings)
      for (a, b) in zip(read.net.parameters, net.parameters) {
        #expect(a.name == b.name && a.value.scalars == b.value.scalars)
      }
      let optimizer = AdamW(read.net.parameters)
      try read.restore(optimizer)
      #expect(optimizer.step == 4)
    }
  }

  /// Rewrites one tensor of a checkpoint and returns the error of reading it.
  private func damage(
    _ change: (SafetensorsFile) throws -> SafetensorsFile
  ) throws -> (error: QuasarError?, path: String) {
    var result: (error: QuasarError?, path: String) = (nil, "")
    try withTemporaryFolder { folder in
      let path = folder + "/c.safetensors"
      _ = try write(path)
      try change(SafetensorsFile.read(path)).write(to: path)
      let error = quasarError {
        let read = try Checkpoint(contentsOf: path)
        try read.restore(AdamW(read.net.parameters))
      }
      result = (error, path)
    }
    return result
  }

  private func replacing(
    _ file: SafetensorsFile, _ name: String, _ tensor: RawTensor?
  ) throws -> SafetensorsFile {
    var copy = SafetensorsFile(metadata: file.metadata)
    for other in file.names where other != name { try copy.add(file.tensor(named: other), named: other) }
    if let tensor { try copy.add(tensor, named: name) }
    return copy
  }

  @Test(arguments: [
    "blocks.0.qkv.weight", "head.step8", "ranking.blocks.0.expand", "residual_step", "moment1.cls",
    "moment2.position",
  ])
  func missingTensorIsNamed(name: String) throws {
    let (error, _) = try damage { try replacing($0, name, nil) }
    #expect(error?.kind == .badData)
    #expect(error?.message.contains("“\(name)”") == true, "\(error?.message ?? "none")")
  }

  @Test func wrongShapeIsNamed() throws {
    for (name, shape) in [("cls", [8]), ("blocks.0.qkv.weight", [16, 48]), ("moment1.cls", [4, 4])] {
      let (error, path) = try damage {
        try replacing(
          $0, name,
          RawTensor([Float](repeating: 0.5, count: shape.reduce(1, *)), shape: shape, name: name))
      }
      #expect(error?.kind == .badData)
      #expect(error?.message.hasPrefix("\(path): \(name) has shape \(shape)") == true)
    }
  }

  @Test func numbersThatAreNotFiniteAreRefused() throws {
    for (name, count) in [("cls", 16), ("moment2.cls", 16), ("residual_step", 1), ("norm.step.a8", 1)] {
      for value in [Float.nan, .infinity] {
        let (error, _) = try damage {
          try replacing(
            $0, name, RawTensor([Float](repeating: value, count: count), shape: [count], name: name))
        }
        #expect(error?.kind == .badData && error?.message.contains(name) == true, "\(name) = \(value)")
      }
    }
  }

  @Test func rankingMustBeAnOrder() throws {
    let (error, _) = try damage {
      try replacing(
        $0, "ranking.blocks.0.projection",
        RawTensor([Int32](repeating: 3, count: 16), shape: [16], name: "ranking"))
    }
    #expect(error?.message.contains("ranking.blocks.0.projection is no order of its 16 rows") == true)
  }

  /// Options that did not exist when a checkpoint was written get their defaults; existing ones stay.
  @Test func olderOptionsAreCompleted() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/c.safetensors"
      _ = try write(path)
      let file = try SafetensorsFile.read(path)
      let whole = try Checkpoint(contentsOf: path).description
      let text = try #require(file.metadata["description"])
      var json = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      var options = try #require(json["options"] as? [String: Any])
      var optimizer = try #require(options["optimizer"] as? [String: Any])
      optimizer["rule"] = nil
      optimizer["weightDecay"] = 0.375
      options["optimizer"] = optimizer
      options["gptqStart"] = nil
      options["decayPoints"] = nil
      json["options"] = options
      json["seed"] = UInt64.max
      func rewrite() throws {
        var metadata = file.metadata
        metadata["description"] = String(
          decoding: try JSONSerialization.data(withJSONObject: json), as: UTF8.self)
        var copy = SafetensorsFile(metadata: metadata)
        for name in file.names { try copy.add(file.tensor(named: name), named: name) }
        try copy.write(to: path)
      }
      try rewrite()
      var expected = whole
      expected.options.optimizer.weightDecay = 0.375
      expected.seed = .max
      #expect(try Checkpoint(contentsOf: path).description == expected)
      // Only options are completed.
      json["totalSteps"] = nil
      try rewrite()
      #expect(quasarError { _ = try Checkpoint(contentsOf: path) }?.kind == .badData)
    }
  }

  @Test func foreignFilesAreRefused() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/x.safetensors"
      try SafetensorsFile(metadata: ["format": "other"]).write(to: path)
      let other = quasarError { _ = try Checkpoint(contentsOf: path) }
      #expect(other?.kind == .badData && other?.message.contains("not a checkpoint") == true)
      try SafetensorsFile(metadata: ["format": "quasar-checkpoint", "description": "{}"]).write(to: path)
      let empty = quasarError { _ = try Checkpoint(contentsOf: path) }
      #expect(empty?.kind == .badData && empty?.message.contains("not understood") == true)
      try Data("no safetensors".utf8).write(to: URL(fileURLWithPath: path))
      #expect(quasarError { _ = try Checkpoint(contentsOf: path) }?.kind == .badData)
      #expect(quasarError { _ = try Checkpoint(contentsOf: folder + "/none") }?.kind == .missing)
      let run = quasarError { _ = try RunDirectory(folder).load() }
      #expect(run?.kind == .missing && run?.message.contains("quasar train") == true)
    }
  }

  @Test func truncatedFilesAreRefused() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/c.safetensors"
      _ = try write(path, optimizer: false)
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      for part in 0..<20 {
        try whole.prefix(whole.count * part / 20).write(to: URL(fileURLWithPath: path))
        #expect(quasarError { _ = try Checkpoint(contentsOf: path) }?.kind == .badData, "\(part)/20")
      }
    }
  }
}
