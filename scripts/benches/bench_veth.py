"""veth: requests per second and latency through pointsman and through what one would use in its place, in one run.

Each variant is measured in each mode for some slices of a few seconds, in the order A B C C B A A B C ..., so that a
machine that grows slower or faster meets all of them alike. A slice counts only when the work was really done: every
answer a 200 of the right length, no socket error, as many requests at the server and as many connections from the
client as wrk says it made.
"""

from __future__ import annotations

import glob
import os
import statistics
import sys
import time
from dataclasses import dataclass, field

from demonet import names, netns, network
from demonet.supervisor import Programs

from . import load, machine, report, servers, variants
from .load import Answers, Mode
from .machine import CoreTimes
from .variants import Place, Variant

MODES = (Mode(False, 1), Mode(False, 100), Mode(True, 1), Mode(True, 100))
SLICES = 4  # of each variant in each mode; even, so that no variant is always first
SLICE_SECONDS = 2
WARM_UP = Mode(True, 100)
WARM_UP_SECONDS = 1

CLOCK_TOLERANCE = 0.03
OTHERS_TOLERANCE = 0.02
LITTLE_TOLERANCE = 0.05
PROBES = 1  # connections with which wrk tries an address
OTHER_REQUESTS = 30  # health checks and our own questions that the server may count in a slice


class VoidError(Exception):
    """What was measured is not what was meant."""


@dataclass(frozen=True)
class Counted:
    """What the kernel and the server have counted so far."""

    served: int
    opened: int
    retransmitted: int
    load: CoreTimes
    worker: CoreTimes
    others: float


@dataclass(frozen=True)
class Slice:
    """One measurement of one variant in one mode, and what else happened in that time."""

    variant: str
    mode: Mode
    answers: Answers
    served: int  # requests that the server counted
    opened: int  # connections that the client's kernel opened
    retransmitted: int  # segments, by client, edge and server
    load_busy: float
    worker_busy: float
    stolen: int  # ticks that the hypervisor took
    others: float  # the share of the time that other programs had of a core
    clock: tuple[float, float]  # before and after

    @property
    def concurrency(self) -> float:
        """Little's law: requests under way at a time, out of rate and mean latency."""
        return self.answers.rate * self.answers.mean / 1e6

    @property
    def always_waiting(self) -> bool:
        """One client with one connection waits for an answer at any time. Of many, some wait inside wrk, which reads a
        batch of answers before it sends the next requests; and while a connection is made, no latency runs."""
        return self.mode.reuse and self.mode.clients == 1

    def little(self) -> bool:
        """Do rate and latency agree with the number of clients?"""
        share = self.concurrency / self.mode.clients
        return share <= 1 + LITTLE_TOLERANCE and (share >= 1 - LITTLE_TOLERANCE or not self.always_waiting)

    def disturbed(self) -> bool:
        """Did the machine change its pace, or somebody else take time?"""
        return (self.stolen > 0 or self.others > OTHERS_TOLERANCE or
                max(self.clock) / min(self.clock) > 1 + CLOCK_TOLERANCE)

    def faults(self) -> list[str]:
        """Why it is no measurement at all."""
        seen, clients = self.answers, self.mode.clients
        found = []
        if seen.not_200 or seen.socket_errors:
            found.append(f"{seen.not_200} answers were no 200, {seen.socket_errors} socket errors")
        if seen.samples != seen.requests:
            found.append(f"wrk's {seen.samples} latencies are not those of its {seen.requests} requests")
        if not 0 <= self.served - seen.requests <= clients + OTHER_REQUESTS:
            found.append(f"wrk had {seen.requests} answers, the server gave {self.served}")
        expected = PROBES + (clients if self.mode.reuse else seen.requests)
        if not 0 <= self.opened - expected <= (0 if self.mode.reuse else clients):
            found.append(f"{self.opened} connections were opened where about {expected} were expected")
        return found


@dataclass(frozen=True)
class Cell:
    """The slices of one variant in one mode; what it says are medians over those that count."""

    variant: str
    mode: Mode
    slices: list[Slice]

    @property
    def counted(self) -> list[Slice]:
        """The undisturbed slices; all of them where there is none."""
        return [one for one in self.slices if not one.disturbed()] or self.slices

    @property
    def rates(self) -> list[float]:
        """Requests per second, of each slice that counts."""
        return [one.answers.rate for one in self.counted]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return statistics.median(self.rates)

    @property
    def spread(self) -> float:
        """Half the distance from the slowest to the fastest slice, as a share of the rate."""
        return (max(self.rates) - min(self.rates)) / 2 / self.rate

    def latency(self, share: float) -> float:
        """A quantile of the latency in microseconds."""
        return statistics.median(one.answers.quantile(share) for one in self.counted)


