import QuasarTensor

extension ImageGeometry {
  /// Throws for sizes that no image or network has; `source` is the file they come from.
  public func validate(source: String) throws {
    func require(_ condition: Bool, _ text: String) throws {
      if !condition { throw QuasarError(.badData, "\(source): \(text)") }
    }
    try require((1...4096).contains(imageSize), "image size \(imageSize) is not in 1…4096")
    try require((1...64).contains(channels), "\(channels) channels are not in 1…64")
    try require(
      (1...imageSize).contains(patchSize) && imageSize % patchSize == 0,
      "patch size \(patchSize) does not divide the image size \(imageSize)")
    try require((2...100_000).contains(classes), "\(classes) classes are not in 2…100,000")
    try require((1...256).contains(headDimension), "head dimension \(headDimension) is not in 1…256")
  }
}

extension Architecture {
  /// Throws for genes outside what any network can have; `source` is the file they come from.
  ///
  /// Files are written by people and programs, so every number is checked before it sizes anything.
  public func validate(source: String) throws {
    func require(_ condition: Bool, _ text: String) throws {
      if !condition { throw QuasarError(.badData, "\(source): \(text)") }
    }
    try geometry.validate(source: source)
    try require((8...8192).contains(embedDimension), "embedding width \(embedDimension) is not in 8…8192")
    try require([4, 6, 8].contains(activationBits), "\(activationBits) activation bits are none of 4, 6, 8")
    try require((1...256).contains(blocks.count), "\(blocks.count) blocks are not in 1…256")
    for (i, block) in blocks.enumerated() {
      try require((1...256).contains(block.heads), "block \(i): \(block.heads) heads are not in 1…256")
      try require(
        block.mlpRatio >= 0.01 && block.mlpRatio <= 64, "block \(i): MLP ratio \(block.mlpRatio) is not in 0.01…64")
    }
  }
}
