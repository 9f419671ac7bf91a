import Testing

@testable import QuasarPipeline

@Suite struct ScalingEstimateTests {
  @Test func exchangesHideBehindTheBackwardPass() {
    let estimate = ScalingEstimate(batchSeconds: 3, levelSeconds: 1.5, latency: 0, buckets: 64)
    #expect(abs(estimate.stepSeconds(1) - 3) < 1e-12 && estimate.efficiency(1) == 1)
    #expect(abs(estimate.stepSeconds(2) - (3 + 1.5 / 64)) < 1e-12)
    // Three levels take 4.5 s, the backward pass 2.
    #expect(abs(estimate.stepSeconds(8) - 5.5) < 1e-12)
    #expect(abs(estimate.efficiency(8) - 3 / 5.5) < 1e-12)
  }

  @Test func latencyCountsOncePerLevel() {
    let estimate = ScalingEstimate(batchSeconds: 1, levelSeconds: 0, latency: 0.25)
    #expect((0..<4).map { estimate.stepSeconds(1 << $0) } == [1, 1.25, 1.5, 1.75])
  }
}