@dataclass
class Run:
    """One run of the bench."""

    place: Place
    programs: Programs
    slices: list[Slice] = field(default_factory=list)

    def set_up(self) -> None:
        """The network and the servers; what an earlier, broken run left is removed."""
        for other in glob.glob("/run/pointsman-*/supervisor.sock"):
            Programs(os.path.dirname(other)).end()  # it would start its programs again in our namespaces
        network.up()
        # All but two of the variants have the VIP for the client's only destination. Of connections that are kept in
        # TIME_WAIT it would run out of ports after some slices, and all that is measured were its search for one.
        network.run("ip", "netns", "exec", names.CLIENT, "sysctl", "-qw", "net.ipv4.tcp_max_tw_buckets=0")
        variants.lay_wire()
        self.programs.launch()
        for service in servers.prepare(self.place.run_dir, self.place.load_core):
            self.programs.add(service)

    def tear_down(self) -> None:
        """Ends all programs and removes the network."""
        self.programs.end()
        network.down()

    def measure(self) -> list[Cell]:
        """All slices of all variants."""
        all_of_them = [make(self.place) for make in variants.ALL]
        running: Variant | None = None
        for number in range(SLICES):
            for variant in all_of_them if number % 2 == 0 else reversed(all_of_them):
                if variant is not running:
                    if running:
                        variants.stop(running, self.programs)
                    variants.start(variant, self.programs)
                    running = variant
                self._visit(variant)
        if running:
            variants.stop(running, self.programs)
        return [Cell(variant.name, mode, self._of(variant, mode)) for mode in MODES for variant in all_of_them]

    def _of(self, variant: Variant, mode: Mode) -> list[Slice]:
        return [one for one in self.slices if one.variant == variant.name and one.mode == mode]

    def _visit(self, variant: Variant) -> None:
        """One slice of each mode."""
        pids = variants.pids(variant, self.programs)
        self._load(variant, WARM_UP, WARM_UP_SECONDS)
        for mode in MODES:
            one = self._slice(variant, mode)
            self.slices.append(one)
            print(report.slice_line(one), flush=True)
            if one.faults():
                raise VoidError(f"{variant.name}, {mode.name}: {'; '.join(one.faults())}")
        if variants.pids(variant, self.programs) != pids:
            raise VoidError(f"a program of {variant.name} has ended while it was measured\n"
                            f"{variants.logs(variant, self.programs)}")

    def _load(self, variant: Variant, mode: Mode, seconds: int) -> Answers:
        return load.run(mode, variant.address, variants.HOST, seconds, self.place.load_core)

    def _slice(self, variant: Variant, mode: Mode) -> Slice:
        clock = machine.clock_seconds(self.place.load_core)
        before = self._counted()
        answers = self._load(variant, mode, SLICE_SECONDS)
        after = self._counted()
        return Slice(
            variant.name, mode, answers, after.served - before.served, after.opened - before.opened,
            after.retransmitted - before.retransmitted, machine.busy_share(before.load, after.load),
            machine.busy_share(before.worker, after.worker),
            after.load.steal + after.worker.steal - before.load.steal - before.worker.steal,
            (after.others - before.others) / SLICE_SECONDS, (clock, machine.clock_seconds(self.place.load_core)))

    def _counted(self) -> Counted:
        opened, retransmitted = _segments()
        ours = {os.getpid(), *network.processes()}
        return Counted(servers.requests_served(variants.CLUSTER), opened, retransmitted,
                       machine.core_times(self.place.load_core), machine.core_times(self.place.worker_core),
                       machine.seconds_of_others(ours))


def _segments() -> tuple[int, int]:
    """So far: connections opened by the client's kernel; segments retransmitted by client, edge and server."""
    opened = retransmitted = 0
    for namespace in (names.CLIENT, names.EDGE, variants.CLUSTER.namespace):
        with netns.inside(namespace), open("/proc/thread-self/net/snmp", encoding="ascii") as file:
            keys, values = (line.split()[1:] for line in file if line.startswith("Tcp:"))
        tcp = dict(zip(keys, map(int, values)))
        retransmitted += tcp["RetransSegs"]
        if namespace == names.CLIENT:
            opened = tcp["ActiveOpens"]
    return opened, retransmitted


def run(run_dir: str, build: str, json_path: str, readme: str) -> int:
    """Measures, prints the table, writes the figures to `json_path` and, if named, the table into `readme`."""
    begin = time.monotonic()
    load_core = int(names.other_cores().split(",", maxsplit=1)[0])
    os.sched_setaffinity(0, {load_core})
    bench = Run(Place(run_dir, build, names.worker_core(), load_core), Programs(run_dir))
    try:
        bench.set_up()
        cells = bench.measure()
    except VoidError as error:
        print(f"bench: the run is void: {error}", file=sys.stderr)
        return 1
    finally:
        bench.tear_down()
    table = report.markdown(cells, bench.slices)
    print(report.checks(bench.slices), table, sep="\n\n")
    report.write_json(json_path, "veth", cells)
    print(f"\nAll figures are in {json_path}; it took {time.monotonic() - begin:.0f} s.")
    if readme:
        report.put_into(readme, "veth", table)
        print(f"The table stands in {readme}.")
    return 0
