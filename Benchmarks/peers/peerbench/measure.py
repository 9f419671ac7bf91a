"""Contenders measured in turns.

A round gives every contender one turn, in an order that shifts from round to round; a turn is an untimed call (the
caches belong to whoever came before) and then the median of three stretches of calls that fill the sample time, or one
stretch where a single call nearly does. A calibration loop of
fixed length, the peak loop of our own kernels, runs before and after each round. A round counts as disturbed when the
loop was slower than its best by more than a tolerance, when others took CPU time from us, or when a one-thread turn did
not have its CPU. Medians are taken over undisturbed rounds, of which more are tried when some were lost.
"""
import math
import statistics
import time
from dataclasses import dataclass, field
from typing import Callable, Iterable, Optional

from .machine import Load

SLOWER_LOOP = 1.08
FOREIGN_SHARE = 0.05
OWN_CPU_SHARE = 0.95


@dataclass
class Contender:
    """One engine on one case; `form` says what it computes.

    `make` gives the work: `run(n)` does it n times, `result()` is its last output. `fault` looks at that output before
    anything is timed and says what is wrong with it. `make_empty` gives work of the same engine that computes nothing:
    its time is subtracted.
    """

    engine: str
    name: str
    form: str
    make: Callable[[], object]
    fault: Optional[Callable[[object], Optional[str]]] = None
    make_empty: Optional[Callable[[], object]] = None
    facts: dict = field(default_factory=dict)


@dataclass
class Case:
    """One shape and all who compute it, made when their turn comes.

    `operations` is the work of one call, `images` their number, if any.
    """

    bench: str
    name: str
    shape: str
    operations: float
    contenders: Callable[[], Iterable[Contender]]
    images: int = 0


@dataclass
class Settings:
    rounds: int
    sample_seconds: float
    threads: int
    cpus: list
    contenders: tuple = ()  # names of those that are measured; empty is all


class Calibration:
    """The peak loop of our kernels, one to two milliseconds long."""

    def __init__(self, bridge):
        self.bridge = bridge
        self.iterations = 1000
        while self.once()[0] < 1e-3:
            self.iterations *= 2

    def once(self):
        """Seconds and operations of the fastest of three loops: what the CPU can do just now, not a single hiccup."""
        shortest, operations = math.inf, 0.0
        for _ in range(3):
            start = time.perf_counter()
            operations = self.bridge.peak_operations(self.iterations)
            shortest = min(shortest, time.perf_counter() - start)
        return shortest, operations


class Runner:
    """A contender ready to run."""

    def __init__(self, contender, sample_seconds):
        self.contender = contender
        self.work = contender.make()
        self.call = self.work.run
        self.call(1)
        fault = contender.fault(self.work.result()) if contender.fault else None
        if fault:
            raise RuntimeError(f"wrong result: {fault}")
        self.empty = contender.make_empty().run if contender.make_empty else None
        self.stretches, self.calls = stretches(self.call, sample_seconds)
        self.empty_stretches, self.empty_calls = stretches(self.empty, sample_seconds / 4) if self.empty else (0, 0)

    def turn(self):
        """Seconds of one call, and the share of a CPU the process had meanwhile."""
        self.call(1)
        cpu, start = time.process_time(), time.perf_counter()
        seconds = median_of(self.call, self.stretches, self.calls)
        share = (time.process_time() - cpu) / (time.perf_counter() - start)
        if self.empty:
            seconds = max(seconds - median_of(self.empty, self.empty_stretches, self.empty_calls), 1e-9)
        return seconds, share


def median_of(call, stretches, calls):
    """Median seconds of one call over stretches of `calls`."""
    times = []
    for _ in range(stretches):
        start = time.perf_counter()
        call(calls)
        times.append((time.perf_counter() - start) / calls)
    return statistics.median(times)


def stretches(call, sample_seconds):
    """How many stretches of how many calls fill the sample time, found in a warm-up of at least as long."""
    shortest, spent, calls = math.inf, 0.0, 0
    while calls < 2 or (spent < sample_seconds and calls < 1000):
        start = time.perf_counter()
        call(1)
        seconds = time.perf_counter() - start
        shortest, spent, calls = min(shortest, seconds), spent + seconds, calls + 1
    if 1.5 * shortest > sample_seconds:
        return 1, 1
    return 3, math.ceil(sample_seconds / 3 / max(shortest, 1e-7))


