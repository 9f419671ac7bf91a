import ArgumentParser
import CKernels
import Foundation
import Quasar

/// Recording where the time of training steps goes.
package struct ProfileOption: ParsableArguments {
  @Option(
    name: .long,
    help: "Print the time of every phase beside its bound, and write a Chrome trace of the first 10 steps to this file."
  )
  package var profile: String?

  package init() {}

  /// body with a recording, which it collects after every step, where one is asked for; then prints the report and writes
  /// the trace, also when body is interrupted. Of several processes the first one is recorded.
  package func record(imagesPerStep: Int, _ body: (ProfileRecording?) throws -> Void) throws -> ProfileReport? {
    guard let profile, Launch.processes.isFirst else {
      try body(nil)
      return nil
    }
    try ProfileOption.checkWritable(profile)
    let recording = ProfileRecording()
    do {
      try body(recording)
    } catch let error as QuasarError where error.kind == .interrupted {
      try write(recording, imagesPerStep, to: profile)
      throw error
    }
    return try write(recording, imagesPerStep, to: profile)
  }

  @discardableResult
  private func write(_ recording: ProfileRecording, _ imagesPerStep: Int, to path: String) throws -> ProfileReport? {
    recording.profile.stop()
    let sums = recording.profile.sums
    guard sums.steps > 0 else {
      Console.note("no step was taken: there is nothing to profile")
      return nil
    }
    try AtomicFile.write(ChromeTrace.json(recording.profile.traced), to: path)
    let report = ProfileReport(
      sums, images: imagesPerStep, threads: Machine.threads, bounds: recording.bounds())
    Console.note(
      "\(Console.table(ProfileReport.header, report.rows))\n\(report.summary)\n"
        + "trace of the first \(min(10, sums.steps)) steps: \(path)")
    return report
  }

  /// A wrong path is told before a training, not after it.
  private static func checkWritable(_ path: String) throws {
    let folder = (path as NSString).deletingLastPathComponent
    var isFolder: ObjCBool = false
    guard
      folder.isEmpty || (FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) && isFolder.boolValue)
    else { throw QuasarError(.cannotWrite, "--profile \(path): there is no folder \(folder)") }
  }
}

/// A profile, and the speed of the machine beside its steps.
package final class ProfileRecording {
  let profile: Profile
  private let meter = PeakMeter()
  private var rates: [Double] = []

  init() {
    profile = Profile()
  }

  /// Called after a step.
  package func collect() {
    profile.collect()
    // Outside of every phase, so the meter's loops record nothing.
    rates.append(rate())
  }

  private func rate() -> Double { meter.rate() * 1e9 / Double(meter.threads) }

  /// What one thread reaches beside the others, operations or bytes a second, at the speed that the machine had in the
  /// median of the steps.
  func bounds() -> [Profile.Resource: Double] {
    let beside = rates.sorted()[rates.count / 2]
    /// Of a copy on every thread, `workingSet` bytes on each; the median of seven.
    func copied(_ workingSet: Int) -> Double {
      let copy = CopyMeter(workingSet: workingSet * Machine.threads)
      copy.run()
      return (0..<7).map { _ in beside / rate() * ProfileRecording.bytesPerSecond(copy) }.sorted()[3]
    }
    var bounds: [Profile.Resource: Double] = [.int8: beside, .cache: copied(256 << 10), .memory: copied(256 << 20)]
    // Instructions of one rate: 64 products of bytes, 32 of words, 16 of floats with VNNI. Without it, products of bytes
    // are products of words.
    switch meter.isa {
    case QK_ISA_AVX512VNNI: (bounds[.int16], bounds[.float]) = (beside / 2, beside / 4)
    case QK_ISA_AVX512, QK_ISA_AVX2: (bounds[.int16], bounds[.float]) = (beside, beside / 2)
    default: break
    }
    return bounds
  }

  /// Of one thread beside the others.
  private static func bytesPerSecond(_ copy: CopyMeter) -> Double {
    let clock = ContinuousClock()
    let repeats = max(1, (64 << 20) / copy.bytes)
    let seconds = clock.measure { for _ in 0..<repeats { copy.run() } }.seconds
    return Double(copy.bytes * repeats) / seconds / Double(Machine.threads)
  }
}

/// Progress that collects a recording after every step.
struct ProfiledProgress: ProgressReporter {
  let progress: any ProgressReporter
  let recording: ProfileRecording

  var shouldStop: Bool { progress.shouldStop }
  func begin(_ step: String) { progress.begin(step) }
  func update(done: Int, total: Int, note: String) {
    recording.collect()
    progress.update(done: done, total: total, note: note)
  }
  func end(_ step: String, seconds: Double, result: String) { progress.end(step, seconds: seconds, result: result) }
}
