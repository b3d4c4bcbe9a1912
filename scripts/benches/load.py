"""The load: one run of wrk in pm-client, and what it saw.

wrk 4 changes its own latencies before it shows them: for each one longer than two mean cycles it adds shorter ones that
nobody measured (its answer to "coordinated omission"). uncorrected() takes these out again.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from demonet import names

SCRIPT = f"{os.path.dirname(os.path.abspath(__file__))}/wrk_report.lua"
TIMEOUT_SECONDS = 2


@dataclass(frozen=True)
class Mode:
    """One kind of load: how connections are used, and by how many clients at once."""

    reuse: bool
    clients: int

    @property
    def word(self) -> str:
        """What it is called in the thesis' tables."""
        return "reuse" if self.reuse else "unique"

    @property
    def name(self) -> str:
        """Unique among the modes."""
        return f"{self.word}_{self.clients}"


@dataclass(frozen=True)
class Answers:
    """What wrk saw in one run; latencies in microseconds, from the request's first byte sent to its answer's last."""

    seconds: float
    requests: int
    bytes: int
    socket_errors: int
    not_200: int
    histogram: list[tuple[int, int]]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def mean(self) -> float:
        """The mean latency."""
        return sum(value * count for value, count in self.histogram) / max(1, self.samples)

    @property
    def samples(self) -> int:
        """How many latencies there are."""
        return sum(count for _, count in self.histogram)

    def quantile(self, share: float) -> float:
        """The latency that this share of the requests did not exceed."""
        left = share * self.samples
        for value, count in self.histogram:
            left -= count
            if left <= 0:
                return value
        return 0.0


def uncorrected(histogram: dict[int, int], cycle: int) -> list[tuple[int, int]]:
    """The measured latencies out of those shown by wrk, which for each value >= 2 cycles has added value - cycle,
    value - 2 cycles, ... as long as they are longer than one cycle."""
    result = dict(histogram)
    for value in sorted(histogram, reverse=True):
        count = result[value]
        if value < 2 * cycle or not count:
            continue
        added = value - cycle
        while added > cycle:
            result[added] -= count
            added -= cycle
    return sorted((value, count) for value, count in result.items() if count)


def _parse(output: str, clients: int) -> Answers:
    report: list[int] = []
    histogram: dict[int, int] = {}
    for line in output.splitlines():
        word, *numbers = line.split() or [""]
        if word == "REPORT":
            report = [int(number) for number in numbers]
        elif word == "LATENCY":
            histogram[int(numbers[0])] = int(numbers[1])
    if not report:
        raise OSError(f"wrk gave no report: {output.strip()[-300:]}")
    duration, requests, size, *errors, status = report
    rounds = requests // clients
    measured = uncorrected(histogram, duration // rounds) if rounds else sorted(histogram.items())
    return Answers(duration / 1e6, requests, size, sum(errors), status, measured)


def run(mode: Mode, address: str, name: str, seconds: int, core: int) -> Answers:
    """`seconds` of load on http://address/ for the host `name`, by one thread of wrk on one core."""
    argv = ["ip", "netns", "exec", names.CLIENT, "taskset", "-c", str(core), "wrk", "-t1", f"-c{mode.clients}",
            f"-d{seconds}s", "--timeout", f"{TIMEOUT_SECONDS}s", "-s", SCRIPT, "-H", f"Host: {name}"]
    if not mode.reuse:
        argv += ["-H", "Connection: close"]
    done = subprocess.run([*argv, f"http://{address}/"], capture_output=True, text=True, check=False,
                          timeout=seconds + 60)
    if done.returncode:
        raise OSError(f"wrk on {address}: {done.stderr.strip() or done.stdout.strip()}")
    return _parse(done.stdout, mode.clients)
