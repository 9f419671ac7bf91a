import QuasarAutograd
import QuasarData
import QuasarTensor

/// Softmax regression on raw pixels: the baseline that every network has to beat.
public enum SoftmaxRegression {
  /// Test accuracy after `epochs` of AdamW on centred pixels.
  public static func accuracy(train: any ImageSource, test: any ImageSource, epochs: Int = 20, seed: UInt64) throws
    -> Double
  {
    let inputs = train.bytesPerImage
    let classes = train.classNames.count
    let weight = Parameter(name: "weight", role: .weight, value: Tensor(zeros: [classes, inputs]))
    let bias = Parameter(name: "bias", role: .vector, value: Tensor(zeros: [classes]))
    let optimizer = AdamW([weight, bias])
    var options = TrainingOptions()
    options.epochs = epochs
    options.batchSize = min(200, train.count)
    options.flip = false
    options.randomErasing = 0
    let source = try BatchSource(data: train, options: options, random: RandomSource(seed: seed))
    let total = epochs * source.stepsPerEpoch
    let schedule = LearningRateSchedule(peak: 2e-3, warmUpSteps: 0, totalSteps: total)
    func logits(_ tape: Tape, _ images: NDArray<UInt8>) -> Variable {
      let pixels = Tensor(uninitialized: [images.shape[0], inputs])
      for i in 0..<pixels.count { pixels.pointer[i] = Float(images.pointer[i]) / 255 - 0.5 }
      return tape.linear(
        tape.constant(pixels), weight: tape.parameter(weight), bias: tape.parameter(bias))
    }
    var order: [Int] = []
    for step in 0..<total {
      if step % source.stepsPerEpoch == 0 { order = source.order(epoch: step / source.stepsPerEpoch) }
      let batch = try source.batch(step: step, order: order)
      let tape = Tape()
      let loss = tape.crossEntropy(
        logits(tape, batch.images), targets: Targets.labels(batch.labels, classes: classes))
      tape.backward(from: loss)
      optimizer.update(learningRate: schedule.rate(at: step))
    }
    let result = try logits(Tape(recording: false), test.array(0..<test.count))
    return Evaluation.accuracy(result.value, test.labels)
  }
}
