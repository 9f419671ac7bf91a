// swift-tools-version: 6.1
import PackageDescription

// A separate package, so that the dependencies of benchmarks never reach a user of the library.
let package = Package(
  name: "quasar-benchmarks",
  products: [
    // The kernels for a process that is not Swift: peers/ loads it together with the engines it measures.
    .library(name: "QuasarPeerBridge", type: .dynamic, targets: ["PeerBridge"])
  ],
  dependencies: [.package(name: "quasar", path: "..")],
  targets: [
    .systemLibrary(
      name: "OpenBLAS", path: "Sources/OpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .executableTarget(
      name: "kernels", dependencies: [.product(name: "Quasar", package: "quasar")], path: "Sources/Kernels"),
    .executableTarget(
      name: "float-products", dependencies: ["OpenBLAS", .product(name: "CKernels", package: "quasar")],
      path: "Sources/FloatProducts"),
    .executableTarget(
      name: "arithmetic-errors",
      dependencies: [.product(name: "Quasar", package: "quasar"), .product(name: "CKernels", package: "quasar")],
      path: "Sources/ArithmeticErrors"),
    .target(
      name: "PeerBridge",
      dependencies: [.product(name: "Quasar", package: "quasar"), .product(name: "CKernels", package: "quasar")],
      path: "Sources/PeerBridge"),
    .executableTarget(
      name: "inexact-hardware", dependencies: [.product(name: "Quasar", package: "quasar")],
      path: "Sources/InexactHardware"),
  ],
  swiftLanguageModes: [.v6]
)
