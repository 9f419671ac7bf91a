import Foundation
import QuasarProcesses
import QuasarTensor
import Synchronization

/// "Processes" that are threads of one process and exchange messages through memory, in the way of MPI but without it.
public final class ThreadProcesses: ProcessGroup, @unchecked Sendable {
  // @unchecked: `post` is locked, everything else is constant.
  public let rank: Int
  public let size: Int
  private let post: PostOffice

  private init(rank: Int, size: Int, post: PostOffice) {
    self.rank = rank
    self.size = size
    self.post = post
  }

  /// [body(process 0), body(process 1), …], run at the same time; the first error is thrown.
  ///
  /// It is an error, too, that messages are left which nobody took, or that processes wait after `limit` seconds.
  public static func run<Result: Sendable>(
    _ size: Int, limit: Double = 1200, _ body: @escaping @Sendable (any ProcessGroup) throws -> Result
  ) throws -> [Result] {
    let post = PostOffice()
    let results = Mutex<[Int: Swift.Result<Result, any Error>]>([:])
    let finished = DispatchGroup()
    for rank in 0..<size {
      finished.enter()
      let thread = Thread {
        let process = ThreadProcesses(rank: rank, size: size, post: post)
        let result = Swift.Result { try body(process) }
        if case .failure = result { post.close() }
        results.withLock { $0[rank] = result }
        finished.leave()
      }
      thread.stackSize = 8 << 20
      thread.start()
    }
    if finished.wait(timeout: .now() + limit) == .timedOut {
      // Those that wait for a message throw; one that computes comes to its next message first.
      post.close()
      finished.wait()
      throw QuasarError(.internal, "\(size) processes had not ended after \(limit) s")
    }
    let all = try (0..<size).map { rank in try results.withLock { $0[rank] }!.get() }
    if let left = post.left {
      throw QuasarError(.internal, "a message from \(left.from) to \(left.to) under tag \(left.tag) was not taken")
    }
    return all
  }

  public func exchange(
    sending: UnsafePointer<Float>, receiving: UnsafeMutablePointer<Float>, count: Int, partner: Int, tag: Int
  ) throws -> any Exchange {
    guard partner != rank, (0..<size).contains(partner), (0..<32_768).contains(tag) else {
      throw QuasarError(.internal, "process \(rank) of \(size) exchanges with \(partner) under tag \(tag)")
    }
    post.put(Array(UnsafeBufferPointer(start: sending, count: count)), Address(from: rank, to: partner, tag: tag))
    return ThreadExchange(
      post: post, address: Address(from: partner, to: rank, tag: tag), target: receiving, count: count)
  }

  struct Address: Hashable {
    var from: Int
    var to: Int
    var tag: Int
  }

  final class PostOffice: @unchecked Sendable {
    private let condition = NSCondition()
    private var letters: [Address: [[Float]]] = [:]
    private var isClosed = false

    func put(_ letter: [Float], _ address: Address) {
      condition.lock()
      letters[address, default: []].append(letter)
      condition.broadcast()
      condition.unlock()
    }

    /// Where a message went that was not taken; nil when all were.
    var left: Address? {
      condition.lock()
      defer { condition.unlock() }
      return letters.first { !$0.value.isEmpty }?.key
    }

    func close() {
      condition.lock()
      isClosed = true
      condition.broadcast()
      condition.unlock()
    }

    func take(_ address: Address, waiting: Bool) throws -> [Float]? {
      condition.lock()
      defer { condition.unlock() }
      while true {
        if let letter = letters[address]?.first {
          letters[address]?.removeFirst()
          return letter
        }
        if isClosed { throw QuasarError(.inputOutput, "another process has ended") }
        if !waiting { return nil }
        condition.wait()
      }
    }
  }
}

private struct ThreadExchange: Exchange {
  let post: ThreadProcesses.PostOffice
  let address: ThreadProcesses.Address
  let target: UnsafeMutablePointer<Float>
  let count: Int

  mutating func isDone() throws -> Bool { try receive(waiting: false) }
  mutating func wait() throws { _ = try receive(waiting: true) }

  private func receive(waiting: Bool) throws -> Bool {
    guard let letter = try post.take(address, waiting: waiting) else { return false }
    guard letter.count == count else {
      throw QuasarError(.internal, "\(letter.count) floats came, \(count) were expected")
    }
    letter.withUnsafeBufferPointer { if let base = $0.baseAddress { target.update(from: base, count: count) } }
    return true
  }
}
