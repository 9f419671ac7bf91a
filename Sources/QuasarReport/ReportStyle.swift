/// The page's style sheet.
enum ReportStyle {
  static let sheet = """
    :root{\(PlotTheme.variables);--band:#f5f6f7;--good:#1f7a4d;--bad:#b23a48}
    @media screen and (prefers-color-scheme:dark){:root{\(PlotTheme.darkVariables);--band:#1e2227;
    --good:#66c795;
    --bad:#e57c88}}
    *{box-sizing:border-box}
    html{background:var(--paper);color:var(--ink);-webkit-text-size-adjust:100%}
    body{margin:0;font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
    main{max-width:960px;margin:0 auto;padding:40px 24px 64px}
    h1{font-size:34px;line-height:1.15;letter-spacing:-.01em;margin:4px 0 14px;overflow-wrap:anywhere}
    h2{font-size:22px;line-height:1.25;margin:0 0 6px}
    h3{font-size:17px;margin:22px 0 8px;overflow-wrap:anywhere}
    section{border-top:2px solid var(--ink);margin-top:44px;padding-top:14px}
    p{margin:0 0 12px;max-width:70ch}
    .kicker{color:var(--soft);font-size:13px;margin:0}
    .lead{font-size:19px;line-height:1.5;max-width:62ch}
    .note{color:var(--soft);font-size:14px}
    .end{margin:14px 0 0}
    .facts{display:flex;flex-wrap:wrap;gap:10px 40px;margin:20px 0 0;font-size:14px}
    .facts .wide{flex-basis:100%}
    dt{color:var(--soft);font-size:12.5px}
    dd{margin:0;overflow-wrap:anywhere}
    .scroll{overflow-x:auto}
    table{border-collapse:collapse;font-size:13.5px;line-height:1.35;font-variant-numeric:tabular-nums;
    width:100%}
    th,td{padding:6px 7px;text-align:right;vertical-align:top}
    th{font-weight:500;color:var(--soft);font-size:12.5px;vertical-align:bottom}
    thead tr:last-child th{border-bottom:1px solid var(--axis)}
    tr.bands th{text-align:left;font-weight:600;color:var(--ink);padding-bottom:0;white-space:nowrap}
    tr.bands th[colspan]{box-shadow:inset 0 -1px var(--grid);padding-bottom:2px}
    tbody tr+tr td,tbody tr+tr th{border-top:1px solid var(--grid)}
    td.text,th.text,tbody th{text-align:left}
    tbody th{font-weight:600;color:var(--ink);font-size:13.5px;vertical-align:top}
    td{white-space:nowrap}
    td small,tbody th small{display:block;color:var(--soft);font-size:12px;font-weight:400;white-space:nowrap}
    tbody th small{padding-left:17px}
    .start{padding-left:16px}
    .good{color:var(--good)}
    .bad{color:var(--bad)}
    tr.baseline td,tr.baseline th{background:var(--band);font-weight:400}
    .swatch{display:inline-block;width:9px;height:9px;transform:rotate(45deg);background:var(--q6);
    margin-right:8px}
    figure{margin:22px 0 0}
    .wide{overflow-x:auto}
    .wide svg.plot{min-width:680px}
    figcaption{color:var(--soft);font-size:13.5px;max-width:75ch;margin-top:4px}
    .pair{display:flex;flex-wrap:wrap;gap:24px;margin-top:22px}
    .pair figure{margin:0;flex:1 1 400px;min-width:0}
    svg.plot{display:block;max-width:100%;height:auto;overflow:visible}
    article{margin-top:34px}
    article h3{margin-top:0}
    article+article{border-top:1px solid var(--grid);padding-top:24px}
    .genes{width:auto;margin:10px 0 0}
    .genes td,.genes thead th{min-width:34px}
    .traits{display:flex;flex-wrap:wrap;gap:8px 32px;margin:0;font-size:14px}
    .traits dd{font-weight:600;font-variant-numeric:tabular-nums}
    code{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;
    overflow-wrap:anywhere}
    pre{background:var(--band);padding:10px 12px;margin:6px 0 16px;white-space:pre-wrap;border-radius:3px}
    ul{margin:8px 0 12px;padding-left:20px}
    @media (max-width:600px){main{padding:20px 14px 40px}h1{font-size:27px}.lead{font-size:17px}}
    @media print{html{background:#fff}main{max-width:none;padding:0}body{font-size:11pt}
    *{print-color-adjust:exact;-webkit-print-color-adjust:exact}section{margin-top:26px}
    figure,tr,.pair,.traits{break-inside:avoid}.pair{flex-wrap:nowrap}.pair figure{flex-basis:0}
    article+article{break-before:page}.wide svg.plot{min-width:0}h2,h3{break-after:avoid}.scroll{overflow:visible}
    table{font-size:8.5pt}th,td{padding:4px 5px}}
    \(PlotTheme.rules)
    """
}
