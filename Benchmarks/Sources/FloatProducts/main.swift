// bfloat16 products against float32 products of the same operands, measured in turns in one run.
//
//   swift run -c release float-products
//
// For each shape and form: the median rate of qk_sgemm and, for every instruction set of this machine but the
// reference, the median of sgemm's time over that of qk_bf16_gemm in the same turn (2.00: twice as fast). Conversion and
// packing of both operands are part of the time.
import CKernels

struct Form {
  var name: String
  var transposedA: Int32
  var transposedB: Int32
}

let forms = [
  Form(name: "A·B", transposedA: 0, transposedB: 0), Form(name: "A·Bᵀ", transposedA: 0, transposedB: 1),
  Form(name: "Aᵀ·B", transposedA: 1, transposedB: 0),
]
let sets = (QK_ISA_REFERENCE.rawValue + 1..<QK_ISA_COUNT.rawValue).map { qk_isa($0) }
  .filter { qk_isa_available($0) == 1 }

func random(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: -1...1) } }

func seconds(_ body: () -> Void) -> Double {
  let time = ContinuousClock().measure(body).components
  return Double(time.attoseconds) * 1e-18 + Double(time.seconds)
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

func text(_ value: Double, hundredths: Bool) -> String {
  guard hundredths else { return "\(Int(value.rounded()))" }
  let scaled = Int((value * 100).rounded())
  return "\(scaled / 100).\(scaled % 100 < 10 ? "0" : "")\(scaled % 100)"
}

func measure(_ m: Int, _ n: Int, _ k: Int, _ form: Form) {
  let a = random(m * k)
  let b = random(k * n)
  var c = random(m * n)
  let strideA = form.transposedA == 1 ? m : k
  let strideB = form.transposedB == 1 ? k : n
  var times = [Double]()
  var ratios = Array(repeating: [Double](), count: sets.count)
  for turn in 0..<22 {
    let single = seconds {
      qk_sgemm(form.transposedA, form.transposedB, m, n, k, a, strideA, b, strideB, 0, &c, n)
    }
    let halves = sets.map { isa in
      seconds {
        a.withUnsafeBytes { a in
          b.withUnsafeBytes { b in
            c.withUnsafeMutableBufferPointer { c in
              var g = qk_bf16_gemm_arguments()
              (g.m, g.n, g.k) = (m, n, k)
              g.a.values = a.baseAddress
              g.a.stride = strideA
              g.a.transposed = form.transposedA
              g.b.values = b.baseAddress
              g.b.stride = strideB
              g.b.transposed = form.transposedB
              g.output = c.baseAddress
              g.output_stride = n
              precondition(qk_bf16_gemm_with(isa, &g) == QK_OK)
            }
          }
        }
      }
    }
    // The first turn makes the work buffers.
    guard turn > 0 else { continue }
    times.append(single)
    for (i, half) in halves.enumerated() { ratios[i].append(single / half) }
  }
  let rate = text(2 * Double(m * n * k) / median(times) / 1e9, hundredths: false)
  let cells = [rate] + ratios.map { text(median($0), hundredths: true) }
  print("| \(form.name) \(m)×\(n)×\(k) | \(cells.joined(separator: " | ")) |")
}

let names = sets.map { String(cString: qk_kernel_name(QK_OPERATION_BF16_GEMM, $0)) }
print("| product m×n×k, \(qk_thread_count()) thread(s) | sgemm GFLOP/s | \(names.joined(separator: " | ")) |")
print("| --- | --- |\(sets.map { _ in " --- |" }.joined())")
// Gradients of a layer of DeiT-S for 8 images (input, then weights), and of fashion-s for 64.
for (m, n, k) in [(1576, 384, 1152), (1152, 384, 1576), (3136, 64, 192), (192, 64, 3136)] {
  for form in forms { measure(m, n, k, form) }
}
