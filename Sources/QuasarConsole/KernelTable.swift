import CKernels

/// Every operation on every instruction set: its kernel, and what stands in the way of a better one.
package struct KernelTable {
  /// What one instruction set offers for one operation.
  struct Entry {
    var isa: qk_isa
    var operation: qk_operation
    var kernel: String
    /// Why this kernel does not run, or is not the best of its set; nil when neither holds.
    var reason: String?

    var operationName: String { String(cString: qk_operation_name(operation)) }
  }

  let current = qk_isa_current()
  let entries: [Entry]

  static let operations = (0..<QK_OPERATION_COUNT.rawValue).map { qk_operation($0) }

  /// `forced`: the set in use was named by the user and need not be the best one.
  package init(forced: Bool) {
    var entries: [Entry] = []
    let current = qk_isa_current()
    for operation in KernelTable.operations {
      let serving = String(cString: qk_kernel_name(operation, current))
      for isa in Machine.instructionSets {
        let kernel = String(cString: qk_kernel_name(operation, isa))
        var reason: String?
        if let missing = Machine.missing(isa) {
          reason = "needs \(missing), which this CPU does not have"
        } else if isa.rawValue > current.rawValue, kernel != serving, forced {
          reason = "forced to \(Machine.name(current)) by --isa"
        } else if let missing = Machine.missing(operation, isa) {
          reason = "its faster kernel needs \(missing), which this CPU does not have"
        }
        entries.append(Entry(isa: isa, operation: operation, kernel: kernel, reason: reason))
      }
    }
    self.entries = entries
  }

  private func entries(_ operation: qk_operation) -> [Entry] { entries.filter { $0.operation == operation } }

  /// The entry in use, and those of the set in use and later ones that have something in their way.
  private func view(_ operation: qk_operation) -> (serving: Entry?, others: [Entry]) {
    let all = entries(operation)
    return (
      all.first { $0.isa == current }, all.filter { $0.isa.rawValue >= current.rawValue && $0.reason != nil }
    )
  }

  /// The kernels of all sets, then those in use with what keeps better ones away.
  package var text: String {
    let sets = Machine.instructionSets
    let available = Console.table(
      ["instruction set", "available"] + KernelTable.operations.map { String(cString: qk_operation_name($0)) },
      sets.map { isa in
        [Machine.name(isa), Machine.missing(isa) == nil ? "yes" : "no"]
          + entries.filter { $0.isa == isa }.map(\.kernel)
      })
    let lines = KernelTable.operations.flatMap { operation -> [String] in
      let (serving, others) = view(operation)
      let name = String(cString: qk_operation_name(operation))
      return ["\(name): \(serving?.kernel ?? "")"]
        + others.map { "  \(Machine.name($0.isa)): \($0.reason ?? "")" }
    }
    return ([available, "", "in use"] + lines.map { "  \($0)" } + [""]).joined(separator: "\n")
  }

  /// Every instruction set for JSON: its name, whether it is available, its kernels.
  package var setObjects: [[String: Any]] {
    Machine.instructionSets.map { isa in
      let own = entries.filter { $0.isa == isa }
      return [
        "name": Machine.name(isa), "available": Machine.missing(isa) == nil, "missing": Machine.missing(isa) ?? "",
        "kernels": Dictionary(uniqueKeysWithValues: own.map { ($0.operationName, $0.kernel) }),
      ]
    }
  }

  /// Every operation for JSON: the kernel in use, and why others are not.
  package var operationObjects: [[String: Any]] {
    KernelTable.operations.map { operation in
      let (serving, others) = view(operation)
      return [
        "name": String(cString: qk_operation_name(operation)), "kernel": serving?.kernel ?? "",
        "isa": Machine.name(current),
        "not_used": others.map { ["isa": Machine.name($0.isa), "kernel": $0.kernel, "reason": $0.reason ?? ""] },
      ]
    }
  }
}
