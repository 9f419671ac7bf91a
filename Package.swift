// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "quasar",
  products: [
    .library(name: "Quasar", targets: ["Quasar"]),
    .library(name: "CKernels", targets: ["CKernels"]),
    .executable(name: "quasar", targets: ["quasar"]),
  ],
  traits: [.trait(name: "MPI", description: "Training and searching with several processes, over Open MPI")],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
  ],
  targets: [
    // System libraries and the C core.
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "CTurboJPEG", pkgConfig: "libturbojpeg", providers: [.apt(["libturbojpeg0-dev"])]),
    .target(
      name: "CImages",
      dependencies: ["CPNG", "CTurboJPEG"],
      linkerSettings: [.linkedLibrary("png"), .linkedLibrary("turbojpeg")]),
    .target(
      name: "CKernels",
      dependencies: ["COpenBLAS"],
      path: "CKernels",
      publicHeadersPath: "include",
      linkerSettings: [
        .linkedLibrary("openblas"), .linkedLibrary("lapacke"), .linkedLibrary("iomp5"), .linkedLibrary("m"),
      ]),

    .systemLibrary(name: "COpenMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
    .target(
      name: "CProcesses",
      dependencies: [.target(name: "COpenMPI", condition: .when(traits: ["MPI"]))],
      cSettings: [.define("QUASAR_MPI", .when(traits: ["MPI"]))],
      linkerSettings: [.linkedLibrary("mpi", .when(traits: ["MPI"]))]),

    // From the bottom up; a module imports only what stands above it in this list.
    .target(name: "QuasarTensor", dependencies: ["CKernels"]),
    .target(name: "QuasarProcesses", dependencies: ["QuasarTensor", "CProcesses"]),
    .target(name: "QuasarAutograd", dependencies: ["QuasarTensor"]),
    .target(name: "QuasarNN", dependencies: ["QuasarAutograd"]),
    .target(name: "QuasarQuant", dependencies: ["QuasarNN"]),
    .target(
      name: "QuasarSupernet", dependencies: ["QuasarQuant", .product(name: "Yams", package: "Yams")],
      resources: [.copy("Spaces")]),
    .target(name: "QuasarInterchange", dependencies: ["QuasarTensor"]),
    .target(name: "QuasarDeploy", dependencies: ["QuasarSupernet", "QuasarInterchange", "CZlib"]),
    .target(
      name: "QuasarHardware", dependencies: ["QuasarSupernet"],
      resources: [.copy("Devices")]),
    .target(
      name: "QuasarRTL", dependencies: ["QuasarDeploy", "QuasarHardware"], resources: [.copy("Verilog")]),
    .target(
      name: "QuasarData", dependencies: ["QuasarInterchange", "CImages", "CZlib"], resources: [.copy("Embedded")]),
    .target(name: "QuasarTrain", dependencies: ["QuasarDeploy", "QuasarData", "QuasarProcesses"]),
    .target(name: "QuasarSearch", dependencies: ["QuasarTrain", "QuasarHardware"]),
    .target(name: "QuasarReport"),
    .target(name: "QuasarPipeline", dependencies: ["QuasarSearch", "QuasarReport"]),
    .target(
      name: "Quasar",
      dependencies: [
        "QuasarTensor", "QuasarProcesses", "QuasarAutograd", "QuasarNN", "QuasarQuant", "QuasarSupernet",
        "QuasarDeploy",
        "QuasarHardware", "QuasarRTL", "QuasarData", "QuasarInterchange", "QuasarTrain", "QuasarSearch", "QuasarReport",
        "QuasarPipeline",
      ],
      path: "Sources/QuasarUmbrella"),
    .executableTarget(
      name: "quasar",
      dependencies: ["Quasar", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Sources/quasar"),

    // Tests mirror the sources.
    .target(
      name: "QuasarTestSupport", dependencies: ["QuasarTensor", "QuasarProcesses"], path: "Tests/QuasarTestSupport"),
    .testTarget(name: "QuasarRTLTests", dependencies: ["QuasarRTL", "QuasarTestSupport"]),
  ],
  swiftLanguageModes: [.v6]
)
