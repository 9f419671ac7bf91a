import Foundation
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarInterchange

/// A table of every kind of option, read from files and flags, checked and stored.
@Suite struct OptionTableTests {
  enum Colour: String, Codable, CaseIterable {
    case red
    case darkBlue = "dark-blue"
  }

  struct Inner: Sendable, Equatable {
    var rate: Float = 0.1
    var other = 7
  }

  struct Sample: TabledOptions, Equatable {
    var count = 3
    var share: Float = 0.25
    var percentile = 0.0
    var loud = true
    var colour = Colour.red
    var points = [0.5]
    var title = "none"
    var clock: Double?
    var seed: UInt64 = 1
    var inner = Inner()

    static let table = OptionTable<Sample>(
      [
        OptionEntry("step_count", \.count, .integer(1...10), unit: "steps", "Count."),
        OptionEntry("share", \.share, .number(0..<1), "Share."),
        OptionEntry("percentile", \.percentile, .number(90...100, or: 0), unit: "%", "Percentile."),
        OptionEntry("loud", \.loud, .flag, "Loud."), OptionEntry("colour", \.colour, .choice, "Colour."),
        OptionEntry("points", \.points, .numbers(0...1), "Points."), OptionEntry("title", \.title, .text, "Title."),
        OptionEntry("clock", \.clock, .optional(.number(1...100)), flag: "clock-rate", "Clock."),
        OptionEntry("seed", \.seed, .integer(), "Seed."),
        OptionEntry("rate", \.inner.rate, .number(1e-6...1), stored: "inner.rate", "Rate."),
        OptionEntry("other", \.inner.other, .integer(0...99), stored: "inner.otherNumber", "Other."),
      ],
      rules: [
        OptionRule(["step_count", "other"]) { $0.count <= $0.inner.other ? nil : "\($0.count) above \($0.inner.other)" }
      ],
      dependentDefaults: [DependentDefault("other") { $0.inner.other = max($0.inner.other, $0.count) }])
  }

  private func read(_ yaml: String? = nil, _ flags: [String: String] = [:], prefix: String = "") throws -> Sample {
    var sample = Sample()
    try Sample.table.read(
      &sample, from: yaml.map { try StrictYAML(text: $0, file: "o.yaml") },
      flags: OptionFlagValues(flags, prefix: prefix))
    return sample
  }

  private func refused(_ yaml: String? = nil, _ flags: [String: String] = [:], prefix: String = "") -> String {
    let error = quasarError { _ = try read(yaml, flags, prefix: prefix) }
    return error.map { "\($0.kind.rawValue) \($0.message)" } ?? "accepted"
  }

  private var everything: Sample {
    var sample = Sample()
    (sample.count, sample.share, sample.percentile, sample.loud, sample.colour) = (4, 0.1, 99.5, false, .darkBlue)
    (sample.points, sample.title, sample.clock, sample.seed) = ([0.25, 0.75], "a b", 50, .max)
    sample.inner = Inner(rate: 1e-3, other: 9)
    return sample
  }

