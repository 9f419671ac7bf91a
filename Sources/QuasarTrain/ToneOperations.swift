/// Operations on the values of an image, as Pillow defines them, rounded to the nearest whole number.
extension PlanarImage {
  /// p ← table[p] in one channel.
  private func map(_ channel: Int, _ table: [UInt8]) {
    let plane = pixels + channel * area
    table.withUnsafeBufferPointer { table in
      for i in 0..<area { plane[i] = table[Int(plane[i])] }
    }
  }

  private func mapAll(_ value: (Int) -> UInt8) {
    let table = (0..<256).map(value)
    for channel in 0..<channels { map(channel, table) }
  }

  /// base + (p − base)·percent/100, rounded to the nearest (halves up) and limited to 0…255.
  @inline(__always)
  private static func scaled(_ p: Int, from base: Int, _ percent: Int) -> UInt8 {
    let hundredths = 100 * base + (p - base) * percent + 50
    return hundredths <= 0 ? 0 : UInt8(truncatingIfNeeded: min(255, hundredths / 100))
  }

  /// Brightness of a colour: ⌊(19595·R + 38470·G + 7471·B + 2¹⁵) / 2¹⁶⌋; weights of ITU-R BT.601 with the sum 2¹⁶.
  @inline(__always)
  private static func luma(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> Int {
    (19_595 * Int(red) + 38_470 * Int(green) + 7_471 * Int(blue) + 32_768) >> 16
  }

  /// p ← p·percent/100.
  func brighten(percent: Int) { mapAll { PlanarImage.scaled($0, from: 0, percent) } }

  /// p ← m + (p − m)·percent/100 with the mean m of all brightnesses, rounded.
  func contrast(percent: Int) {
    var sum = 0
    if channels == 3 {
      for i in 0..<area { sum += PlanarImage.luma(pixels[i], pixels[area + i], pixels[2 * area + i]) }
    } else {
      for i in 0..<area { sum += Int(pixels[i]) }
    }
    let mean = (2 * sum + area) / (2 * area)
    mapAll { PlanarImage.scaled($0, from: mean, percent) }
  }

  /// p ← y + (p − y)·percent/100 with the brightness y of the point; a grey image has p = y.
  func saturate(percent: Int) {
    guard channels == 3 else { return }
    for i in 0..<area {
      let y = PlanarImage.luma(pixels[i], pixels[area + i], pixels[2 * area + i])
      for place in [i, area + i, 2 * area + i] {
        pixels[place] = PlanarImage.scaled(Int(pixels[place]), from: y, percent)
      }
    }
  }

  /// p ← the upper `bits` bits of p, 1…8.
  func keepBits(_ bits: Int) {
    let mask = UInt8(truncatingIfNeeded: 0xff << (8 - bits))
    for i in 0..<count { pixels[i] &= mask }
  }

  /// p ← 255 − p where p ≥ threshold; 256 changes nothing.
  func solarize(from threshold: Int) { mapAll { UInt8($0 >= threshold ? 255 - $0 : $0) } }

  /// p ← 255·(p − low)/(high − low) in each channel that has two values or more.
  func stretch() {
    for channel in 0..<channels {
      let plane = UnsafeBufferPointer(start: pixels + channel * area, count: area)
      guard let low = plane.min().map(Int.init), let high = plane.max().map(Int.init), low < high else { continue }
      let range = high - low
      map(channel, (0..<256).map { UInt8((510 * (min(max($0, low), high) - low) + range) / (2 * range)) })
    }
  }

  /// p ← min(255, ⌊(⌊s/2⌋ + number of points below p) / s⌋) with s = ⌊(points − points of the largest value) / 255⌋, in
  /// each channel with s ≥ 1.
  func equalize() {
    for channel in 0..<channels {
      let plane = pixels + channel * area
      var histogram = [Int](repeating: 0, count: 256)
      for i in 0..<area { histogram[Int(plane[i])] += 1 }
      let step = (area - (histogram.last { $0 > 0 } ?? area)) / 255
      guard step >= 1 else { continue }
      var below = step / 2
      map(
        channel,
        histogram.map { number in
          defer { below += number }
          return UInt8(min(255, below / step))
        })
    }
  }

  /// p ← b + (p − b)·percent/100 with b = (5·p + its eight neighbours)/13, rounded; points at the edge stay.
  func sharpen(percent: Int, scratch: UnsafeMutablePointer<UInt8>) {
    guard height >= 3, width >= 3 else { return }
    scratch.update(from: pixels, count: count)
    for channel in 0..<channels {
      for y in 1..<height - 1 {
        let row = (channel * height + y) * width
        let (upper, middle, lower) = (scratch + row - width, scratch + row, scratch + row + width)
        for x in 1..<width - 1 {
          // Sums of 13 bytes fit 16 bits, but Int keeps the compiler's vectors simple.
          let above = Int(upper[x - 1]) + Int(upper[x]) + Int(upper[x + 1])
          let below = Int(lower[x - 1]) + Int(lower[x]) + Int(lower[x + 1])
          let p = Int(middle[x])
          let smooth = (above + below + Int(middle[x - 1]) + Int(middle[x + 1]) + 5 * p + 6) / 13
          pixels[row + x] = PlanarImage.scaled(p, from: smooth, percent)
        }
      }
    }
  }
}
