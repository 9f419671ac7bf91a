"""Thresholds: ratios in a file, judged against a run.

Each entry selects our records (`bench`, and where given `form`, `case`, `case_ends`, `tokens`, `threads`), takes a `measure` of
each: "peak" (fraction of the measured peak), "ratio" (rival's time over ours, `against` an engine or the best,
`rival_form` to narrow it), "mixing" or "scaling", and an `aggregate` of them: "geomean", "least" or "most".
"""
import json
from dataclasses import dataclass
from typing import Optional

from .results import geometric_mean

AGGREGATES = {"geomean": geometric_mean, "least": min, "most": max}


@dataclass
class Verdict:
    text: str
    bound: str
    value: Optional[float]
    reached: Optional[bool]
    cases: int


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)["thresholds"]


def judge(entries, results):
    return [judge_one(entry, results) for entry in entries]


def judge_one(threshold, results):
    values = [value for value in map(measure(threshold, results), selected(threshold, results)) if value is not None]
    lower = "at_least" in threshold
    limit = threshold["at_least"] if lower else threshold["at_most"]
    bound = f"{'≥' if lower else '≤'} {limit:g}"
    if not values:
        return Verdict(threshold["text"], bound, None, None, 0)
    value = AGGREGATES[threshold["aggregate"]](values)
    return Verdict(threshold["text"], bound, value, value >= limit if lower else value <= limit, len(values))


def selected(threshold, results):
    wanted = {key: threshold[key] for key in ("bench", "form", "case") if key in threshold}
    entries = results.ours(threads=threshold.get("threads", 1), **wanted)
    tokens = threshold.get("tokens")
    ends = threshold.get("case_ends", "")
    return [
        e for e in entries
        if e["case"].endswith(ends) and (not tokens or int(e["shape"].split("×")[0]) in tokens)]


def measure(threshold, results):
    kind = threshold["measure"]
    if kind == "peak":
        return lambda entry: entry["peak_fraction"]
    if kind == "mixing":
        return results.mixing_cost
    if kind == "scaling":
        return results.scaling
    return lambda entry: results.ratio(entry, threshold.get("against"), threshold.get("rival_form"))
