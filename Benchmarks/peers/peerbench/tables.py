"""The report in Markdown: machine, thresholds, a summary for each group, every case, what failed."""
from .groups import groups


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def number(value):
    """Three figures."""
    if value is None:
        return ""
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def percent(value):
    return f"{100 * value:.0f} %"


def report(results, verdicts):
    parts = ["# Quasar beside its peers", machine_section(results), noise_section(results)]
    parts += ["## Thresholds", threshold_table(verdicts), "## Summary"]
    parts.append(
        "Geometric means over the cases of a group. *Times ours* is a contender's time over our fastest of the same "
        "form: above 1 we are faster. Percentages are of the peak of our kernels' instructions, measured in the same "
        "rounds.")
    parts += [summary(group) for group in groups(results)]
    parts.append("## Every case")
    parts += [details(results, bench, threads) for threads in results.threads for bench in results.benches]
    if results.failures:
        parts += ["## Left out", failure_list(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def machine_section(results):
    lines = []
    for run in results.runs:
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        kernels = ", ".join(f"{name} `{kernel}`" for name, kernel in run["kernels"].items())
        cpus = ", ".join(map(str, run["cpus"]))
        lines.append(
            f"- {run['threads']} thread(s) on CPU {cpus}{', quick' if run['quick'] else ''}: {run['cpu']} "
            f"({' '.join(run['cpu_flags'])}); ours: {run['instruction_set']}, {kernels}; {versions}")
        lines += [f"- {name} is missing: {reason}" for name, reason in run["missing"].items()]
    return "\n".join(lines)


def noise_section(results):
    cases = {(e["bench"], e["case"], e["shape"], e["threads"]): e for e in results.entries}
    if not cases:
        return "No results."
    noisy = sum(e["noisy"] for e in cases.values())
    rounds, clean = (sum(e[key] for e in cases.values()) for key in ("rounds", "undisturbed"))
    neighbours = sum(e["neighbour_load"] for e in cases.values()) / len(cases)
    return (f"{clean} of {rounds} rounds were undisturbed; {noisy} of {len(cases)} cases had too few of them and are "
            f"medians over the calmer half of all rounds (marked ~). CPUs outside the run were {percent(neighbours)} "
            "busy.")


def threshold_table(verdicts):
    words = {True: "reached", False: "**not reached**", None: "not measured"}
    return table(["threshold", "bound", "value", "cases", ""], [
        [v.text, v.bound, number(v.value), v.cases or "", words[v.reached]] for v in verdicts])


def summary(group):
    rows = []
    for row in group.rows:
        name = f"**{row.name}**" if row.ours else row.name
        if row.cases < group.cases:
            name += f" ({row.cases} of {group.cases} cases)"
        if row.noisy:
            name += " ~"
        cells = [name, number(row.gops), percent(row.peak_fraction), number(row.slower)]
        rows.append(cells + ([number(row.images_per_s)] if group.images else []))
    header = ["", "GOP/s", "of peak", "times ours"] + (["images/s"] if group.images else [])
    return f"### {group.title}, {group.threads} thread(s)\n\n" + table(header, rows)


def details(results, bench, threads):
    ours = results.ours(bench=bench, threads=threads)
    if not ours:
        return ""
    if bench == "mixed":
        return mixed_details(results, ours, threads)
    rows = []
    for entry in ours:
        best = next(iter(results.rivals(entry)), None)
        onednn = results.ratio(entry, "oneDNN") if bench == "gemm" else None
        row = [
            f"{entry['case']} {entry['shape']}",
            f"{entry['name']} → {entry['form']}" if bench == "gemm" else entry["name"],
            f"{entry['median_s'] * 1e6:.1f}", number(entry["gops"]), percent(entry["peak_fraction"])]
        row += [number(onednn)] if bench == "gemm" else []
        row += [best["name"] if best else "", number(results.ratio(entry)),
                f"{'~ ' if entry['noisy'] else ''}{entry['undisturbed']}/{entry['rounds']}"]
        rows.append(row)
    header = ["case", "ours", "µs", "GOP/s", "of peak"] + (["oneDNN ÷ ours"] if bench == "gemm" else [])
    return f"### {bench}, {threads} thread(s)\n\n" + table(header + ["best peer", "best ÷ ours", "rounds"], rows)


def mixed_details(results, ours, threads):
    cases = {}
    for entry in ours:
        cases.setdefault(f"{entry['case']} {entry['shape']}", []).append(entry)
    rows = []
    for name, entries in cases.items():
        cells = []
        for entry in sorted(entries, key=lambda e: e["share"]):
            cost = results.mixing_cost(entry)
            cells.append(number(entry["gops"]) + (f" ({cost:.2f})" if cost else ""))
        mark = "~ " if entries[0]["noisy"] else ""
        rows.append([name, *cells, f"{mark}{entries[0]['undisturbed']}/{entries[0]['rounds']}"])
    header = ["case", "4-bit GOP/s", "¼ (time over its parts)", "½", "¾", "8-bit", "rounds"]
    return f"### mixed, {threads} thread(s)\n\n" + table(header, rows)


def failure_list(results):
    reasons = {}
    for failure in results.failures:
        where = f"{failure['bench']} {failure['case']} {failure['shape']}, {failure['threads']} thread(s)"
        reasons.setdefault((failure["name"], failure["reason"]), []).append(where)
    return "\n".join(
        f"- {name}: {reason} ({len(places)} case(s), first {places[0]})" for (name, reason), places in reasons.items())
