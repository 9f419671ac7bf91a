import QuasarInterchange
import QuasarSearch
import QuasarSupernet
import QuasarTensor
import QuasarTrain
import Testing

@testable import QuasarPipeline

/// Every option of every table at and just beyond the ends of its range, from a file and from a flag.
@Suite struct OptionEndsTests {
  @Test func training() throws { try check(TrainingSetup.table, TrainingSetup()) }
  @Test func finetuning() throws {
    // No number of best checkpoints but 0 is allowed there.
    let keys = TrainingSetup.finetuneTable.keys.filter { $0 != "keep_best" }
    try check(TrainingSetup.finetuneTable.only(keys), .finetuneDefaults)
  }
  @Test func search() throws { try check(SearchOptions.table, SearchOptions()) }
  @Test func run() throws { try check(PipelineConfiguration.table, PipelineConfiguration()) }
  @Test func startWeights() throws { try check(InitialWeightsOptions.table, InitialWeightsOptions()) }

  private func check<Root>(_ table: OptionTable<Root>, _ defaults: Root) throws {
    #expect(quasarError { try table.validate(defaults) } == nil)
    for option in table.descriptions {
      let (taken, refused) = values(option)
      // Alone, without the rules on several options.
      let single = table.only([option.key])
      for value in taken {
        let written = option.kind == .numbers ? "[\(value)]" : value
        var (a, b) = (defaults, defaults)
        try single.read(&a, from: StrictYAML(text: "\n\(option.key): \(written)", file: "o.yaml"))
        try single.read(&b, flags: OptionFlagValues([option.key: value]))
        #expect(single.texts(a) == single.texts(b), "\(option.key) \(value)")
        #expect(quasarError { try single.validate(a) } == nil, "\(option.key) \(value)")
      }
      for value in refused {
        let written = option.kind == .numbers ? "[\(value)]" : value
        var root = defaults
        let file = quasarError {
          try single.read(&root, from: StrictYAML(text: "\n\(option.key): \(written)", file: "o.yaml"))
        }
        let place = "o.yaml:2: \(option.key): '\(value)' must be "
        #expect(
          file?.kind == .badData && file?.message.hasPrefix(place) == true,
          "\(option.key) \(value): \(file?.message ?? "accepted")")
        let flag = quasarError { try single.read(&root, flags: OptionFlagValues([option.key: value])) }
        // Of a list the part that is not a number is named.
        let reason = option.kind == .numbers && value == "many" ? "'many' is not a number" : "must be "
        #expect(
          flag?.kind == .usage && flag?.message.contains(reason) == true
            && flag?.message.contains("\(option.flag) \(value)") == (option.kind != .flag),
          "\(option.key) \(value): \(flag?.message ?? "accepted")")
      }
    }
  }

  /// Texts at the ends of the range, and just beyond them at the resolution of single precision.
  private func values(_ option: OptionDescription) -> (taken: [String], refused: [String]) {
    switch option.kind {
    case .flag: return (["true", "false"], ["maybe"])
    case .choice: return (option.choices, ["none-of-them"])
    case .text: return (["anything"], [])
    case .integer:
      guard let range = option.range else { return (["0", "18446744073709551615"], ["-1", "1.5"]) }
      return (
        ["\(Int(range.lower))", "\(Int(range.upper))"],
        ["\(Int(range.lower) - 1)", "\(Int(range.upper) + 1)", "1.5", "many"]
      )
    case .number, .numbers:
      guard let range = option.range else { return ([], []) }
      let below = range.lower == 0 ? -1e-6 : range.lower * (1 - 1e-6)
      let inside = range.includesUpper ? range.upper : range.upper * (1 - 1e-6)
      let beyond = range.includesUpper ? range.upper * (1 + 1e-6) : range.upper
      let also = range.also.map { ["\($0)"] } ?? []
      return (["\(range.lower)", "\(inside)"] + also, ["\(below)", "\(beyond)", "many"])
    }
  }

  @Test func everyNameIsThereOnce() {
    let mappings = OptionsPage.sections.flatMap { section in
      (section.mappings.isEmpty ? [""] : section.mappings).flatMap { mapping in
        section.rows.map { "\(mapping).\($0.option.key)" }
      }
    }
    #expect(Set(mappings).count == mappings.count)
    for section in OptionsPage.sections {
      for row in section.rows {
        let option = row.option
        #expect(!option.help.isEmpty && option.help.hasSuffix("."), "\(option.key)")
        let derived = option.key.replacing("_", with: "-")
        let others = [
          "targets_fps": "fps", "clock_mhz": "clock", "file": "init", "mean": "init-mean",
          "deviation": "init-deviation",
        ]
        #expect(option.flag == others[option.key] ?? derived, "\(option.key)")
      }
    }
  }
}

func quasarError(_ body: () throws -> Void) -> QuasarError? {
  do {
    try body()
    return nil
  } catch let error as QuasarError {
    return error
  } catch {
    return QuasarError(.internal, "\(error)")
  }
}
