"""The machine: which CPUs the process has, how busy they are, what they are called."""
import os
import time

TICK = 1.0 / os.sysconf("SC_CLK_TCK")


def busy_seconds(cpus):
    """Seconds these CPUs have worked since start-up, for whoever: user, system, interrupts and stolen time."""
    names = {f"cpu{cpu}" for cpu in cpus}
    total = 0
    with open("/proc/stat") as stat:
        for line in stat:
            fields = line.split()
            if fields and fields[0] in names:
                user, nice, system, _idle, _wait, interrupt, soft, steal = map(int, fields[1:9])
                total += user + nice + system + interrupt + soft + steal
    return total * TICK


def quietest_cpus(count, seconds=0.4):
    """The `count` CPUs of the process's mask that others used least just now, ascending."""
    mask = sorted(os.sched_getaffinity(0))
    before = {cpu: busy_seconds([cpu]) for cpu in mask}
    time.sleep(seconds)
    load = {cpu: busy_seconds([cpu]) - before[cpu] for cpu in mask}
    return sorted(sorted(mask, key=lambda cpu: (load[cpu], -cpu))[:count])


def cpu_description():
    """Model name and the instruction sets that matter here."""
    name, flags = "unknown", []
    with open("/proc/cpuinfo") as info:
        for line in info:
            key, _, value = line.partition(":")
            if key.strip() == "model name" and name == "unknown":
                name = value.strip()
            if key.strip() == "flags" and not flags:
                wanted = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
                flags = [flag for flag in value.split() if flag in wanted]
    return name, flags


class Load:
    """What others did on our CPUs during a stretch of time."""

    def __init__(self, cpus):
        self.cpus = cpus
        self.neighbours = [cpu for cpu in range(os.cpu_count() or 1) if cpu not in cpus]
        self.busy = busy_seconds(cpus)
        self.neighbour_busy = busy_seconds(self.neighbours)
        self.own = time.process_time()
        self.wall = time.perf_counter()

    def foreign_share(self):
        """Share of our CPUs' time that others took, less the granularity of the kernel's counters."""
        wall = time.perf_counter() - self.wall
        own = time.process_time() - self.own
        foreign = busy_seconds(self.cpus) - self.busy - own - 2 * TICK
        return max(0.0, foreign) / (wall * len(self.cpus))

    def neighbour_share(self):
        """How busy the CPUs were that we do not use; on many machines they share caches, power or a core with ours."""
        if not self.neighbours:
            return 0.0
        wall = time.perf_counter() - self.wall
        return (busy_seconds(self.neighbours) - self.neighbour_busy) / (wall * len(self.neighbours))
