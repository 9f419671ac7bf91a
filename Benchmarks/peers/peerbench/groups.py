"""Groups of cases that a table or a panel of the chart shows together, with one figure per contender."""
from dataclasses import dataclass

from .results import OURS, geometric_mean

TITLES = {
    "gemm int32": "int8 products, int32 out", "gemm int8": "int8 products, requantised",
    "int4 1": "int4 weights, one token", "int4 many": "int4 weights, 197 and 1576 tokens",
    "mixed": "row-mixed products", "attention": "attention, 197 tokens",
}


@dataclass
class Row:
    """One contender of a group: geometric means over the cases it has in common with us."""

    name: str
    ours: bool
    gops: float
    peak_fraction: float
    slower: float
    images_per_s: float
    cases: int
    noisy: int


@dataclass
class Group:
    title: str
    threads: int
    cases: int
    rows: list

    @property
    def images(self):
        return all(row.images_per_s for row in self.rows)


def key(entry):
    bench = entry["bench"]
    if bench == "gemm":
        return f"gemm {entry['form']}"
    if bench == "int4":
        return "int4 1" if entry["shape"].startswith("1×") else "int4 many"
    if bench in ("infer", "train"):
        return f"{entry['case']}, {entry['shape']}"
    return bench


def reference(entries):
    """Our record that the others of one case are compared with: the fastest with 8-bit weights, or the only kind."""
    ours = [e for e in entries if e["engine"] == OURS]
    return min((e for e in ours if e["form"] in ("int32", "int8", "step")), key=lambda e: e["median_s"], default=None)


def groups(results):
    """By bench and number of threads, in the order of the run."""
    found = {}
    for entry in results.entries:
        found.setdefault((key(entry), entry["threads"]), []).append(entry)
    return [group(TITLES.get(name, name), threads, entries) for (name, threads), entries in found.items()]


def group(title, threads, entries):
    cases = {}
    for entry in entries:
        cases.setdefault((entry["case"], entry["shape"]), []).append(entry)
    references = {case: reference(same) for case, same in cases.items()}
    names = {}
    for entry in entries:
        names.setdefault(entry["name"], []).append(entry)
    rows = [row(name, same, references) for name, same in names.items()]
    if title != TITLES["mixed"]:  # whose rows stay in the order of their shares
        rows.sort(key=lambda r: -r.gops)
    return Group(title, threads, len(cases), rows)


def row(name, entries, references):
    slower = [
        entry["median_s"] / ours["median_s"] for entry in entries
        if (ours := references[(entry["case"], entry["shape"])])]
    images = [entry["images_per_s"] for entry in entries if "images_per_s" in entry]
    return Row(
        name, entries[0]["engine"] == OURS, geometric_mean(entry["gops"] for entry in entries),
        geometric_mean(entry["peak_fraction"] for entry in entries), geometric_mean(slower),
        geometric_mean(images) if images else 0.0, len(entries), sum(entry["noisy"] for entry in entries))
