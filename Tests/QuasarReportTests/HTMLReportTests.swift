import Foundation
import Testing

@testable import QuasarReport

@Suite struct HTMLReportTests {
  /// The SVG elements of a page.
  func pictures(_ page: String) -> [PictureReader] {
    page.components(separatedBy: "<svg").dropFirst().compactMap { part in
      part.range(of: "</svg>").map { PictureReader("<svg" + part[..<$0.upperBound]) }
    }
  }

  @Test func pageIsWholeAndSelfContained() {
    let page = HTMLReport(SampleReport.content()).html()
    #expect(page.hasPrefix("<!DOCTYPE html>") && page.hasSuffix("</html>\n"))
    for forbidden in ["<script", "<link", "src=", "url(", "@import", "href=", "srcset", "<iframe"] {
      #expect(!page.contains(forbidden), "\(forbidden)")
    }
    let addresses = page.components(separatedBy: "http").dropFirst()
    #expect(addresses.allSatisfy { $0.hasPrefix("://www.w3.org/2000/svg\"") })
    // Search, two pairs of curves, one layer chart for each of three sub-networks.
    #expect(pictures(page).count == 8)
    for picture in pictures(page) {
      #expect(picture.isWellFormed)
      #expect(picture.overlappingTexts == [])
    }
  }

  @Test func pageShowsTheFigures() {
    let page = HTMLReport(SampleReport.content()).html()
    for text in [
      "softmax regression", "82.75 %", "ZCU102, 200 MHz", "1,312", "98,420", "612", "48.2 %", "5.98", "✓ met",
      "900 FPS", "bound by DDR", "480 candidates in 12 generations", "1,486", "MLP ratio", "embedding width",
      "8-bit activations", "6-bit activations", "Pareto front", "Supernet: loss", "Fine-tuning: accuracy",
      "0.1.0",
    ] { #expect(page.contains(text), "\(text)") }
  }

  @Test func equalContentsGiveEqualBytes() throws {
    let content = SampleReport.content()
    let page = HTMLReport(content).html()
    #expect(HTMLReport(SampleReport.content()).html() == page)
    let copy = try JSONDecoder().decode(ReportContent.self, from: JSONEncoder().encode(content))
    #expect(copy == content && HTMLReport(copy).html() == page)
  }

  @Test func everyTextIsEscaped() {
    let nasty = "<script>alert('1')</script>\"><img onerror=x> &amp; \u{0}\u{1f}\u{ffff}é𝄞"
    var content = SampleReport.content()
    content.title = nasty
    content.dataset.name = nasty
    content.dataset.classNames = [nasty, "a & b", "]]>"]
    content.baseline?.name = nasty
    content.unmetTargets[0].reason = nasty
    content.search?.accuracySource = nasty
    content.provenance.command = nasty
    content.provenance.version = nasty
    for index in content.subnets.indices {
      content.subnets[index].name = nasty
      content.subnets[index].board.device = nasty
      content.subnets[index].layers[0].name = nasty + "." + nasty
    }
    content.supernet?.name = nasty
    content.supernet?.accuracy[0].name = nasty
    content.fineTunings[0].name = nasty
    if let chosen = content.search?.candidates.firstIndex(where: { !$0.chosenFor.isEmpty }) {
      content.search?.candidates[chosen].chosenFor = nasty
    }
    let page = HTMLReport(content).html()
    #expect(!page.contains("<script") && !page.contains("<img") && !page.contains("\u{0}"))
    #expect(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&gt;&lt;img"))
    #expect(page.contains("&amp;amp;") && page.contains("a &amp; b"))
    for picture in pictures(page) { #expect(picture.isWellFormed) }
  }

  @Test func absentPartsLeaveTheirSectionsOut() {
    var content = SampleReport.content()
    content.search = nil
    content.supernet = nil
    content.fineTunings = []
    content.unmetTargets = []
    content.subnets = []
    content.baseline = nil
    let page = HTMLReport(content).html()
    #expect(page.components(separatedBy: "<section>").count == 2)
    #expect(page.contains("has not chosen a sub-network") && page.contains("How this was made"))
  }

  @Test func valuesThatAreNoNumbersAreDashes() {
    var content = SampleReport.content()
    content.subnets[0].accuracyInteger = .nan
    content.subnets[0].fps = .infinity
    content.subnets[1].layers[0].rows = 0
    content.subnets[1].genes.heads = []
    content.supernet?.loss[0].values = []
    let page = HTMLReport(content).html().lowercased()
    #expect(
      !page.contains("nan ") && !page.contains(">nan") && !page.contains(">inf") && page.contains("<b>–</b>"))
  }

  @Test func pathsOfTheMachineAreCut() {
    func cut(_ command: String) -> String {
      Provenance(seed: 1, command: command, version: "1").commandWithoutPaths
    }
    #expect(cut("quasar run a/b.yaml --out /srv/x/runs/q1/") == "quasar run a/b.yaml --out …/q1")
    #expect(cut("--data cifar10:/data/sets/c10 --out ~/runs/a") == "--data cifar10:…/c10 --out …/a")
    #expect(cut("--out='/home/me/a' --x=~") == "--out='…/a' --x=…")
    #expect(cut("--ratio 1/2 --fps 100,160,250") == "--ratio 1/2 --fps 100,160,250")
    #expect(cut("/usr/bin/quasar") == "…/quasar")
    #expect(!HTMLReport(SampleReport.content()).html().contains("someone"))
  }
}
