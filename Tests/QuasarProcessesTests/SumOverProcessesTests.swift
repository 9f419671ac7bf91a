import QuasarProcesses
import QuasarTensor
import QuasarTestSupport
import Testing

@Suite struct SumOverProcessesTests {
  /// Numbers whose sum depends on the order in which they are added.
  private static func values(_ rank: Int, _ count: Int) -> [Float] {
    var random = SplitMix(state: UInt64(rank) * 7919 + 1)
    return (0..<count).map { _ in
      Float(Int64(bitPattern: random.next()) >> 40) * (random.next() & 7 == 0 ? 1e-6 : 1)
    }
  }

  /// The sum over the binary tree, written independently.
  private static func tree(_ arrays: ArraySlice<[Float]>) -> [Float] {
    if arrays.count == 1 { return arrays[arrays.startIndex] }
    let middle = arrays.startIndex + arrays.count / 2
    return zip(tree(arrays[..<middle]), tree(arrays[middle...])).map { $0 + $1 }
  }

  @Test(arguments: [1, 2, 4, 8], [1, 7, 64])
  func everyProcessHoldsTheSumOverTheTree(size: Int, bucket: Int) throws {
    let lengths = [1, 3, 64, 65, 0, 7, 128]
    let results = try ThreadProcesses.run(size) { processes in
      let sum = SumOverProcesses(processes, bucketCount: bucket)
      var arrays: [[[Float]]] = []
      // Two rounds, so that buffers are reused.
      for round in 0..<2 {
        let tensors = lengths.enumerated().map { index, count in
          Tensor(SumOverProcessesTests.values(processes.rank + 100 * index + 1000 * round, count), shape: [count])
        }
        for tensor in tensors {
          try sum.add(tensor.pointer, count: tensor.count)
          try sum.progress()
        }
        try sum.finish()
        arrays.append(tensors.map(\.scalars))
      }
      return arrays
    }
    for round in 0..<2 {
      for (index, count) in lengths.enumerated() {
        let expected = SumOverProcessesTests.tree(
          (0..<size).map { SumOverProcessesTests.values($0 + 100 * index + 1000 * round, count) }[...])
        for rank in 0..<size { #expect(results[rank][round][index] == expected, "process \(rank), array \(index)") }
      }
    }
    if size == 4 {
      // The test is meaningful only if the order of the sum matters.
      let arrays = (0..<4).map { SumOverProcessesTests.values($0, 64) }
      let sequential = (0..<64).map { i in ((arrays[0][i] + arrays[1][i]) + arrays[2][i]) + arrays[3][i] }
      #expect(sequential != SumOverProcessesTests.tree(arrays[...]))
    }
  }

  @Test func flagsAndMapsAreKnownToAll() throws {
    for size in [1, 2, 4] {
      let results = try ThreadProcesses.run(size) { processes in
        (
          try processes.any(false), try processes.any(processes.rank == processes.size - 1),
          try processes.map(7) { index in Float(10 * index + 1) }
        )
      }
      for (none, one, values) in results {
        #expect(!none && one)
        #expect(values == [1, 11, 21, 31, 41, 51, 61])
      }
    }
  }

  @Test func eachIndexIsComputedByOneProcess() throws {
    let results = try ThreadProcesses.run(4) { processes in
      var own: [Int] = []
      _ = try processes.map(6) { index in
        own.append(index)
        return 0
      }
      return own
    }
    #expect(results == [[0, 4], [1, 5], [2], [3]])
  }

  @Test func anErrorOfOneProcessEndsTheOthers() throws {
    #expect(throws: QuasarError.self) {
      _ = try ThreadProcesses.run(2) { processes in
        if processes.isFirst { throw QuasarError(.badData, "planted") }
        return try processes.any(false)
      }
    }
  }

  @Test func oneProcessNeedsNoMPI() throws {
    for environment in [[:], ["OMPI_COMM_WORLD_SIZE": "1"], ["PMI_SIZE": "one"]] {
      let processes = try MPIProcesses.launched(environment: environment)
      #expect(processes.size == 1 && processes.isFirst)
    }
  }

  #if !MPI
    @Test func severalProcessesNeedTheTrait() throws {
      let error = try #require(throws: QuasarError.self) {
        _ = try MPIProcesses.launched(environment: ["OMPI_COMM_WORLD_SIZE": "2"])
      }
      #expect(error.kind == .usage && error.message.contains("--traits MPI"))
    }
  #endif
}
