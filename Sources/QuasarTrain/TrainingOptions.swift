import QuasarSupernet
import QuasarTensor

/// Everything that decides a training run beside data, architecture and seed.
public struct TrainingOptions: Codable, Sendable, Equatable {
  public var epochs = 20
  public var batchSize = 64
  public var learningRate: Float = 4e-3
  /// Part of all steps spent on linear warm-up.
  public var warmUp = 0.05
  /// How the learning rate falls after the warm-up.
  public var schedule = LearningRateDecay.cosine
  /// Parts of the run at which a `step` schedule multiplies the learning rate by `decayFactor`.
  public var decayPoints = [0.6, 0.85]
  /// What multiplies the learning rate at each decay point.
  public var decayFactor: Float = 0.1
  /// Part of all steps at the start that run in fp32, before quantisers are calibrated and switched on.
  public var fullPrecision = 0.4
  /// Part of all steps at the end that run in exact integers.
  public var exact = 0.0
  public var labelSmoothing: Float = 0.1
  /// Mirror images at random.
  public var flip = true
  /// Smallest part of an image's area that a random crop takes, scaled back to the whole (Szegedy et al. 2015); 1 is off.
  public var cropScale = 1.0
  /// Largest shift in pixels, edge pixels repeated.
  public var shift = 0
  /// Chance that a rectangle of an image is filled with the mean pixel (Zhong et al. 2020).
  public var randomErasing = 0.25
  /// Random operations on each image (Cubuk et al. 2020, RandAugment); 0 is off.
  public var randAugment = 0
  /// Magnitude of the random operations, 0…30.
  public var randAugmentMagnitude = 9
  /// Times that an image comes in a batch, each time augmented anew (Hoffer et al. 2020).
  public var repeats = 1
  /// Largest drop-path rate; grows linearly with depth.
  public var dropPath: Float = 0
  /// Random sub-networks trained in every step beside the largest and the smallest.
  public var randomSubnets = 1
  /// Train largest and smallest in every step and teach the others with the largest one's output.
  public var sandwich = true
  /// Share of the teacher's output in the targets of fine-tuning.
  public var distillation: Float = 0.5
  /// The teacher's class counts instead of its probabilities (Touvron et al. 2021, hard distillation).
  public var hardDistillation = false
  /// Part of the run over which random sub-networks grow from the largest alone to the whole space (Cai et al. 2020).
  public var progressive = 0.0
  /// Beta parameter of mixup (Zhang et al. 2018); 0 is off.
  public var mixup = 0.0
  /// Beta parameter of cutmix (Yun et al. 2019); 0 is off. With mixup on as well, each batch draws one of the two.
  public var cutmix = 0.0
  /// Decay of the averaged weights that are evaluated, searched and packed; 0 is off.
  public var average: Float = 0
  /// Batches whose gradients are averaged for one update.
  public var accumulation = 1
  /// Percentage of the values of an activation that its codes cover at the start; 0 is the step of least squared error.
  public var calibrationPercentile = 0.0
  /// Round the weights with their errors compensated when quantisation is switched on (Frantar et al. 2022).
  public var gptqStart = false
  /// Frequency of swings between two codes above which a weight is frozen (Nagel et al. 2022); 0 is off.
  public var oscillationThreshold: Float = 0
  /// Share of the newest update in the frequency.
  public var oscillationMomentum: Float = 0.01
  /// Learn the factors of the residual branches; otherwise they stay as they start, at 1 with random weights.
  public var layerScale = true
  /// How the two precisions of a row share its weights.
  public var entanglement = Entanglement.independentSteps
  /// What multiplies the matrices of quantised blocks.
  public var products = TrainingProducts.standard
  public var optimizer = AdamW.Settings()

  /// Images of all batches that one update accumulates, repeats included: batch size · accumulation.
  public var imagesPerStep: Int { batchSize * accumulation }

  public init() {}

  /// Throws for a value outside its range, naming it.
  public func validate() throws {
    func require(_ condition: Bool, _ text: String) throws {
      if !condition { throw QuasarError(.usage, text) }
    }
    try require(epochs >= 1, "epochs must be at least 1, not \(epochs)")
    try require(batchSize >= 1, "the batch size must be at least 1, not \(batchSize)")
    try require(learningRate > 0 && learningRate.isFinite, "the learning rate must be positive")
    try require((0...1).contains(warmUp), "warm-up is a part of the run, 0…1, not \(warmUp)")
    try require(
      fullPrecision >= 0 && exact >= 0 && fullPrecision + exact <= 1,
      "full-precision and exact parts must be at least 0 and at most 1 together")
    try require(
      !decayPoints.isEmpty && decayPoints.allSatisfy { (0...1).contains($0) }
        && zip(decayPoints, decayPoints.dropFirst()).allSatisfy { $0 < $1 },
      "decay points are parts of the run in rising order, 0…1, not \(decayPoints)")
    try require((0...1).contains(decayFactor), "the decay factor must be in 0…1, not \(decayFactor)")
    try require((0..<1).contains(labelSmoothing), "label smoothing must be in 0..<1")
    try require(
      (0...1).contains(optimizer.weightDecay), "the weight decay must be in 0…1, not \(optimizer.weightDecay)")
    try require((0...1).contains(randomErasing), "random erasing is a chance, 0…1")
    try require(
      (0.01...1).contains(cropScale), "the crop scale is a part of the area, 0.01…1, not \(cropScale)")
    try require((0...16).contains(randAugment), "RandAugment takes 0 to 16 operations, not \(randAugment)")
    try require(
      (0...RandAugment.largestMagnitude).contains(randAugmentMagnitude),
      "the magnitude of RandAugment is 0 to \(RandAugment.largestMagnitude), not \(randAugmentMagnitude)")
    try require(
      repeats >= 1 && batchSize % repeats == 0,
      "repeats must divide the batch size, but \(batchSize) is no multiple of \(repeats)")
    try require((0..<1).contains(dropPath), "drop-path must be in 0..<1")
    try require((0...1).contains(distillation), "distillation must be in 0…1")
    try require((0...1).contains(progressive), "the progressive part must be in 0…1, not \(progressive)")
    try require(
      (0...100).contains(mixup) && (0...100).contains(cutmix), "mixup and cutmix are Beta parameters, 0…100")
    try require((0..<1).contains(average), "the decay of averaged weights must be in 0..<1, not \(average)")
    try require((1...65_536).contains(accumulation), "at least one batch is accumulated, not \(accumulation)")
    try require(
      calibrationPercentile == 0 || (90...100).contains(calibrationPercentile),
      "the calibration percentile must be 0 (off) or in 90…100, not \(calibrationPercentile)")
    try require(
      (0..<1).contains(oscillationThreshold), "the oscillation threshold must be in 0..<1, not \(oscillationThreshold)")
    try require(
      oscillationMomentum > 0 && oscillationMomentum <= 1,
      "the oscillation momentum must be above 0 and at most 1, not \(oscillationMomentum)")
    try require(shift >= 0 && randomSubnets >= 0, "shift and random sub-networks cannot be negative")
    try require(sandwich || randomSubnets >= 1, "without sandwich, at least one random sub-network a step")
  }
}
