"""One process for one number of threads: runs the benches and writes a JSON line for each contender of each case."""
import argparse
import gc
import importlib
import json
import os
import sys
import time

from . import machine
from .bridge import Bridge
from .context import Context

BENCHES = ("gemm", "int4", "mixed", "attention", "infer", "train")


def settings_for(arguments, bench):
    """Rounds and seconds per turn; whole networks take longer and need fewer."""
    from .measure import Settings

    rounds, seconds = (5, 0.004) if arguments.quick else (15, 0.01)
    if bench == "infer":
        rounds, seconds = (4, 0.05) if arguments.quick else (9, 0.1)
    if bench == "train":
        rounds, seconds = (3, 0.05) if arguments.quick else (5, 0.1)
    return Settings(
        arguments.rounds or rounds, seconds, arguments.threads, sorted(os.sched_getaffinity(0)),
        tuple(filter(None, arguments.contenders.split(","))))


class Output:
    """The file of records; every line is flushed, so that an interrupted run keeps what it has."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")

    def write(self, entry):
        self.file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self.file.flush()


class ProgressLine:
    """How far the worker is, and how much longer: a case has a fixed part and one that grows with its work."""

    def __init__(self, cases, threads):
        self.cases, self.done, self.threads = cases, 0, threads
        self.seconds = {}

    def finished(self, case, seconds):
        self.done += 1
        done = self.seconds.setdefault(case.bench, [0.0, 0.0])
        done[0], done[1] = done[0] + seconds, done[1] + weight(case)
        everything = [sum(column) for column in zip(*self.seconds.values())]
        left = 0.0
        for coming in self.cases[self.done:]:
            spent, weighed = self.seconds.get(coming.bench, everything)
            left += weight(coming) * spent / weighed
        print(f"[{self.done:3}/{len(self.cases)}] {case.bench:9} {case.name:9} {case.shape:16} "
              f"{self.threads} thread(s) {seconds:6.1f} s, about {int(left // 60)}:{int(left % 60):02} left",
              file=sys.stderr, flush=True)


def weight(case):
    return case.operations + 5e8


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bridge", required=True, help="libQuasarPeerBridge.so")
    parser.add_argument("--native", required=True, help="folder of build-native")
    parser.add_argument("--models", required=True, help="folder for ONNX files")
    parser.add_argument("--output", required=True, help="JSON lines are appended here")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--benches", default=",".join(BENCHES))
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--only", default="", help="only cases whose name and shape contain this")
    parser.add_argument("--contenders", default="", help="only these, names with commas")
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args()


def main():
    arguments = parse()
    # Before torch comes with its OpenMP library, see bridge.py; native peers load here too.
    context = Context(
        Bridge(arguments.bridge), arguments.native, arguments.models, arguments.threads, arguments.quick)
    import torch

    from . import engines
    from .measure import Calibration, measure

    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    output = Output(arguments.output)
    output.write(description(arguments, context, engines.versions() | {"torch": torch.__version__}))
    calibration = Calibration(context.bridge)
    cases = [
        case for bench in arguments.benches.split(",")
        for case in importlib.import_module(f".bench_{bench}", __package__).cases(context)
        if arguments.only in f"{case.name} {case.shape}"]
    progress = ProgressLine(cases, arguments.threads)
    failed = False
    for case in cases:
        start = time.perf_counter()
        failed |= run_case(case, settings_for(arguments, case.bench), calibration, measure, output)
        progress.finished(case, time.perf_counter() - start)
        gc.collect()
    sys.exit(1 if failed else 0)


def run_case(case, settings, calibration, measure, output):
    """Writes the records; true when our own side failed."""
    ours_failed = False

    def report_failure(contender, reason):
        nonlocal ours_failed
        ours_failed |= contender.engine == "Quasar"
        output.write({
            "record": "failure", "bench": case.bench, "case": case.name, "shape": case.shape,
            "threads": settings.threads, "engine": contender.engine, "name": contender.name, "form": contender.form,
            "reason": reason})

    for entry in measure(case, settings, calibration, report_failure):
        output.write(entry)
    return ours_failed


def description(arguments, context, versions):
    name, flags = machine.cpu_description()
    if context.onednn:
        versions["oneDNN"] = context.onednn.version
    if context.ggml:
        versions["ggml"] = context.ggml.version
    return {
        "record": "run", "threads": arguments.threads, "quick": arguments.quick, "cpu": name, "cpu_flags": flags,
        "cpus": sorted(os.sched_getaffinity(0)), "instruction_set": context.bridge.instruction_set,
        "kernels": context.bridge.kernels, "versions": versions, "missing": context.missing,
    }


if __name__ == "__main__":
    main()
