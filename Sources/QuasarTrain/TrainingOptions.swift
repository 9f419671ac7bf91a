import QuasarInterchange
import QuasarSupernet

/// Everything that decides a training run next to data, architecture and seed.
public struct TrainingOptions: Sendable, Equatable {
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
}

// MARK: The table

extension TrainingOptions: TabledOptions {
  /// Keys, flags, ranges, units and help of every option: the one place that names them.
  public static let table = OptionTable<TrainingOptions>(
    schedule + precision + regularisation + augmentation + sampling + quantisers + optimisation, rules: rules)

  private static let schedule: [OptionEntry<TrainingOptions>] = [
    OptionEntry("epochs", \.epochs, .integer(1...100_000), "Passes over the training images."),
    OptionEntry("batch_size", \.batchSize, .integer(1...65_536), unit: "images", "Images per batch."),
    OptionEntry(
      "accumulation", \.accumulation, .integer(1...65_536), unit: "batches", "Batches that one update averages."),
    OptionEntry("learning_rate", \.learningRate, .number(1e-9...10), "Peak learning rate."),
    OptionEntry(
      "warm_up", \.warmUp, .number(0...1), unit: "of the run",
      "Part of the run over which the learning rate rises to its peak."),
    OptionEntry("schedule", \.schedule, .choice, "How the learning rate falls after the warm-up."),
    OptionEntry(
      "decay_points", \.decayPoints, .numbers(0...1), unit: "of the run",
      "Parts of the run at which a step schedule lowers the learning rate, in rising order."),
    OptionEntry(
      "decay_factor", \.decayFactor, .number(0...1), "Factor on the learning rate at each of the decay points."),
  ]

  private static let precision: [OptionEntry<TrainingOptions>] = [
    OptionEntry(
      "full_precision", \.fullPrecision, .number(0...1), unit: "of the run",
      "Part of the run in fp32, before quantisation is switched on."),
    OptionEntry(
      "exact", \.exact, .number(0...1), unit: "of the run", "Part of the run, at its end, in exact integers."),
    OptionEntry(
      "products", \.products, .choice,
      "Products of quantised blocks: integer8 (8-bit gradients), integer (15-bit gradients), or float for fp32 products of "
        + "dequantised values."),
    OptionEntry(
      "entanglement", \.entanglement, .choice, "How the two precisions of a row share its weights."),
  ]

  private static let regularisation: [OptionEntry<TrainingOptions>] = [
    OptionEntry(
      "label_smoothing", \.labelSmoothing, .number(0..<1), unit: "of the targets",
      "Part of the targets that is spread over all classes."),
    OptionEntry(
      "weight_decay", \.optimizer.weightDecay, .number(0...1), stored: "optimizer.weightDecay",
      "Weight decay; vectors and quantiser steps have none."),
    OptionEntry(
      "drop_path", \.dropPath, .number(0..<1),
      "Chance that the last block's branches are left out; it is smaller in the blocks before."),
    OptionEntry(
      "average", \.average, .number(0..<1),
      "Decay of the averaged weights, which are then evaluated, searched and packed; 0 is off."),
    OptionEntry(
      "distillation", \.distillation, .number(0...1), unit: "of the targets",
      "Share of the teacher's outputs in the targets."),
    OptionEntry(
      "hard_distillation", \.hardDistillation, .flag, "Take the teacher's class instead of its probabilities."),
  ]

  private static let augmentation: [OptionEntry<TrainingOptions>] = [
    OptionEntry("flip", \.flip, .flag, "Mirror images at random."),
    OptionEntry(
      "shift", \.shift, .integer(0...64), unit: "pixels", "Largest shift of an image, edge pixels repeated; 0 is off."),
    OptionEntry(
      "random_erasing", \.randomErasing, .number(0...1),
      "Chance that a rectangle of an image is filled with the mean pixel."),
    OptionEntry(
      "crop_scale", \.cropScale, .number(0.01...1), unit: "of the area",
      "Smallest part of an image's area that a random crop takes; 1 is off."),
    OptionEntry(
      "rand_augment", \.randAugment, .integer(0...16), "Random operations on each image (RandAugment); 0 is off."),
    OptionEntry(
      "rand_augment_magnitude", \.randAugmentMagnitude, .integer(0...RandAugment.largestMagnitude),
      "Magnitude of the random operations."),
    OptionEntry(
      "repeats", \.repeats, .integer(1...65_536), "Times that an image comes in a batch, each time augmented anew."),
    OptionEntry("mixup", \.mixup, .number(0...100), "Beta parameter of mixup; 0 is off."),
    OptionEntry("cutmix", \.cutmix, .number(0...100), "Beta parameter of cutmix; 0 is off."),
  ]

