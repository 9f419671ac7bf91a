/// The section on making the same run again: command, seed, version.
struct ReportProvenanceSection {
  let content: ReportContent

  func html() -> String {
    """
    <section>
    <h2>How this was made</h2>
    <pre><code>\(escaped(content.provenance.commandWithoutPaths))</code></pre>
    <dl class="traits">
    <div><dt>seed</dt><dd>\(content.provenance.seed)</dd></div>
    <div><dt>Quasar version</dt><dd>\(escaped(content.provenance.version))</dd></div>
    </dl>
    <p class="note end">FPS, cycles and resources are predictions of the latency and resource model. \
    Accuracies are
    measured.</p>
    </section>
    """
  }
}
