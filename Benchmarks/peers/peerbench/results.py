"""The records of a run, and who is compared with whom."""
import json
import math
from dataclasses import dataclass

OURS = "Quasar"


def geometric_mean(values):
    values = list(values)
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else math.nan


@dataclass
class Results:
    runs: list
    entries: list
    failures: list

    @staticmethod
    def read(path):
        kinds = {"run": [], "result": [], "failure": []}
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                entry = json.loads(line)
                kinds[entry["record"]].append(entry)
        return Results(kinds["run"], kinds["result"], kinds["failure"])

    @property
    def benches(self):
        return list(dict.fromkeys(entry["bench"] for entry in self.entries))

    @property
    def threads(self):
        return sorted({entry["threads"] for entry in self.entries})

    def select(self, **wanted):
        return [e for e in self.entries if all(e.get(key) == value for key, value in wanted.items())]

    def ours(self, **wanted):
        return self.select(engine=OURS, **wanted)

    def rivals(self, entry, engine=None, form=None):
        """Everybody else on the same case, by time. For products, only the same form is like with like."""
        found = [
            e for e in self.select(bench=entry["bench"], case=entry["case"], shape=entry["shape"],
                                   threads=entry["threads"])
            if e["engine"] != OURS and engine in (None, e["engine"]) and form in (None, e["form"])
            and (entry["bench"] != "gemm" or e["form"] == entry["form"])]
        if engine:
            # The same operand types, where this engine has them.
            found = [e for e in found if e.get("input") == entry.get("input")] or found
        return sorted(found, key=lambda e: e["median_s"])

    def ratio(self, entry, engine=None, form=None):
        """How many times faster we are than the best rival; nothing without a rival."""
        rivals = self.rivals(entry, engine, form)
        return rivals[0]["median_s"] / entry["median_s"] if rivals else None

    def mixing_cost(self, entry):
        """Time of a row-mixed product over the mean of its parts, weighted by rows; nothing for the parts."""
        if not 0 < entry.get("share", 0) < 1:
            return None
        same = {e["share"]: e["median_s"] for e in self.ours(
            bench="mixed", case=entry["case"], shape=entry["shape"], threads=entry["threads"])}
        if not {0.0, 1.0} <= same.keys():
            return None
        share = entry["true_share"]
        return entry["median_s"] / ((1 - share) * same[0.0] + share * same[1.0])

    def scaling(self, entry):
        """Our time on one thread over our time on this many."""
        single = self.ours(bench=entry["bench"], case=entry["case"], shape=entry["shape"], form=entry["form"],
                           name=entry["name"], threads=1)
        return single[0]["median_s"] / entry["median_s"] if single and entry["threads"] > 1 else None
