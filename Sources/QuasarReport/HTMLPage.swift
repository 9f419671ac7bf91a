/// A whole page with the style of all reports; `lead`, `facts` and `body` are HTML, the title is text.
func htmlPage(title: String, lead: String, facts: String = "", body: String) -> String {
  """
  <!DOCTYPE html>
  <html lang="en">
  <head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>\(escaped(title))</title>
  <style>
  \(ReportStyle.sheet)
  </style>
  </head>
  <body>
  <main>
  <header>
  <p class="kicker">Quasar · row-wise mixed-precision vision transformers for FPGAs</p>
  <h1>\(escaped(title))</h1>
  <p class="lead">\(lead)</p>
  \(facts.isEmpty ? "" : facts + "\n")</header>
  \(body)
  </main>
  </body>
  </html>

  """
}
