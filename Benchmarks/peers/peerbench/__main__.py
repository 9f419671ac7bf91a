"""Quasar beside its peers: one process for each number of threads, then tables, a chart and the thresholds."""
import argparse
import os
import subprocess
import sys

from . import chart, machine, tables, thresholds
from .results import Results

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCHES = "gemm,int4,mixed,attention,infer,train"
DEFAULT = "gemm,int4,mixed,attention,infer"


def parse():
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    parser.add_argument("--threads", default="1,2", help="numbers of threads (default: 1,2)")
    parser.add_argument("--benches", default=DEFAULT, help=f"some of {BENCHES} (default: {DEFAULT})")
    parser.add_argument("--quick", action="store_true", help="a few shapes and rounds")
    parser.add_argument("--rounds", type=int, default=0, help="undisturbed rounds for each case")
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases whose name and shape contain TEXT")
    parser.add_argument("--contenders", default="", metavar="NAMES",
                        help="only these, with commas, as the tables name them: more rounds of the fastest")
    parser.add_argument("--out", metavar="DIR", help="results go here (default: WORK/results)")
    parser.add_argument("--json", action="store_true", help="print the records as JSON lines instead of the report")
    parser.add_argument("--report", metavar="FILE", help="measure nothing: report on these records")
    parser.add_argument("--thresholds", default=os.path.join(HERE, "thresholds.json"), metavar="FILE")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a threshold is not reached")
    parser.add_argument("--work", default=".", help=argparse.SUPPRESS)
    parser.add_argument("--bridge", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = set(arguments.benches.split(",")) - set(BENCHES.split(","))
    if unknown:
        parser.error(f"unknown bench {', '.join(sorted(unknown))}: use some of {BENCHES}")
    try:
        arguments.threads = [int(text) for text in arguments.threads.split(",")]
    except ValueError:
        parser.error(f"--threads {arguments.threads}: use numbers with commas, as in 1,2")
    if min(arguments.threads) < 1:
        parser.error("--threads: use numbers from 1 on")
    return arguments


def environment(threads):
    """Every OpenMP library gets the same number; OpenBLAS only prepares operands.

    The worker sleeps between two contenders until their threads stand still. Ours would spin for 200 ms by default; its
    regions follow each other far faster than the 5 ms set here.
    """
    return os.environ | {
        "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1",
        "KMP_BLOCKTIME": "5", "PYTHONPATH": HERE, "PYTHONDONTWRITEBYTECODE": "1"}


def work(arguments, threads, output):
    """Runs one worker on as many of our quietest CPUs; its exit status."""
    available = len(os.sched_getaffinity(0))
    if threads > available:
        print(f"{threads} threads: left out, this process may use {available} CPU(s)", file=sys.stderr)
        return 0
    cpus = machine.quietest_cpus(threads)
    command = [
        sys.executable, "-m", "peerbench.worker", "--bridge", arguments.bridge, "--native",
        os.path.join(arguments.work, "native"), "--models", os.path.join(arguments.work, "models"), "--output", output,
        "--threads", str(threads), "--benches", arguments.benches, "--rounds", str(arguments.rounds),
        "--only", arguments.only, "--contenders", arguments.contenders]
    if arguments.quick:
        command.append("--quick")
    return subprocess.run(
        command, env=environment(threads), preexec_fn=lambda: os.sched_setaffinity(0, cpus), check=False).returncode


def main():
    arguments = parse()
    folder = arguments.out or os.path.join(arguments.work, "results")
    os.makedirs(folder, exist_ok=True)
    records, status = arguments.report, 0
    if not records:
        records = os.path.join(folder, "results.jsonl")
        open(records, "w", encoding="utf-8").close()
        for threads in arguments.threads:
            status |= work(arguments, threads, records)
    results = Results.read(records)
    verdicts = thresholds.judge(thresholds.read(arguments.thresholds), results)
    report = tables.report(results, verdicts)
    for name, text in (("report.md", report), ("ratios.svg", chart.draw(results))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    if arguments.json:
        with open(records, encoding="utf-8") as file:
            sys.stdout.write(file.read())
    else:
        print(report)
        print(f"written to {folder}: results.jsonl, report.md, ratios.svg")
    if status:
        print("a worker failed, or a result of ours was wrong: see the report", file=sys.stderr)
    missed = arguments.check and any(verdict.reached is False for verdict in verdicts)
    sys.exit(1 if status or missed else 0)


if __name__ == "__main__":
    main()