def settle(threads):
    """Waits until the threads of the last contender have stopped spinning, so that no two pools fight for CPUs."""
    if threads == 1:
        return
    for _ in range(40):
        cpu = time.process_time()
        time.sleep(2e-3)
        if time.process_time() - cpu < 5e-4:
            return


def prepare(case, settings, report_failure):
    runners = []
    for contender in case.contenders():
        if settings.contenders and contender.name not in settings.contenders:
            continue
        settle(settings.threads)
        try:
            runners.append(Runner(contender, settings.sample_seconds))
        except Exception as fault:  # a peer that cannot do this case must not end the comparison
            text = (str(fault).splitlines() or [type(fault).__name__])[0][:200]
            report_failure(contender, text)
    return runners


def run_round(runners, number, settings, calibration):
    """One turn for everybody."""
    load = Load(settings.cpus)
    before = calibration.once()
    start = number % len(runners)
    turns = {}
    for runner in runners[start:] + runners[:start]:
        settle(settings.threads)
        turns[id(runner)] = runner.turn()
    settle(settings.threads)
    after = calibration.once()
    own = min(share for _, share in turns.values()) if settings.threads == 1 else 1.0
    seconds = {key: seconds for key, (seconds, _) in turns.items()}
    return Round(seconds, [before, after], load.foreign_share(), load.neighbour_share(), own)


@dataclass
class Round:
    """Seconds of each runner, the two loops (seconds, operations), CPU shares: see `Load`, `Runner.turn`."""

    seconds: dict
    loops: list
    foreign: float
    neighbours: float
    own: float

    def slowest_loop(self):
        return max(seconds for seconds, _ in self.loops)

    def undisturbed(self, best_loop):
        return (self.slowest_loop() <= SLOWER_LOOP * best_loop and self.foreign <= FOREIGN_SHARE
                and self.own >= OWN_CPU_SHARE)


def measure(case, settings, calibration, report_failure):
    """The records of one case."""
    runners = prepare(case, settings, report_failure)
    if not runners:
        return []
    rounds, best = [], math.inf
    for number in range(2 * settings.rounds):
        rounds.append(run_round(runners, number, settings, calibration))
        best = min(best, *(seconds for seconds, _ in rounds[-1].loops))
        clean = [entry for entry in rounds if entry.undisturbed(best)]
        if len(clean) >= settings.rounds:
            break
    # Too few undisturbed rounds: the calmer half of all counts, and the record says so.
    noisy = len(clean) < min(settings.rounds, max(3, settings.rounds // 3))
    used = sorted(rounds, key=Round.slowest_loop)[: math.ceil(len(rounds) / 2)] if noisy else clean
    counts = {"rounds": len(rounds), "undisturbed": len(clean), "noisy": noisy,
              "neighbour_load": statistics.mean(entry.neighbours for entry in rounds)}
    return [record(case, runner, used, settings, counts) for runner in runners]


def record(case, runner, rounds, settings, counts):
    samples = [entry.seconds[id(runner)] for entry in rounds]
    loops = [seconds for entry in rounds for seconds, _ in entry.loops]
    peak = rounds[0].loops[0][1] / statistics.median(loops) * settings.threads / 1e9
    median = statistics.median(samples)
    rate = case.operations / median / 1e9
    contender = runner.contender
    entry = {
        "record": "result", "bench": case.bench, "case": case.name, "shape": case.shape, "threads": settings.threads,
        "engine": contender.engine, "name": contender.name, "form": contender.form, **contender.facts,
        "median_s": median, "min_s": min(samples), "max_s": max(samples),
        "calls_per_turn": runner.stretches * runner.calls, "gops": rate, "peak_gops": peak,
        "peak_fraction": rate / peak, **counts,
    }
    if case.images:
        entry["images_per_s"] = case.images / median
    return entry
