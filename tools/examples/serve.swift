// Reads a packed network and classifies images: a program on the runtime alone, without the training engine.
//
// Arguments: a .quasar file, images (`embedded`, `folder:DIR`, …; see DataSpecification).
import QuasarRuntime

let model = try PackedFile.read(CommandLine.arguments[1])
let images = try DataSpecification(parsing: CommandLine.arguments[2])
  .load(size: model.architecture.geometry.imageSize).test
try images.checkFits(model.architecture.geometry)
let classes = try model.logits(of: images).largestPerRow()
let right = zip(classes, images.labels).count { $0 == Int($1) }
print("\(images.count) images, first classes \(classes.prefix(5).map { model.classNames[$0] }), \(right) as labelled")
