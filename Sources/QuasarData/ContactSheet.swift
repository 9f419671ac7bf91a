import QuasarTensor

/// A picture of a data set: one row per class with its name, one column per sample.
public enum ContactSheet {
  /// The sheet: the first `samplesPerClass` images of each class in file order, each pixel `scale` points wide.
  ///
  /// Classes with fewer images leave the rest of their row empty. Without `scale`, small images are enlarged to a width
  /// of about 64 points. Throws `usage` for a number below 1 or a sheet above 2²⁶ points.
  public static func draw(
    _ set: ImageSet, samplesPerClass: Int = 12, scale: Int? = nil
  ) throws(QuasarError) -> Raster {
    let scale = scale ?? max(1, 64 / set.width)
    guard samplesPerClass >= 1, scale >= 1 else {
      throw QuasarError(
        .usage, "contact sheet: \(samplesPerClass) samples per class at scale \(scale); both need at least 1")
    }
    let gap = 4
    let margin = 12
    let textScale = 2
    let longestName = set.classNames.map { min($0.count, longestLabel) }.max() ?? 0
    let labelWidth = BitmapFont.width(of: longestName, scale: textScale) + margin
    guard let cellWidth = checkedProduct([set.width, scale]),
      let cellHeight = checkedProduct([set.height, scale]),
      let area = checkedProduct([samplesPerClass, cellWidth, set.classNames.count, max(cellHeight, 16)]),
      area <= 1 << 26
    else {
      throw QuasarError(
        .usage,
        "contact sheet: \(set.classNames.count) rows of \(samplesPerClass) images of "
          + "\(set.width)×\(set.height) at scale "
          + "\(scale) are more than \(1 << 26) points; ask for fewer samples or a smaller scale")
    }
    // Text needs two points of space above and below, even when the images are tiny.
    let rowHeight = max(cellHeight, BitmapFont.height * textScale + 2)
    var sheet = Raster(
      width: 2 * margin + labelWidth + samplesPerClass * (cellWidth + gap) - gap,
      height: 2 * margin + set.classNames.count * (rowHeight + gap) - gap, channels: set.channels, fill: 255)

    for (row, name) in set.classNames.enumerated() {
      let text = name.count > longestLabel ? String(name.prefix(longestLabel - 2)) + ".." : name
      let top = margin + row * (rowHeight + gap)
      BitmapFont.draw(
        text, on: &sheet, x: margin, y: top + (rowHeight - BitmapFont.height * textScale) / 2,
        scale: textScale,
        value: 48)
    }
    var drawn = [Int](repeating: 0, count: set.classNames.count)
    for (index, label) in set.labels.enumerated() where drawn[Int(label)] < samplesPerClass {
      let row = Int(label)
      sheet.draw(
        planar: set.image(at: index), channels: set.channels, height: set.height, width: set.width,
        scale: scale,
        x: margin + labelWidth + drawn[row] * (cellWidth + gap),
        y: margin + row * (rowHeight + gap) + (rowHeight - cellHeight) / 2)
      drawn[row] += 1
    }
    return sheet
  }

  /// Longer names are cut, so that one of them cannot push the images off the sheet.
  private static let longestLabel = 20
}
