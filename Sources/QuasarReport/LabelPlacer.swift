/// A rectangle in pixels.
struct Box {
  var left: Double
  var top: Double
  var right: Double
  var bottom: Double

  func overlaps(_ other: Box) -> Bool {
    left < other.right && other.left < right && top < other.bottom && other.top < bottom
  }
}

/// Finds places for labels next to their points that cover as little as possible.
///
/// Labels are placed one after the other. Each tries the eight sides of its point, near and farther away, and takes the
/// cheapest. Leaving the plot or covering a label or a mark costs most, crossing a line less, covering an ordinary
/// point least. A label that ends up far away gets a line to its point.
struct LabelPlacer {
  let area: Box
  /// Areas that should stay free, with the cost of covering each.
  private var obstacles: [(box: Box, cost: Double)] = []

  init(area: Box) {
    self.area = area
  }

  mutating func avoid(_ box: Box, cost: Double) { obstacles.append((box, cost)) }

  /// A place for a label: where the text begins and, if a line from the point is needed, where that line ends.
  struct Place {
    var x: Double
    var baseline: Double
    var lineEnd: (x: Double, y: Double)?
  }

  /// The place of a text of this width next to the point (x, y); the place is then occupied.
  mutating func place(width: Double, beside x: Double, _ y: Double) -> Place {
    let height = 15.0
    var best = Box(left: x, top: y, right: x + width, bottom: y + height)
    var lowest = Double.infinity
    for (ring, distance) in [10.0, 18, 26, 36, 50, 66, 84, 104].enumerated() {
      for (order, side) in [(1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1)].enumerated() {
        let left = side.0 > 0 ? x + distance : side.0 < 0 ? x - distance - width : x - width / 2
        let middle = y + Double(side.1) * (distance + (side.0 == 0 ? 2 : 0))
        let box = Box(left: left, top: middle - height / 2, right: left + width, bottom: middle + height / 2)
        var cost = Double(ring) * 4 + Double(order) * 0.5
        if box.left < area.left || box.right > area.right || box.top < area.top || box.bottom > area.bottom {
          cost += 10_000
        }
        for obstacle in obstacles where obstacle.box.overlaps(box) { cost += obstacle.cost }
        if cost < lowest {
          lowest = cost
          best = box
        }
      }
    }
    avoid(best, cost: 1000)
    let nearest = (x: min(max(x, best.left), best.right), y: min(max(y, best.top), best.bottom))
    let isFar = max(abs(nearest.x - x), abs(nearest.y - y)) > 24
    return Place(x: best.left, baseline: best.bottom - 4, lineEnd: isFar ? nearest : nil)
  }
}
