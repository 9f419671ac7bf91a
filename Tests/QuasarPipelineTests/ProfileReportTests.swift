import Foundation
import QuasarTensor
import Testing

@testable import QuasarPipeline

@Suite struct ProfileReportTests {
  /// Two steps of 8 ms on two threads: 32 ms of time, of which 20 are recorded.
  private static let sums = Profile.Sums(
    steps: 2, seconds: 0.016,
    phases: [
      .init(name: "forward products", resource: .int8, count: 4, seconds: 0.008, work: 6e6),
      .init(name: "weight gradient products", resource: .int16, count: 8, seconds: 0.004, work: 1e6),
      .init(name: "optimiser", resource: .memory, count: 2, seconds: 0.004, work: 8e6),
      .init(name: "step", count: 2, seconds: 0.004),
    ])
  private static let report = ProfileReport(
    sums, images: 5, threads: 2, bounds: [.int8: 1e9, .int16: 0.5e9, .memory: 4e9])

  @Test func phasesStandBesideTheirBounds() {
    let report = Self.report
    #expect(abs(report.millisecondsPerStep - 8) < 1e-9 && abs(report.imagesPerSecond - 625) < 1e-9)
    func near(_ a: [Double?], _ b: [Double?]) -> Bool {
      zip(a, b).allSatisfy { $0 == nil ? $1 == nil : abs(($0 ?? 0) - ($1 ?? -1)) < 1e-9 }
    }
    #expect(near(report.lines.map(\.ofBound), [0.75, 0.5, 0.5, nil]))
    #expect(near(report.lines.map(\.millisecondsPerStep), [2, 1, 1, 1]))
    #expect(near(report.lines.map(\.share), [0.25, 0.125, 0.125, 0.125]))
    #expect(near([report.idleShare], [0.375]))
    // (6 + 2) ms at the bounds of 12 ms of products; 20 ms of 32 are no products: over 2 threads, 2 steps, 5 images.
    #expect(near([report.productsOfBound, report.restPerImage], [8.0 / 12, 1]))
  }

  @Test func rowsAreReadable() {
    let rows = Self.report.rows
    #expect(rows[0] == ["forward products", "2.0", "2.00", "25.0 %", "1 GOP/s", "int8 peak", "75 %"])
    #expect(rows[2] == ["optimiser", "1.0", "1.00", "12.5 %", "2.0 GB/s", "copy in memory", "50 %"])
    #expect(rows[3] == ["step", "1.0", "1.00", "12.5 %", "", "", ""])
    #expect(rows[4] == ["idle", "", "3.00", "37.5 %", "", "", ""])
    #expect(rows.allSatisfy { $0.count == ProfileReport.header.count })
    #expect(Self.report.summary.contains("products at 67 % of their bound, everything else 1.00 ms an image"))
    #expect(!Self.report.summary.contains("missing"))
  }

  @Test func lostIntervalsAreTold() {
    var sums = Self.sums
    sums.lost = 3
    #expect(
      ProfileReport(sums, images: 5, threads: 2, bounds: [:]).summary.contains(
        "3 intervals did not fit and are missing"))
  }

  @Test func traceHasWholeNanoseconds() throws {
    struct Trace: Decodable {
      struct Event: Decodable {
        let name: String
        let ph: String
        let ts: Double
        let dur: Double
        let pid: Int
        let tid: Int
      }
      let traceEvents: [Event]
    }
    let json = try ChromeTrace.json([
      .init(name: "forward", thread: 1, start: 12.5e-6, seconds: 40e-6),
      .init(name: "step", thread: 0, start: 0, seconds: 1.000000001),
    ])
    let events = try JSONDecoder().decode(Trace.self, from: Data(json.utf8)).traceEvents
    #expect(events.map(\.name) == ["forward", "step"] && events.map(\.tid) == [1, 0])
    #expect(events.map(\.ts) == [12.5, 0] && events.map(\.dur) == [40, 1_000_000.001])
    #expect(events.allSatisfy { $0.ph == "X" && $0.pid == 1 })
  }
}
