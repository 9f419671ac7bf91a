"""An SVG of the groups: bars of throughput (geometric means), ours in colour, the measured peak as a line."""
from html import escape

from .groups import groups

OURS, PEER, INK, QUIET, GRID = "#1f6feb", "#b9c0c9", "#1b1f24", "#59636e", "#e3e6ea"
FONT = "font-family='system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif'"
LABEL, BAR, VALUE, GAP = 232, 260, 110, 28
ROW, TITLE, MARGIN = 19, 40, 24
PANEL = LABEL + BAR + VALUE


def draw(results):
    """Panels below each other, one column for each number of threads."""
    found = groups(results)
    columns = [[group for group in found if group.threads == threads] for threads in results.threads]
    heights = [MARGIN + 34 + sum(panel_height(group) for group in column) for column in columns]
    height = max(heights, default=80) + MARGIN
    width = 2 * MARGIN + max(1, len(columns)) * PANEL + max(0, len(columns) - 1) * GAP
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' "
        f"viewBox='0 0 {width} {height}' {FONT}>",
        f"<rect width='{width}' height='{height}' fill='white'/>"]
    for number, column in enumerate(columns):
        x = MARGIN + number * (PANEL + GAP)
        threads = results.threads[number]
        heading = {1: "one thread", 2: "two threads"}.get(threads, f"{threads} threads")
        parts.append(text(x, MARGIN + 12, f"Quasar beside its peers, {heading}", size=16, weight=600))
        y = MARGIN + 34
        for group in column:
            parts.append(panel(group, x, y))
            y += panel_height(group)
    return "\n".join(parts) + "\n</svg>\n"


def panel_height(group):
    return TITLE + ROW * len(group.rows) + 12


def panel(group, x, y):
    """Bars start at 0 and share the scale of their panel, whose right edge is the peak or the fastest bar."""
    peak = max(row.gops / row.peak_fraction for row in group.rows)
    scale = BAR / max(peak, *(row.gops for row in group.rows))
    left, top = x + LABEL, y + TITLE
    unit = "images/s" if group.images else "GOP/s"
    cases = f"mean of {group.cases} cases" if group.cases > 1 else "one case"
    parts = [
        text(x, y + 16, group.title, size=13, weight=600),
        text(x, y + 31, f"{unit}, % of peak; {cases}", size=11, fill=QUIET)]
    bottom = top + ROW * len(group.rows)
    parts.append(line(left, top - 2, left, bottom, GRID))
    for number, row in enumerate(group.rows):
        middle = top + ROW * number + ROW / 2
        length = max(1.0, row.gops * scale)
        colour = OURS if row.ours else PEER
        parts.append(text(left - 8, middle + 4, short(row, group), anchor="end", weight=600 if row.ours else 400))
        parts.append(
            f"<rect x='{left}' y='{middle - 6:.1f}' width='{length:.1f}' height='12' rx='1.5' fill='{colour}'/>")
        figure = row.images_per_s if group.images else row.gops
        shown = f"{figure:.0f}" if figure >= 100 else f"{figure:.1f}"
        value = left + BAR + 52
        parts.append(text(value, middle + 4, shown, anchor="end"))
        parts.append(text(value + 50, middle + 4, f"{100 * row.peak_fraction:.0f} %", anchor="end", fill=QUIET))
    parts.append(line(left + peak * scale, top - 6, left + peak * scale, bottom, INK, "3 3"))
    parts.append(text(left + peak * scale, top - 9, "peak", size=10, anchor="middle", fill=QUIET))
    return "\n".join(parts)


def short(row, group):
    note = f" ({row.cases}/{group.cases})" if row.cases < group.cases else ""
    return row.name + note


def text(x, y, content, size=12, weight=400, anchor="start", fill=INK):
    return (f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}' text-anchor='{anchor}' "
            f"fill='{fill}'>{escape(content)}</text>")


def line(x1, y1, x2, y2, colour, dash=""):
    dashes = f" stroke-dasharray='{dash}'" if dash else ""
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}'{dashes}/>"
