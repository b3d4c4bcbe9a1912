"""What the machine did while a slice was measured: its clock, how busy the cores were, what others took."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass

CALIBRATION = bytes(65536)
CALIBRATION_ROUNDS = 30
CALIBRATION_TRIES = 5
KERNEL_THREADS = "2"  # the parent of all of them
CPU_CLOCK_PRECISE = 2  # CPUCLOCK_SCHED of Linux


def clock_seconds(core: int) -> float:
    """How long a fixed piece of computing takes on a core that is otherwise idle; the fastest of several tries."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        return min(_compute() for _ in range(CALIBRATION_TRIES))
    finally:
        os.sched_setaffinity(0, before)


def _compute() -> float:
    begin = time.perf_counter()
    for _ in range(CALIBRATION_ROUNDS):
        hashlib.sha256(CALIBRATION).digest()
    return time.perf_counter() - begin


def system_call_ns() -> float:
    """What the cheapest system call takes, Python's part included."""
    count = 100_000
    begin = time.perf_counter_ns()
    for _ in range(count):
        os.getppid()
    return (time.perf_counter_ns() - begin) / count


@dataclass(frozen=True)
class CoreTimes:
    """What the kernel has counted for one core so far, in its ticks."""

    total: int
    idle: int
    steal: int


def core_times(core: int) -> CoreTimes:
    """The counters of one core."""
    with open("/proc/stat", encoding="ascii") as file:
        line = next(line for line in file if line.startswith(f"cpu{core} "))
    user, nice, system, idle, iowait, irq, softirq, steal = (int(word) for word in line.split()[1:9])
    return CoreTimes(user + nice + system + idle + iowait + irq + softirq + steal, idle + iowait, steal)


def busy_share(before: CoreTimes, after: CoreTimes) -> float:
    """The share of the time between that a core was not idle."""
    total = after.total - before.total
    return 1 - (after.idle - before.idle) / total if total else 0.0


def seconds_of_others(ours: set[int]) -> float:
    """The processor time that programs other than ours, and those that they have ended, have had so far."""
    ticks = 0
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) in ours:
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has just ended
        if fields[1] != KERNEL_THREADS:
            ticks += sum(int(word) for word in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, key: str = "VmRSS") -> float:
    """A figure of a process's memory, as /proc names it."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(f"{key}:")) / 1024


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has had so far, all its threads, by the clock that Linux has for each process;
    its number is made as clock_getcpuclockid(3) does it."""
    return time.clock_gettime(~pid << 3 | CPU_CLOCK_PRECISE)


def prefer_worker(pid: int) -> None:
    """Gives the dataplane's worker real-time priority. It sleeps when there is nothing to do, so that everything else
    on its core goes on."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm", encoding="ascii") as file:
            if "worker" in file.read():
                os.sched_setscheduler(int(thread), os.SCHED_FIFO, os.sched_param(1))
                return
    raise OSError("the dataplane has no thread of a worker")


def describe() -> str:
    """The machine in some words."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown CPU")
    return (f"{os.cpu_count()} cores of {model}, Linux {os.uname().release.partition('-')[0]}, a system call takes "
            f"{system_call_ns():.0f} ns")
