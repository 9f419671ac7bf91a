// Accuracy of packed models on hardware that is not exact, one spec file after another.
//
//   swift run -c release inexact-hardware --model A.quasar [--model B.quasar …] [--specs FOLDER] [--data embedded]
//     [--device pynq-z2] [--json]
import Foundation
import Quasar

struct Arguments {
  var models: [String] = []
  var specs = "../tools/hardware-specs"
  var data = "embedded"
  var device = "pynq-z2"
  var json = false

  init(_ words: [String]) throws {
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--json" {
        json = true
        continue
      }
      guard let value = rest.popFirst() else { throw QuasarError(.usage, "\(word): a value is missing") }
      switch word {
      case "--model": models.append(value)
      case "--specs": specs = value
      case "--data": data = value
      case "--device": device = value
      default: throw QuasarError(.usage, "\(word): use --model, --specs, --data, --device or --json")
      }
    }
    guard !models.isEmpty else { throw QuasarError(.usage, "name at least one packed model with --model FILE") }
  }
}

/// One spec on one model.
struct Row: Codable {
  var spec: String
  var name: String
  var model: String
  var accuracy: Double
  /// Share of images whose class differs from that of the exact integers.
  var changed: Double
  /// Share of logit codes that differ.
  var differentLogits: Double
  var unprovedProducts: Int
}

func run() throws {
  let arguments = try Arguments(Array(CommandLine.arguments.dropFirst()))
  let test = try DataSpecification(parsing: arguments.data).load().test
  let images = test.array(0..<test.count)
  let board = try HardwareModel(device: Device.load(arguments.device))
  let files = try FileManager.default.contentsOfDirectory(atPath: arguments.specs).filter { $0.hasSuffix(".yaml") }
    .sorted { $0.localizedStandardCompare($1) == .orderedAscending }
  var rows: [Row] = []
  for path in arguments.models {
    let model = try PackedFile.read(path)
    let exact = try model.logits(images)
    let classes = exact.largestPerRow()
    let engine = try board.optimisedEngine(for: model.architecture).datapath
    for (index, file) in files.enumerated() {
      let spec = try HardwareSpecFile.read(arguments.specs + "/" + file)
      let units = try DatapathUnits(model, engine: engine, spec: spec.spec, speed: .proved)
      let logits = try model.logits(images, on: units)
      let changed = zip(logits.largestPerRow(), classes).reduce(0) { $0 + ($1.0 == $1.1 ? 0 : 1) }
      let different = zip(logits.scalars, exact.scalars).reduce(0) { $0 + ($1.0 == $1.1 ? 0 : 1) }
      rows.append(
        Row(
          spec: file, name: spec.name, model: path, accuracy: Evaluation.accuracy(logits, test.labels),
          changed: Double(changed) / Double(test.count), differentLogits: Double(different) / Double(logits.count),
          unprovedProducts: units.unproved(in: model).count))
      FileHandle.standardError.write(Data("\(path): \(index + 1)/\(files.count) \(spec.name)\n".utf8))
    }
    rows.append(
      Row(
        spec: "exact", name: "exact", model: path, accuracy: Evaluation.accuracy(exact, test.labels), changed: 0,
        differentLogits: 0, unprovedProducts: 0))
  }
  if arguments.json {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    print(String(decoding: try encoder.encode(rows), as: UTF8.self))
    return
  }
  let names = arguments.models.map { (($0 as NSString).lastPathComponent as NSString).deletingPathExtension }
  print("| hardware | " + names.map { "\($0): accuracy, classes changed" }.joined(separator: " | ") + " |")
  print("| --- |" + names.map { _ in " --- |" }.joined())
  for file in ["exact"] + files {
    let here = rows.filter { $0.spec == file }
    let cells = here.map { String(format: "%.2f %%, %.2f %%", 100 * $0.accuracy, 100 * $0.changed) }
    print("| \(here[0].name) | \(cells.joined(separator: " | ")) |")
  }
}

do {
  try run()
} catch let error as QuasarError {
  FileHandle.standardError.write(Data("error: \(error.message)\n".utf8))
  exit(error.kind.rawValue)
}
