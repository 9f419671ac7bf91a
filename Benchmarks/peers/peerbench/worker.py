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

BENCHES = ("gemm", "int4", "mixed", "attention", "infer")


def settings_for(arguments, bench):
    """Rounds and seconds per turn; whole networks take longer and need fewer."""
    from .measure import Settings

    rounds, seconds = (5, 0.004) if arguments.quick else (15, 0.01)
    if bench == "infer":
        rounds, seconds = (4, 0.05) if arguments.quick else (9, 0.1)
    return Settings(arguments.rounds or rounds, seconds, arguments.threads, sorted(os.sched_getaffinity(0)))


class Output:
    """The file of records; every line is flushed, so that an interrupted run keeps what it has."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")

    def write(self, entry):
        self.file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self.file.flush()


class ProgressLine:
    """How far the worker is, and how much longer if the cases to come take as long as those done in their bench."""

    def __init__(self, counts, threads):
        self.total, self.done, self.threads = sum(counts.values()), 0, threads
        self.left = dict(counts)
        self.seconds = {}

    def finished(self, case, seconds):
        self.done += 1
        self.left[case.bench] -= 1
        self.seconds.setdefault(case.bench, []).append(seconds)
        every = [s for times in self.seconds.values() for s in times]
        mean = {bench: sum(times) / len(times) for bench, times in self.seconds.items()}
        left = sum(count * mean.get(bench, sum(every) / len(every)) for bench, count in self.left.items())
        print(f"[{self.done:3}/{self.total}] {case.bench:9} {case.name:9} {case.shape:16} {self.threads} thread(s) "
              f"{seconds:6.1f} s, about {int(left // 60)}:{int(left % 60):02} left", file=sys.stderr, flush=True)


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
    makers = {}
    for bench in arguments.benches.split(","):
        makers[bench] = list(importlib.import_module(f".bench_{bench}", __package__).cases(context))
    progress = ProgressLine({bench: len(cases) for bench, cases in makers.items()}, arguments.threads)
    failed = False
    for bench, cases in makers.items():
        for make in cases:
            start = time.perf_counter()
            case = make()
            if arguments.only in f"{case.name} {case.shape}":
                failed |= run_case(case, settings_for(arguments, bench), calibration, measure, output)
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
