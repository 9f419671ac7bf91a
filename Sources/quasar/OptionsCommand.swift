import ArgumentParser
import Quasar
import QuasarConsole

struct OptionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "options", abstract: "Every key of a pipeline file with its flag, values, unit, default and help.",
    discussion: "Example: quasar options --json")

  @OptionGroup var common: CommonOptions
  @Flag(name: .long, help: "Print the page of the documentation.") var markdown = false

  func run() throws {
    guard !markdown || !common.json else { throw QuasarError(.usage, "--markdown, --json: choose one of them") }
    if markdown {
      print(OptionsPage.markdown, terminator: "")
    } else if common.json {
      try Console.json(["options": OptionsPage.sections.flatMap { section in section.rows.map { object($0, section) } }]
      )
    } else {
      for section in OptionsPage.sections { print(text(section)) }
    }
  }

  private func object(_ row: OptionsPage.Row, _ section: OptionsPage.Section) -> [String: Any] {
    let option = row.option
    var object: [String: Any] = [
      "mappings": section.mappings, "key": option.key, "flag": "--\(option.flag)", "kind": option.kind.rawValue,
      "unit": option.unit, "default": row.usual, "help": option.help, "required": option.isRequired,
    ]
    object["finetune_default"] = row.finetune
    if let range = option.range {
      (object["minimum"], object["maximum"]) = (range.lower, range.upper)
      object["maximum_included"] = range.includesUpper
      object["also"] = range.also
    }
    if !option.choices.isEmpty { object["choices"] = option.choices }
    return object
  }

  private func text(_ section: OptionsPage.Section) -> String {
    let place = section.mappings.isEmpty ? "" : " (\(section.mappings.joined(separator: ", ")))"
    let rows = section.rows.map { row in
      let facts = [row.option.values, row.option.unit].filter { !$0.isEmpty }.joined(separator: " ")
      let usual = row.defaults.isEmpty ? "" : "default \(row.defaults)"
      return "  \(row.option.key), \(row.option.flagText)\n      "
        + [facts, usual, row.option.help].filter { !$0.isEmpty }.joined(separator: "; ")
    }
    return "\(section.title)\(place)\n\(rows.joined(separator: "\n"))\n"
  }
}
