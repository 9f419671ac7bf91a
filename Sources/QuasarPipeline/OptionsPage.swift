import QuasarInterchange
import QuasarSearch

/// Every option of the flow, from the tables that also read files and command lines.
public enum OptionsPage {
  /// The options of one mapping of a pipeline file.
  public struct Section: Sendable {
    /// Heading.
    public let title: String
    /// Mappings of a pipeline file that have these keys; empty for its top level.
    public let mappings: [String]
    /// Commands and mappings that take the options.
    public let introduction: String
    /// The options, in the order of their table.
    public let rows: [Row]
  }

  /// One option with its defaults.
  public struct Row: Sendable {
    /// Names, values, unit and help.
    public let option: OptionDescription
    /// As a flag would have it; empty for an option that is off without one.
    public let usual: String
    /// The default of fine-tuning, where it is another one.
    public let finetune: String?

    /// Both defaults in one cell.
    public var defaults: String { finetune.map { "\(usual), finetune \($0)" } ?? usual }
  }

  /// All options, in the order of a pipeline file.
  public static let sections: [Section] = [
    Section(
      title: "The run", mappings: [],
      introduction: "Top level of a pipeline file, and flags of `quasar run`. A file must have "
        + listed(PipelineConfiguration.table.descriptions.filter(\.isRequired).map { "`\($0.key)`" })
        + ". Commands that do one step take those that concern it, with the defaults here.",
      rows: rows(PipelineConfiguration.table, PipelineConfiguration())),
    Section(
      title: "Start weights", mappings: ["init"],
      introduction: "The mapping `init` of a pipeline file, and flags of `quasar train` and `quasar run`.",
      rows: rows(InitialWeightsOptions.table, InitialWeightsOptions())),
    Section(
      title: "Training and fine-tuning", mappings: ["train", "finetune"],
      introduction: "The mappings `train` and `finetune` of a pipeline file, and flags of `quasar train` and "
        + "`quasar finetune`; in `quasar run` they begin with `--train-` and `--finetune-`.",
      rows: rows(TrainingSetup.table, TrainingSetup(), finetune: .finetuneDefaults)),
    Section(
      title: "Search", mappings: ["search"],
      introduction: "The mapping `search` of a pipeline file, and flags of `quasar search`; in `quasar run` they begin "
        + "with `--search-`.",
      rows: rows(SearchOptions.table, SearchOptions())),
  ]

  private static func rows<Root>(_ table: OptionTable<Root>, _ defaults: Root, finetune: Root? = nil) -> [Row] {
    let usual = table.texts(defaults)
    let others = finetune.map(table.texts) ?? usual
    return table.descriptions.indices.map { i in
      Row(option: table.descriptions[i], usual: usual[i], finetune: others[i] == usual[i] ? nil : others[i])
    }
  }

  private static func listed(_ words: [String]) -> String {
    words.dropLast().joined(separator: ", ") + " and " + words.suffix(1).joined()
  }

  /// The page of the documentation.
  public static var markdown: String {
    let head = """
      # Options

      Keys of a pipeline file and flags of the command line. Both are read by the same tables, so they take the same values;
      a flag wins over the file. What belongs to one call has no key: `--out`, `--run`, `--subnet`, `--resume`, `--profile`,
      `--threads`, `--isa` and `--json`. `quasar options` prints the same tables; this page is `quasar options --markdown`.

      """
    let parts = sections.map { section in
      """

      ## \(section.title)

      \(section.introduction)

      | key | flag | values | unit | default | what it does |
      | --- | --- | --- | --- | --- | --- |
      \(section.rows.map(line).joined(separator: "\n"))

      """
    }
    return head + parts.joined()
  }

  private static func line(_ row: Row) -> String {
    let option = row.option
    let values = option.kind == .flag ? "true, false" : option.values
    let cells = [
      "`\(option.key)`", option.flagText.split(separator: ", ").map { "`\($0)`" }.joined(separator: ", "), values,
      option.unit, row.defaults, option.help,
    ]
    return "| \(cells.joined(separator: " | ")) |"
  }
}
