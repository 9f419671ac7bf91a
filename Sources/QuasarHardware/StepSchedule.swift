/// Cycles of a sequence of steps with double-buffered loads and stores.
///
/// Step i computes for C_i cycles; it needs a load of X_i before and a store of O_i after. While step i computes, the
/// load of step i+1 and the store of step i−1 run, one after the other: total = X_0 + Σ_{i<S−1} max(C_i, X_{i+1} +
/// O_{i−1}) + max(C_{S−1}, O_{S−2}) + O_{S−1}.
struct StepSchedule {
  private(set) var total = 0
  private(set) var compute = 0
  private(set) var loads = 0
  private(set) var stores = 0
  private var lastCompute = 0
  private var lastStore = 0
  private var storeBefore = 0
  private var isEmpty = true

  /// Adds `count` steps of C = compute, X = load, O = store.
  @inline(__always)
  mutating func add(_ count: Int, compute c: Int, load x: Int, store o: Int) {
    if count <= 0 { return }
    compute += count * c
    loads += count * x
    stores += count * o
    // After three equal steps, every further one costs max(C, X + O).
    for _ in 0..<min(count, 3) {
      total += isEmpty ? x : max(lastCompute, x + storeBefore)
      isEmpty = false
      storeBefore = lastStore
      lastStore = o
      lastCompute = c
    }
    if count > 3 { total += (count - 3) * max(c, x + o) }
  }

  /// The total with the last step and its store.
  var finished: Int { isEmpty ? 0 : total + max(lastCompute, storeBefore) + lastStore }
}
