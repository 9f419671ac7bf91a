import ArgumentParser
import Quasar

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Image sets: list the kinds, look into one.",
    subcommands: [ListCommand.self, InspectCommand.self])

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "The forms of a data specification.",
      discussion: "Example: quasar data list")

    @OptionGroup var common: CommonOptions

    func run() throws {
      if common.json {
        try Console.json([
          "forms": DataSpecification.forms.map { ["form": $0.pattern, "summary": $0.summary] }
        ])
      } else {
        print(
          Console.table(["form", "what it is"], DataSpecification.forms.map { [$0.pattern, $0.summary] }))
      }
    }
  }

  struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "inspect", abstract: "Counts, classes and a contact sheet of a set.",
      discussion: "Example: quasar data inspect embedded --sheet sheet.png")

    @OptionGroup var common: CommonOptions
    @Argument(help: "embedded, fashion-mnist:DIR, mnist:DIR, cifar10:DIR or folder:DIR.") var specification: String
    @Option(name: .long, help: "Write a PNG with samples of every class.") var sheet: String?

    func run() throws {
      try common.apply()
      let data = try DataSpecification(parsing: specification).load()
      if let sheet {
        try AtomicFile.write(PNGWriter.encode(ContactSheet.draw(data.train)), to: sheet)
      }
      if common.json {
        try Console.json([
          "name": data.name, "classes": data.classNames, "channels": data.train.channels,
          "height": data.train.height, "width": data.train.width, "train": data.train.count,
          "test": data.test.count, "train_per_class": data.train.classCounts,
          "test_per_class": data.test.classCounts,
        ])
      } else {
        print(
          "\(data.name): \(data.train.count) training and \(data.test.count) test images of "
            + "\(data.train.channels)×\(data.train.height)×\(data.train.width)")
        let rows = data.classNames.indices.map { index in
          [
            data.classNames[index], String(data.train.classCounts[index]),
            String(data.test.classCounts[index]),
          ]
        }
        print(Console.table(["class", "train", "test"], rows))
        if let sheet { print("contact sheet: \(sheet)") }
      }
    }
  }
}