  private static let sampling: [OptionEntry<TrainingOptions>] = [
    OptionEntry(
      "sandwich", \.sandwich, .flag,
      "Train the largest and the smallest sub-network in every step; the largest teaches the others."),
    OptionEntry(
      "random_subnets", \.randomSubnets, .integer(0...64),
      "Random sub-networks in every step; without sandwich at least 1."),
    OptionEntry(
      "progressive", \.progressive, .number(0...1), unit: "of the run",
      "Part of the run over which sub-networks grow from the largest to the whole space."),
  ]

  private static let quantisers: [OptionEntry<TrainingOptions>] = [
    OptionEntry("layer_scale", \.layerScale, .flag, "Learn the factors of the residual branches; without, they are 1."),
    OptionEntry(
      "calibration_percentile", \.calibrationPercentile, .number(90...100, or: 0), unit: "%",
      "Percentage of the values of an activation that its codes cover at the start; 0 is the step of least squared error."
    ),
    OptionEntry(
      "gptq_start", \.gptqStart, .flag,
      "Start quantised weights from codes with compensated errors (GPTQ); for single networks."),
    OptionEntry(
      "oscillation_threshold", \.oscillationThreshold, .number(0..<1),
      "Frequency of swings between codes above which a weight is frozen; 0 is off."),
    OptionEntry(
      "oscillation_momentum", \.oscillationMomentum, .number(1e-6...1), "Share of the newest update in that frequency."),
  ]

  private static let optimisation: [OptionEntry<TrainingOptions>] = [
    OptionEntry(
      "optimizer", \.optimizer.rule, .choice, stored: "optimizer.rule", "How a step follows from the gradient."),
    OptionEntry(
      "beta1", \.optimizer.beta1, .number(0..<1), stored: "optimizer.beta1", "Decay of the mean of the gradient."),
    OptionEntry(
      "beta2", \.optimizer.beta2, .number(0..<1), stored: "optimizer.beta2",
      "Decay of the mean of the squared gradient."),
    OptionEntry(
      "epsilon", \.optimizer.epsilon, .number(1e-12...1), stored: "optimizer.epsilon",
      "Added to the root of the mean squared gradient."),
    OptionEntry(
      "step_factor", \.optimizer.stepFactor, .number(0...100), stored: "optimizer.stepFactor",
      "Learning rate of quantiser steps relative to that of the weights."),
    OptionEntry(
      "clip_norm", \.optimizer.clipNorm, .number(1e-6...1e9), stored: "optimizer.clipNorm",
      "Largest norm of the whole gradient; larger ones are scaled down."),
  ]

  private static let rules: [OptionRule<TrainingOptions>] = [
    OptionRule(["full_precision", "exact"]) { options in
      options.fullPrecision + options.exact <= 1
        ? nil
        : "the parts in fp32 and in exact integers are together at most the whole run, 1, but "
          + "\(options.fullPrecision) + \(options.exact) is more; lower one of them"
    },
    OptionRule(["decay_points"]) { options in
      let points = options.decayPoints
      return !points.isEmpty && zip(points, points.dropFirst()).allSatisfy { $0 < $1 }
        ? nil : "decay points are at least one part of the run, in rising order, not \(points); sort them"
    },
    OptionRule(["batch_size", "repeats"]) { options in
      options.batchSize % options.repeats == 0
        ? nil
        : "a batch holds each image equally often, but \(options.batchSize) images are not a multiple of "
          + "\(options.repeats) repeats; choose a divisor of the batch size"
    },
    OptionRule(["sandwich", "random_subnets"]) { options in
      options.sandwich || options.randomSubnets >= 1
        ? nil : "without sandwich, a step needs at least one random sub-network, not \(options.randomSubnets)"
    },
  ]

  /// The options that change single images.
  public static let augmentationKeys = [
    "flip", "shift", "random_erasing", "crop_scale", "rand_augment", "rand_augment_magnitude",
  ]
}