  @Test func filesAndFlagsTakeTheSame() throws {
    let yaml = """
      step_count: 4
      share: 0.1
      percentile: 99.5
      loud: false
      colour: dark-blue
      points: [0.25, 0.75]
      title: a b
      clock: 50
      seed: 18446744073709551615
      rate: 1e-3
      other: 9
      """
    let flags = [
      "step_count": "4", "share": "0.1", "percentile": "99.5", "loud": "false", "colour": "dark-blue",
      "points": "0.25, 0.75", "title": "a b", "clock": "50", "seed": "18446744073709551615", "rate": "1e-3",
      "other": "9",
    ]
    #expect(try read(yaml) == everything)
    #expect(try read(nil, flags) == everything)
    #expect(flags.keys.sorted() == Sample.table.keys.sorted())
    #expect(
      Sample.table.texts(everything) == [
        "4", "0.1", "99.5", "false", "dark-blue", "0.25,0.75", "a b", "50", "18446744073709551615", "0.001", "9",
      ])
    #expect(try read() == Sample())
    // Flags win over the file.
    #expect(try read(yaml, ["step_count": "5", "loud": "true"]).count == 5)
    #expect(try read(yaml, ["step_count": "5", "loud": "true"]).loud)
  }

  @Test func faultsAreNamedWhereTheyStand() {
    #expect(refused("\nstep_count: 11") == "65 o.yaml:2: step_count: '11' must be a whole number from 1 to 10")
    #expect(refused("step_count: 2.5").contains("'2.5' must be a whole number"))
    #expect(refused(nil, ["step_count": "11"]) == "64 --step-count 11: must be a whole number from 1 to 10")
    #expect(refused(nil, ["clock": "0"], prefix: "run-") == "64 --run-clock-rate 0: must be a number from 1 to 100")
    #expect(refused("share: 1").hasSuffix("share: '1' must be a number from 0 to below 1"))
    // It rounds to 1 in single precision.
    #expect(refused(nil, ["share": "0.999999999"]).contains("below 1"))
    #expect(refused("percentile: 50").hasSuffix("must be 0 or a number from 90 to 100"))
    #expect(refused("percentile: .nan").contains("must be 0 or a number"))
    #expect(refused("loud: maybe").contains("'maybe' must be true or false"))
    #expect(refused("colour: green").hasSuffix("'green' must be one of red, dark-blue"))
    #expect(refused(nil, ["colour": "green"]) == "64 --colour green: must be one of red, dark-blue")
    #expect(refused("title: [a]").contains("expected a text"))
    #expect(refused("points: []").contains("expected a list"))
    #expect(refused("points: [0.5,\n  2]") == "65 o.yaml:2: points: '2' must be a number from 0 to 1")
    #expect(refused("points: [0.5, 0.5]").contains("0.5 is listed twice"))
    #expect(refused(nil, ["points": "0.5,0.5"]) == "64 --points 0.5,0.5: 0.5 is listed twice")
    #expect(refused(nil, ["points": "0.5,"]).contains("'' is not a number"))
    #expect(refused(nil, ["points": "0.5,2"]) == "64 --points 0.5,2: '2' must be a number from 0 to 1")
    #expect(refused("seed: -1").contains("must be a whole number from 0 to 18446744073709551615"))
    #expect(refused("speed: 1").contains("o.yaml:1: speed: unknown key; the keys here are step_count, share"))
  }

  /// A file names the last of the keys at fault, flags win over it, and without either the keys are named.
  @Test func rulesNameTheirKeys() {
    #expect(refused("step_count: 9\nloud: true\nother: 8\nshare: 0") == "65 o.yaml:3: other: 9 above 8")
    #expect(refused("other: 8\nloud: true\nstep_count: 9") == "65 o.yaml:3: step_count: 9 above 8")
    #expect(refused("other: 8", ["step_count": "9"]) == "64 --step-count 9: 9 above 8")
    #expect(refused(nil, ["other": "8", "step_count": "9"]) == "64 --step-count 9, --other 8: 9 above 8")
    var sample = Sample()
    sample.count = 9
    #expect(quasarError { try sample.validate() }?.message == "step_count, other: 9 above 7")
    sample.count = 11
    #expect(quasarError { try sample.validate() }?.message == "step_count 11: must be a whole number from 1 to 10")
  }

  /// A default that depends on another option follows it, and gives way to what is written.
  @Test func defaultsFollow() throws {
    #expect(try read("step_count: 9").inner.other == 9)
    #expect(try read(nil, ["step_count": "9"]).inner.other == 9)
    #expect(try read("other: 10", ["step_count": "9"]).inner.other == 10)
    #expect(try read("step_count: 2").inner.other == 7)
  }

  @Test func jsonHasTheStoredNames() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let text = String(decoding: try encoder.encode(everything), as: UTF8.self)
    #expect(
      text == #"{"clock":50,"colour":"dark-blue","inner":{"otherNumber":9,"rate":0.001},"loud":false,"#
        + #""percentile":99.5,"points":[0.25,0.75],"seed":18446744073709551615,"share":0.1,"stepCount":4,"title":"a b"}"#
    )
    #expect(try JSONDecoder().decode(Sample.self, from: Data(text.utf8)) == everything)
    // What is missing keeps its default, in an object too; what has another type is an error.
    var expected = Sample()
    expected.inner.rate = 0.5
    #expect(try JSONDecoder().decode(Sample.self, from: Data(#"{"inner":{"rate":0.5}}"#.utf8)) == expected)
    #expect(try JSONDecoder().decode(Sample.self, from: Data("{}".utf8)) == Sample())
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(Sample.self, from: Data(#"{"inner":{"rate":"fast"}}"#.utf8))
    }
  }

  @Test func linesOfHelp() throws {
    func line(_ key: String) -> String {
      Sample.table.description(key)?.line(
        default: zip(Sample.table.keys, Sample.table.texts(Sample())).first { $0.0 == key }!.1)
        ?? ""
    }
    #expect(line("step_count") == "Count. (1…10 steps; default: 3)")
    #expect(line("share") == "Share. (0..<1; default: 0.25)")
    #expect(line("percentile") == "Percentile. (0, 90…100 %; default: 0)")
    #expect(line("loud") == "Loud. (default: --loud)")
    #expect(line("colour") == "Colour. (red, dark-blue; default: red)")
    #expect(line("clock") == "Clock. (1…100)")
    #expect(Sample.table.description("clock")?.flagText == "--clock-rate")
    #expect(Sample.table.description("loud")?.flagText == "--loud, --no-loud")
  }

  /// A part of a table keeps the rules that are about its options alone; a larger set reads the same options.
  @Test func partsAndLargerSets() throws {
    struct Outer: Sendable { var sample = Sample() }
    var sample = Sample()
    try Sample.table.only(["step_count", "share"]).read(&sample, flags: OptionFlagValues(["step_count": "9"]))
    #expect(sample.count == 9 && sample.inner.other == 7)
    let lifted = Sample.table.lifted(\Outer.sample)
    var outer = Outer()
    try lifted.read(&outer, from: StrictYAML(text: "step_count: 8", file: "o.yaml"))
    #expect(outer.sample.count == 8 && outer.sample.inner.other == 8)
    let error = quasarError {
      try lifted.read(&outer, from: StrictYAML(text: "step_count: 8\nother: 1", file: "o.yaml"))
    }
    #expect(error?.message == "o.yaml:2: other: 8 above 1")
  }
}
