import ArgumentParser
import Quasar
import QuasarConsole

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Image sets: list the kinds, look into one, cache class folders.",
    subcommands: [ListCommand.self, InspectCommand.self, CacheCommand.self])

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
      discussion: """
        Of class folders and caches only the images of the sheet are read. Class folders whose images differ in size are
        shown as squares of 64 points, or of --size. With --augment the sheet shows them as a training would.

        Example: quasar data inspect embedded --sheet sheet.png --augment --rand-augment 2 --crop-scale 0.3
        """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "embedded, fashion-mnist:DIR, mnist:DIR, cifar10:DIR, folder:DIR or cache:DIR.")
    var specification: String
    @Option(name: .long, help: "Write a PNG with samples of every class.") var sheet: String?
    @Option(name: .long, help: "Scale images of folder:DIR to squares of so many points.") var size: Int?
    @Flag(
      name: .long, help: "Show the images of the sheet mirrored, cropped, changed and erased at random, as in training."
    )
    var augment = false
    @OptionGroup var augmentation: OptionFlags<AugmentationFlags>
    @OptionGroup var seed: SeedOption

    func run() throws {
      try common.apply()
      guard !augment || sheet != nil else {
        throw QuasarError(.usage, "--augment changes the images of a contact sheet; add --sheet FILE")
      }
      let options = try augmentation.read(onto: TrainingOptions())
      let data = try DataOverview(
        of: DataSpecification(parsing: specification), samplesPerClass: sheet == nil ? 1 : 12, size: size)
      if let sheet {
        let shown = augment ? try data.samples.augmented(options, seed: seed.seed) : data.samples
        try AtomicFile.write(PNGWriter.encode(ContactSheet.draw(shown)), to: sheet)
      }
      let (train, test) = (data.trainCounts.reduce(0, +), data.testCounts.reduce(0, +))
      if common.json {
        var figures: [String: Any] = [
          "name": data.name, "classes": data.classNames, "channels": data.samples.channels,
          "height": data.samples.height, "width": data.samples.width, "train": train, "test": test,
          "train_per_class": data.trainCounts, "test_per_class": data.testCounts,
        ]
        figures["sizes"] = data.sizes
        try Console.json(figures)
      } else {
        let shape = "\(data.samples.channels)×\(data.samples.height)×\(data.samples.width)"
        print(
          "\(data.name): \(train) training and \(test) test images of "
            + (data.sizes.map { "different sizes, \($0) among the samples" } ?? shape))
        let rows = data.classNames.indices.map { index in
          [data.classNames[index], String(data.trainCounts[index]), String(data.testCounts[index])]
        }
        print(Console.table(["class", "train", "test"], rows))
        if let sheet { print("contact sheet: \(sheet)") }
      }
    }
  }

  struct CacheCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "cache", abstract: "Decode and scale class folders once, into checked shards on disk.",
      discussion: """
        The folder that is written is a data set of its own: cache:DIR. Training and evaluation read its images from disk,
        so it may be larger than memory. The same command goes on where it was stopped, and writes damaged shards anew.

        Example: quasar data cache folder:imagenet --size 224 --out imagenet-224
        """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "folder:DIR, class folders.") var specification: String
    @Option(name: .long, help: "Side of the square images: the shorter side is scaled, the middle is kept.")
    var size: Int
    @Option(name: .long, help: "Folder for manifest.json and the shards.") var out: String
    @Flag(name: .long, help: "Leave out images that cannot be decoded instead of stopping.") var skipDamaged = false

    func run() throws {
      try common.apply()
      var writer = try CacheWriter(DataSpecification(parsing: specification), size: size, output: out)
      writer.workers = Machine.threads
      writer.skipsDamaged = skipDamaged
      let progress = ConsoleProgress()
      progress.begin("cache")
      let clock = ContinuousClock()
      let start = clock.now
      let summary = try writer.run(
        progress: { progress.update(done: $0, total: $1, note: "images") }, shouldStop: { progress.shouldStop })
      let seconds = start.duration(to: clock.now).seconds
      progress.clear()
      if common.json {
        try Console.json([
          "out": out, "images": summary.images, "shards": summary.shards, "kept_shards": summary.kept,
          "damaged": summary.damaged, "bytes": summary.bytes, "seconds": seconds,
        ])
      } else {
        for file in summary.damaged { Console.note("left out as damaged: \(file)") }
        print(
          "\(out): \(summary.images) images in \(summary.shards) shards (\(summary.kept) were there), "
            + "\(Workflow.fixed(Double(summary.bytes) / 1_048_576, 1)) MiB, \(ConsoleProgress.time(seconds)); "
            + "use it as cache:\(out)")
      }
    }
  }
}
