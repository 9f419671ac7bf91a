// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "quasar",
  products: [
    .library(name: "Quasar", targets: ["Quasar"]),
    .library(name: "QuasarRuntime", targets: ["QuasarRuntime"]),
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

    // From the bottom up: a module may import only modules that stand above it in this list, and names each of them.
    .target(name: "QuasarTensor", dependencies: ["CKernels"]),
    .target(name: "QuasarInterchange", dependencies: ["QuasarTensor", .product(name: "Yams", package: "Yams")]),

    // The runtime: integers of deployment, networks made of them, images for them.
    .target(name: "QuasarArithmetic", dependencies: ["QuasarTensor", "CKernels"]),
    .target(
      name: "QuasarNetwork",
      dependencies: ["QuasarArithmetic", "QuasarInterchange", "QuasarTensor", "CKernels", "CZlib"]),
    .target(
      name: "QuasarData", dependencies: ["QuasarInterchange", "QuasarTensor", "CImages", "CZlib"],
      resources: [.copy("Embedded")]),
    .target(
      name: "QuasarRuntime", dependencies: ["QuasarNetwork", "QuasarData", "QuasarArithmetic", "QuasarTensor"]),

    // Hardware and exchange: more walks over the same network.
    .target(
      name: "QuasarEngine", dependencies: ["QuasarNetwork", "QuasarArithmetic", "QuasarTensor", "CKernels", "CZlib"]),
    .target(
      name: "QuasarHardware",
      dependencies: ["QuasarNetwork", "QuasarArithmetic", "QuasarInterchange", "QuasarTensor"],
      resources: [.copy("Devices")]),
    .target(
      name: "QuasarDatapath",
      dependencies: ["QuasarNetwork", "QuasarArithmetic", "QuasarInterchange", "QuasarTensor", "CKernels"]),
    .target(
      name: "QuasarRTL",
      dependencies: [
        "QuasarEngine", "QuasarHardware", "QuasarNetwork", "QuasarArithmetic", "QuasarInterchange", "QuasarTensor",
        "CKernels",
      ],
      resources: [.copy("Verilog")]),
    .target(name: "QuasarExchange", dependencies: ["QuasarNetwork", "QuasarInterchange", "QuasarTensor"]),

    // Training and search.
    .target(name: "QuasarProcesses", dependencies: ["QuasarTensor", "CProcesses", "CKernels"]),
    .target(name: "QuasarAutograd", dependencies: ["QuasarTensor", "CKernels"]),
    .target(
      name: "QuasarSupernet",
      dependencies: [
        "QuasarAutograd", "QuasarNetwork", "QuasarArithmetic", "QuasarInterchange", "QuasarTensor", "CKernels",
      ],
      resources: [.copy("Spaces")]),
    .target(
      name: "QuasarTrain",
      dependencies: [
        "QuasarSupernet", "QuasarAutograd", "QuasarExchange", "QuasarNetwork", "QuasarData", "QuasarInterchange",
        "QuasarProcesses", "QuasarRuntime", "QuasarTensor", "CKernels",
      ]),
    .target(
      name: "QuasarSearch",
      dependencies: [
        "QuasarTrain", "QuasarSupernet", "QuasarHardware", "QuasarNetwork", "QuasarData", "QuasarInterchange",
        "QuasarProcesses",
        "QuasarTensor",
      ]),
    .target(name: "QuasarReport"),
    .target(
      name: "QuasarPipeline",
      dependencies: [
        "QuasarSearch", "QuasarReport", "QuasarTrain", "QuasarSupernet", "QuasarAutograd", "QuasarHardware",
        "QuasarExchange", "QuasarRuntime", "QuasarNetwork", "QuasarData", "QuasarInterchange", "QuasarProcesses",
        "QuasarTensor",
      ]),
    .target(
      name: "Quasar",
      dependencies: [
        "QuasarTensor", "QuasarInterchange", "QuasarArithmetic", "QuasarNetwork", "QuasarData", "QuasarRuntime",
        "QuasarEngine", "QuasarHardware", "QuasarDatapath", "QuasarRTL", "QuasarExchange", "QuasarProcesses",
        "QuasarAutograd", "QuasarSupernet", "QuasarTrain", "QuasarSearch", "QuasarReport", "QuasarPipeline",
      ],
      path: "Sources/QuasarUmbrella"),
    .target(
      name: "QuasarConsole",
      dependencies: ["Quasar", "CKernels", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
    .target(
      name: "QuasarBench",
      dependencies: [
        "QuasarConsole", "Quasar", "CKernels", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "quasar",
      dependencies: [
        "QuasarBench", "QuasarConsole", "Quasar",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/quasar"),

    // Tests mirror the sources.
    .target(
      name: "QuasarTestSupport", dependencies: ["QuasarProcesses", "QuasarTensor"], path: "Tests/QuasarTestSupport"),
    .target(
      name: "QuasarTestGradients", dependencies: ["QuasarAutograd", "QuasarTensor", "CKernels", "QuasarTestSupport"],
      path: "Tests/QuasarTestGradients"),
    .target(
      name: "QuasarTestNetworks",
      dependencies: [
        "QuasarTrain", "QuasarSupernet", "QuasarAutograd", "QuasarData", "QuasarNetwork", "QuasarTensor",
        "QuasarTestSupport",
      ], path: "Tests/QuasarTestNetworks"),
    .testTarget(name: "CKernelsTests", dependencies: ["CKernels"]),
    .testTarget(name: "QuasarTensorTests", dependencies: ["QuasarTensor", "CKernels", "QuasarTestSupport"]),
    .testTarget(
      name: "QuasarInterchangeTests", dependencies: ["QuasarInterchange", "QuasarTensor", "QuasarTestSupport"]),
    .testTarget(
      name: "QuasarArithmeticTests",
      dependencies: ["QuasarArithmetic", "QuasarTensor", "CKernels", "QuasarTestSupport"]),
    .testTarget(
      name: "QuasarNetworkTests",
      dependencies: [
        "QuasarTrain", "QuasarSupernet", "QuasarAutograd", "QuasarData", "QuasarNetwork", "QuasarArithmetic",
        "QuasarTensor", "CKernels", "QuasarTestNetworks", "QuasarTestSupport",
      ]),
    .testTarget(name: "QuasarDataTests", dependencies: ["QuasarData", "QuasarTensor", "CTurboJPEG"]),
    .testTarget(
      name: "QuasarHardwareTests",
      dependencies: [
        "QuasarSupernet", "QuasarHardware", "QuasarNetwork", "QuasarArithmetic", "QuasarTensor", "QuasarTestSupport",
      ]),
    .testTarget(
      name: "QuasarDatapathTests",
      dependencies: [
        "QuasarDatapath", "QuasarData", "QuasarNetwork", "QuasarArithmetic", "QuasarInterchange", "QuasarTensor",
        "CKernels", "QuasarTestNetworks", "QuasarTestSupport",
      ]),
    .testTarget(
      name: "QuasarRTLTests",
      dependencies: [
        "QuasarSupernet", "QuasarData", "QuasarRTL", "QuasarEngine", "QuasarHardware", "QuasarNetwork",
        "QuasarArithmetic",
        "QuasarTensor", "CKernels", "QuasarTestNetworks",
      ]),
    .testTarget(name: "QuasarProcessesTests", dependencies: ["QuasarProcesses", "QuasarTensor", "QuasarTestSupport"]),
    .testTarget(
      name: "QuasarAutogradTests",
      dependencies: ["QuasarAutograd", "QuasarTensor", "QuasarTestGradients", "QuasarTestSupport"]),
    .testTarget(
      name: "QuasarSupernetTests",
      dependencies: [
        "QuasarSupernet", "QuasarAutograd", "QuasarNetwork", "QuasarArithmetic", "QuasarTensor", "CKernels",
        "QuasarTestGradients", "QuasarTestSupport",
      ]),
    .testTarget(
      name: "QuasarTrainTests",
      dependencies: [
        "QuasarTrain", "QuasarSupernet", "QuasarAutograd", "QuasarProcesses", "QuasarExchange", "QuasarData",
        "QuasarNetwork", "QuasarInterchange", "QuasarTensor", "CKernels", "QuasarTestSupport",
      ]),
    .testTarget(
      name: "QuasarSearchTests",
      dependencies: [
        "QuasarSearch", "QuasarTrain", "QuasarSupernet", "QuasarAutograd", "QuasarProcesses", "QuasarHardware",
        "QuasarData", "QuasarNetwork", "QuasarInterchange", "QuasarTensor", "CKernels", "QuasarTestSupport",
      ]),
    .testTarget(name: "QuasarReportTests", dependencies: ["QuasarReport"]),
    .testTarget(
      name: "QuasarPipelineTests",
      dependencies: [
        "QuasarPipeline", "QuasarReport", "QuasarSearch", "QuasarTrain", "QuasarSupernet", "QuasarNetwork",
        "QuasarInterchange", "QuasarTensor",
      ]),
    .testTarget(name: "StructureTests"),
    .testTarget(name: "CommandLineTests", dependencies: ["quasar", "Quasar", "QuasarTestSupport"]),
  ],
  swiftLanguageModes: [.v6]
)

// A file sees the members of the modules that it imports itself, so imports say what a file depends on.
for target in package.targets where target.type != .system {
  target.swiftSettings = (target.swiftSettings ?? []) + [.enableUpcomingFeature("MemberImportVisibility")]
}
