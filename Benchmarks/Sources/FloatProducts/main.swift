// fp32 and bfloat16 products against OpenBLAS's sgemm of the same operands, measured in turns in one run.
//
//   swift run -c release float-products
//
// Everything runs on one thread. For each shape and form it prints the median rate of sgemm. For the fp32 product and
// for every bfloat16 kernel of this machine except the reference, it prints the median of sgemm's time over theirs in
// the same turn (2.00: twice as fast). Conversion and packing of both operands are part of the time.
// and packing of both operands are part of the time.
import CKernels
import OpenBLAS

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

/// One product of a turn.
typealias Product = (UnsafePointer<Float>, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void

func measure(_ m: Int, _ n: Int, _ k: Int, _ form: Form) {
  let strideA = form.transposedA == 1 ? m : k
  let strideB = form.transposedB == 1 ? k : n
  let rival: Product = { a, b, c in
    cblas_sgemm(
      CblasRowMajor, form.transposedA == 1 ? CblasTrans : CblasNoTrans,
      form.transposedB == 1 ? CblasTrans : CblasNoTrans, Int32(m), Int32(n), Int32(k), 1, a, Int32(strideA), b,
      Int32(strideB), 0, c, Int32(n))
  }
  let single: Product = { a, b, c in
    precondition(qk_sgemm(form.transposedA, form.transposedB, m, n, k, a, strideA, b, strideB, c, n) == QK_OK)
  }
  let halves: [Product] = sets.map { isa in
    { a, b, c in
      var g = qk_bf16_gemm_arguments()
      (g.m, g.n, g.k) = (m, n, k)
      (g.a.values, g.a.stride, g.a.transposed) = (UnsafeRawPointer(a), strideA, form.transposedA)
      (g.b.values, g.b.stride, g.b.transposed) = (UnsafeRawPointer(b), strideB, form.transposedB)
      (g.output, g.output_stride) = (c, n)
      precondition(qk_bf16_gemm_with(isa, &g) == QK_OK)
    }
  }
  let (a, b) = (random(m * k), random(k * n))
  var c = random(m * n)
  var times = [Double]()
  var ratios = Array(repeating: [Double](), count: 1 + halves.count)
  for turn in 0..<22 {
    let all = ([rival, single] + halves).map { product in seconds { product(a, b, &c) } }
    // The first turn allocates the work buffers.
    guard turn > 0 else { continue }
    times.append(all[0])
    for i in ratios.indices { ratios[i].append(all[0] / all[i + 1]) }
  }
  let rate = text(2 * Double(m * n * k) / median(times) / 1e9, hundredths: false)
  let cells = [rate] + ratios.map { text(median($0), hundredths: true) }
  print("| \(form.name) \(m)×\(n)×\(k) | \(cells.joined(separator: " | ")) |")
}

openblas_set_num_threads(1)
qk_set_thread_count(1)
let names =
  [String(cString: qk_kernel_name(QK_OPERATION_FLOAT_GEMM, qk_isa_current()))]
  + sets.map { String(cString: qk_kernel_name(QK_OPERATION_BF16_GEMM, $0)) }
print("| product m×n×k | sgemm GFLOP/s | \(names.joined(separator: " | ")) |")
print("| --- | --- |\(names.map { _ in " --- |" }.joined())")
// Gradients of a layer of DeiT-S for 8 images (input, then weights), and of fashion-s for 64.
for (m, n, k) in [(1576, 384, 1152), (1152, 384, 1576), (3136, 64, 192), (192, 64, 3136)] {
  for form in forms { measure(m, n, k, form) }
}
