// Estimates a network on a board and writes a packed network for `serve.swift`: a program on the whole library.
import Quasar

let board = try HardwareModel(device: Device.named("pynq-z2"))
let architecture = try SearchSpace.load("fashion-s").smallest
let estimate = try board.estimate(architecture)
print("estimate: \(Int(estimate.fps)) FPS on \(estimate.device)")

let model = try Workflow.randomModel(architecture)
let path = CommandLine.arguments[1]
try PackedFile.write(model, to: path)
let images = Workflow.noise(3, architecture.geometry)
print("packed: \(path), classes of three images of noise: \(try model.logits(images).largestPerRow())")
