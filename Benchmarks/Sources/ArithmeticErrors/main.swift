// The error that integer attention, LayerNorm and GELU add to rounding, on the activations of trained networks.
//
//   swift run -c release arithmetic-errors --model A.quasar [--model B.quasar …] [--data embedded]
//     [--images 200] [--out DIR] [--json]
//
// For each unit and number of activation bits: the relative rms error against the real function in double at the same
// input codes, next to the error of rounding that function's exact value. --out also writes error plots over synthetic
// inputs as SVG; without --model only these plots are made.
import Foundation
import Quasar

struct Options {
  var models: [String] = []
  var data = "embedded"
  var images = 200
  var out: String?
  var json = false

  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    func value(of name: String) throws -> String {
      guard let value = rest.popFirst() else { throw QuasarError(.usage, "\(name) needs a value") }
      return value
    }
    while let argument = rest.popFirst() {
      switch argument {
      case "--model": models.append(try value(of: argument))
      case "--data": data = try value(of: argument)
      case "--out": out = try value(of: argument)
      case "--json": json = true
      case "--images":
        let text = try value(of: argument)
        guard let number = Int(text), number > 0 else {
          throw QuasarError(.usage, "--images \(text): write a number of images, 1 or more")
        }
        images = number
      default: throw QuasarError(.usage, "unknown argument \(argument); see the head of main.swift")
      }
    }
    guard !models.isEmpty || out != nil else {
      throw QuasarError(.usage, "nothing to do: name a model with --model or a folder for plots with --out")
    }
  }
}

func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

func run() throws {
  let options = try Options(Array(CommandLine.arguments.dropFirst()))
  var errors: [LayerErrors] = []
  if !options.models.isEmpty {
    let test = try DataSpecification(parsing: options.data).load().test
    // Every n-th image, so that all classes take part.
    let count = min(options.images, test.count)
    let indices = (0..<count).map { $0 * test.count / count }
    for path in options.models {
      let model = try PackedFile.read(path)
      try test.checkFits(model.architecture.geometry)
      note("measuring \(path) on \(count) images …")
      let images = try test.selecting(indices)
      let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
      errors += try NetworkWalk(name: name, model: model).errors(images.array(0..<images.count))
    }
  }
  let tables = Tables(errors: errors)
  if !errors.isEmpty { print(options.json ? try tables.json(images: options.images) : tables.text) }
  guard let out = options.out else { return }
  try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
  for picture in try Pictures.all(note: { note("plotting \($0) …") }) {
    try AtomicFile.write(Array(picture.svg.utf8), to: "\(out)/\(picture.file)")
  }
}

do {
  try run()
} catch let error as QuasarError {
  note("error: \(error.message)")
  exit(error.kind.rawValue)
} catch {
  note("error: \(error)")
  exit(70)
}
