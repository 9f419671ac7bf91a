import CKernels
import Foundation
import Synchronization
import Testing

@testable import QuasarTensor

/// The process has one recorder, and other tests run kernels at the same time. So the tests compare only the phases
/// with their own names, on their own thread, with a clock that only the test moves.
@Suite(.serialized) struct ProfileTests {
  private static let time = Atomic<UInt64>(0)
  private static func wait(_ nanoseconds: UInt64) { time.add(nanoseconds, ordering: .relaxed) }

  private func profile(tracedSteps: Int = 10, capacity: Int = 1 << 16) -> Profile {
    Profile(
      step: "test: step", tracedSteps: tracedSteps, capacity: capacity,
      clock: { ProfileTests.time.load(ordering: .relaxed) })
  }

  private func phases(_ profile: Profile) -> [Profile.Phase] {
    profile.sums.phases.filter { $0.name.hasPrefix("test: ") }
  }

  /// A step 0…10 µs with a forward pass 1…4 (a product 2…3 in it) and an update 6…8.
  private func step() {
    Profile.measure("test: step") {
      Self.wait(1000)
      Profile.measure("test: forward") {
        Self.wait(1000)
        Profile.measure("test: product", .int8, work: 32) { Self.wait(1000) }
        Self.wait(1000)
      }
      Self.wait(2000)
      Profile.measure("test: update", .memory, work: 5) { Self.wait(2000) }
      Self.wait(2000)
    }
  }

  private func microseconds(_ seconds: Double) -> Int { Int((seconds * 1e6).rounded()) }

  @Test func ownTimesAddUpToTheStep() {
    let profile = profile()
    step()
    profile.collect()
    #expect(phases(profile).map(\.name) == ["test: step", "test: forward", "test: update", "test: product"])
    #expect(phases(profile).map { microseconds($0.seconds) } == [5, 2, 2, 1])
    #expect(phases(profile).map(\.resource) == [.none, .none, .memory, .int8])
    #expect(phases(profile).map(\.work) == [0, 0, 5, 32])
    #expect(microseconds(profile.sums.seconds) == 10 && profile.sums.steps == 1 && profile.sums.lost == 0)
  }

  @Test func whatLiesOutsideOfStepsIsLeftOut() {
    let profile = profile(tracedSteps: 1)
    Profile.measure("test: before") { Self.wait(500) }
    step()
    profile.collect()
    Self.wait(100)
    Profile.measure("test: between") { Self.wait(500) }
    Self.wait(100)
    step()
    profile.collect()
    #expect(Set(phases(profile).map(\.name)) == ["test: step", "test: forward", "test: update", "test: product"])
    #expect(phases(profile).allSatisfy { $0.count == 2 } && profile.sums.steps == 2)
    // Only the first step is traced; the innermost interval ends first.
    let traced = profile.traced.filter { $0.name.hasPrefix("test: ") }
    #expect(traced.map(\.name) == ["test: product", "test: forward", "test: update", "test: step"])
    #expect(Set(traced.map(\.thread)).count == 1)
    let first = traced[3].start
    #expect(traced.map { microseconds($0.start - first) } == [2, 1, 6, 0])
    #expect(traced.map { microseconds($0.seconds) } == [1, 3, 2, 10])
  }

  @Test func nothingIsRecordedWithoutARecording() {
    let profile = profile()
    profile.stop()
    step()
    profile.collect()
    #expect(phases(profile).isEmpty && profile.sums.steps == 0)
  }

  @Test func aStepThatThrowsIsClosed() {
    struct Failure: Error {}
    let profile = profile()
    #expect(throws: Failure.self) {
      try Profile.measure("test: step") {
        Self.wait(1000)
        throw Failure()
      }
    }
    step()
    profile.collect()
    #expect(profile.sums.steps == 2 && microseconds(profile.sums.seconds) == 11)
  }

  /// Intervals that are open when a recording starts belong to no phase and do not change those around them.
  @Test func openIntervalsOfBeforeAreIgnored() {
    var second: Profile?
    Profile.measure("test: step") {
      Self.wait(1000)
      second = profile()
      Self.wait(1000)
    }
    step()
    second?.collect()
    #expect(second?.sums.steps == 1)
    #expect((second.map(phases) ?? []).map { microseconds($0.seconds) } == [5, 2, 2, 1])
  }

  @Test func whatDoesNotFitIsCounted() {
    let profile = profile(capacity: 3)
    step()
    profile.collect()
    // The step itself, which ends last, is lost.
    #expect(profile.sums.lost >= 1 && profile.sums.steps == 0)
  }

  /// The threads of a region carry the name of the phase from which it was called.
  @Test func threadsShareTheNameOfTheirCaller() {
    qk_set_thread_count(2)
    defer { qk_set_thread_count(0) }
    let profile = Profile(step: "test: step")
    Profile.measure("test: step") {
      Profile.measure("test: region", .cache, work: 7) {
        qk_parallel_for(2, 1, nil) { _, _, _ in Thread.sleep(forTimeInterval: 0.02) }
      }
    }
    profile.collect()
    let region = phases(profile).first { $0.name == "test: region" }
    #expect(region?.resource == .cache && region?.work == 7 && region?.count == 1)
    // Two naps, whichever thread takes them: the caller's own time alone would be one.
    #expect((region?.seconds ?? 0) > 0.039)
  }

  /// A thread's part of a region directly in a step has the name of the step but does not count as one.
  @Test func partsOfAStepAreNoSteps() {
    qk_set_thread_count(2)
    defer { qk_set_thread_count(0) }
    let profile = Profile(step: "test: step")
    for _ in 0..<3 {
      Profile.measure("test: step") {
        qk_parallel_for(2, 1, nil) { _, _, _ in Thread.sleep(forTimeInterval: 0.005) }
      }
      profile.collect()
    }
    #expect(profile.sums.steps == 3)
    #expect(profile.traced.count { $0.name == "test: step" } == 3)
    #expect(profile.traced.contains { $0.name == "part of a test: step" })
  }
}
