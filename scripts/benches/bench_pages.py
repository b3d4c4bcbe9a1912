"""pages: what a hundred open web pages and a scrape of /metrics every second cost control, and whether the dataplane
notices them.

Slices of a few seconds with the pages and without them, in the order A B B A A B ..., under the same steady load:
requests at a fixed rate on kept-alive connections, so that the worker has the same to do in both. What the worker takes
for a packet are its own counters: the ticks of the loops that had work, by the packets received in that time.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import statistics
import sys
import textwrap
import time
from dataclasses import dataclass, field
from typing import Callable

from demonet import balancer, names, network
from demonet.balancer import CONTROL, DATAPLANE
from demonet.supervisor import Programs, await_true

from . import machine, pages, report, servers, variants
from .bench_control import Balancer

PAGES = 100
SLICES = 10  # with the pages, and as many without; even, so that neither is always first
SLICE_SECONDS = 5
SETTLE_SECONDS = 1.5  # after that all pages are open: their first messages are sent
CONNECTIONS = 20
RATE = 2_000  # requests per second
RATE_TOLERANCE = 0.05
OTHERS_TOLERANCE = 0.05
START_SECONDS = 30
RECEIVED = ("rx_", "answered_", "drop_")  # every packet received is counted under one of them


class VoidError(Exception):
    """What was measured is not what was meant."""


@dataclass(frozen=True)
class Moment:
    """What was counted until then."""

    at: float
    cpu: float
    packets: int
    ticks: int
    loops: int
    others: float
    load: pages.Counts
    seen: pages.Counts  # by the pages; {} without


@dataclass(frozen=True)
class Slice:
    """What one slice says, per second where it is not a size."""

    pages: int
    cpu: float  # control's, seconds
    memory: float  # control's, MB
    packets: float
    ticks: float  # of a packet
    burst: float  # packets in a loop of the worker
    requests: float
    sent: float  # bytes to all pages
    scraped: float  # bytes of one scrape
    others: float  # share of a core

    def disturbed(self) -> bool:
        """Did other programs take time?"""
        return self.others > OTHERS_TOLERANCE

    def line(self) -> str:
        """While the bench runs."""
        return (f"{self.pages:3} pages  control {self.cpu:6.2%} of a core, {self.memory:5.1f} MB  "
                f"{self.packets:7,.0f} packets/s  {self.ticks:6.0f} ticks/packet, {self.burst:4.1f} packets/loop  "
                f"others {self.others:4.0%}{'  disturbed' if self.disturbed() else ''}")


@dataclass
class Side:
    """All slices with or without the pages."""

    slices: list[Slice] = field(default_factory=list)

    @property
    def counted(self) -> list[Slice]:
        """The undisturbed ones; all of them where these are not at least half."""
        quiet = [one for one in self.slices if not one.disturbed()]
        return quiet if 2 * len(quiet) >= len(self.slices) else self.slices

    def median(self, of: Callable[[Slice], float]) -> float:
        """The median of a figure."""
        return statistics.median(of(one) for one in self.counted)

    def spread(self, of: Callable[[Slice], float]) -> float:
        """Half the distance from the least to the most."""
        values = [of(one) for one in self.counted]
        return (max(values) - min(values)) / 2


def _packets(counters: dict[str, int]) -> int:
    return sum(value for name, value in counters.items() if name.startswith(RECEIVED))


@dataclass
class Run:
    """One run of the bench."""

    run_dir: str
    build: str
    programs: Programs
    balancer: Balancer = field(default_factory=Balancer)
    without: Side = field(default_factory=Side)
    with_pages: Side = field(default_factory=Side)

    def set_up(self) -> None:
        """The network, the servers and pointsman with the demo's configuration."""
        for other in glob.glob("/run/pointsman-*/supervisor.sock"):
            Programs(os.path.dirname(other)).end()  # it would start its programs again in our namespaces
        network.up()
        self.programs.launch()
        core = int(names.other_cores().split(",", maxsplit=1)[0])
        os.sched_setaffinity(0, {core})
        for service in servers.prepare(self.run_dir, core):
            self.programs.add(service)
        config = balancer.configuration(self.run_dir, self.build)
        for service in balancer.services(self.build, balancer.write_configuration(self.run_dir, config)):
            self.programs.add(service)
        balancer.await_serving(START_SECONDS)
        await_true(lambda: all(host["healthy"] for host in self.balancer.get("/api/v1/hosts")["hosts"]), START_SECONDS,
                   "all router hosts are healthy")
        machine.prefer_worker(self._pid(DATAPLANE))

    def tear_down(self) -> None:
        """Ends all programs and removes the network."""
        self.programs.end()
        network.down()

    def _pid(self, name: str) -> int:
        pid = self.programs.pid(name)
        if not pid:
            raise VoidError(f"{name} does not run\n{balancer.log_tail(self.run_dir, name)}")
        return pid

    def measure(self) -> None:
        """All slices."""
        pids = self._pid(CONTROL), self._pid(DATAPLANE)
        with pages.steady(variants.HOST, CONNECTIONS, RATE) as load:
            for number in range(SLICES):
                for count in (0, PAGES) if number % 2 == 0 else (PAGES, 0):
                    one = self._slice(load, count)
                    (self.with_pages if count else self.without).slices.append(one)
                    print(one.line(), flush=True)
        if (self._pid(CONTROL), self._pid(DATAPLANE)) != pids:
            raise VoidError("a program of pointsman has ended while it was measured")

    def _slice(self, load: pages.Client, count: int) -> Slice:
        with contextlib.ExitStack() as stack:
            opened = stack.enter_context(pages.pages(count)) if count else None
            time.sleep(SETTLE_SECONDS)
            before = self._moment(load, opened)
            time.sleep(SLICE_SECONDS)
            after = self._moment(load, opened)
            memory = machine.memory_mb(self._pid(CONTROL))
        return self._of(count, before, after, memory)

    def _moment(self, load: pages.Client, opened: pages.Client | None) -> Moment:
        counters = self.balancer.get("/api/v1/status")["counters"]
        return Moment(time.monotonic(), machine.cpu_seconds(self._pid(CONTROL)), _packets(counters),
                      counters["busy_ticks"], counters["loops_busy"],
                      machine.seconds_of_others({os.getpid(), *network.processes()}), load.counts(),
                      opened.counts() if opened else {})

    @staticmethod
    def _of(count: int, before: Moment, after: Moment, memory: float) -> Slice:
        seconds = after.at - before.at
        load = {name: after.load[name] - before.load[name] for name in after.load}
        seen = {name: after.seen[name] - before.seen[name] for name in after.seen}
        packets = after.packets - before.packets
        requests = load["answers"] / seconds
        if abs(requests / RATE - 1) > RATE_TOLERANCE:
            raise VoidError(f"{requests:.0f} requests per second were answered where {RATE} were to be")
        if count and not count * (SLICE_SECONDS - 1) <= seen["ticks"] <= count * (SLICE_SECONDS + 2):
            raise VoidError(f"{count} pages got {seen['ticks']} messages in {seconds:.1f} s")
        return Slice(
            count, (after.cpu - before.cpu) / seconds, memory, packets / seconds,
            (after.ticks - before.ticks) / packets, packets / (after.loops - before.loops), requests,
            seen.get("bytes", 0) / seconds, seen["scraped_bytes"] / max(1, seen["scrapes"]) if seen else 0.0,
            (after.others - before.others) / seconds)


FIGURES: tuple[tuple[str, str, str, Callable[[Slice], float], Callable[[float], str]], ...] = (
    ("control_cpu", "control's CPU", "s/s", lambda one: one.cpu, lambda value: f"{value:.4f}"),
    ("control_memory", "control's memory", "MB", lambda one: one.memory, lambda value: f"{value:.1f}"),
    ("sent", "sent to pages", "bytes/s", lambda one: one.sent, lambda value: f"{value:,.0f}"),
    ("scrape", "one scrape", "bytes", lambda one: one.scraped, lambda value: f"{value:,.0f}"),
    ("requests", "load", "requests/s", lambda one: one.requests, lambda value: f"{value:,.0f}"),
    ("packets", "packets of the worker", "1/s", lambda one: one.packets, lambda value: f"{value:,.0f}"),
    ("burst", "packets per busy loop", "", lambda one: one.burst, lambda value: f"{value:.2f}"),
    ("ticks", "TSC ticks per packet", "", lambda one: one.ticks, lambda value: f"{value:.0f}"),
)


def _change(bench: Run) -> tuple[float, float, float]:
    """How the ticks of a packet change with the pages, as a share: quartiles over the pairs of neighbouring slices,
    which meet the machine in the same mood."""
    pairs = zip(bench.without.slices, bench.with_pages.slices)
    first, middle, third = statistics.quantiles([b.ticks / a.ticks - 1 for a, b in pairs], n=4)
    return first, middle, third


def _verdict(bench: Run) -> str:
    """Is what the worker takes for a packet the same?"""
    first, middle, third = _change(bench)
    word = ("within the noise" if first <= 0 <= third else "more than without them" if middle > 0 else
            "less than without them")
    return (f"Ticks per packet with the pages, by pairs of neighbouring slices: {middle:+.1%}, the middle half from "
            f"{first:+.1%} to {third:+.1%}: {word}.")


def markdown(bench: Run) -> str:
    """The table and its notes, without an empty line in it."""
    lines = [f"| figure | without | ± | with {PAGES} pages and a scrape per second | ± |",
             "| --- | ---: | ---: | ---: | ---: |"]
    for _, what, unit, of, show in FIGURES:
        cells = [f"{show(side.median(of))} | {show(side.spread(of))}" for side in (bench.without, bench.with_pages)]
        lines.append(f"| {what}{f', {unit}' if unit else ''} | {' | '.join(cells)} |")
    every = bench.without.slices + bench.with_pages.slices
    for note in (
            f"Medians of {SLICES} interleaved slices of {SLICE_SECONDS} s each; ± is half of least to most. "
            f"{sum(one.disturbed() for one in every)} of {len(every)} slices were disturbed by other programs (up to "
            f"{max(one.others for one in every):.0%} of a core); they are left out where at least half of a side were "
            f"not. {_verdict(bench)}",
            f"Pages are WebSockets of one process beside control; 2 clusters, 4 router hosts. Load: {RATE:,} requests "
            f"per second on {CONNECTIONS} kept-alive connections. The worker has real-time priority and sleeps when "
            "idle, so bursts are short, and on veth sending is the kernel's whole way to the receiver: a packet is far "
            f"dearer here than on a NIC. {machine.describe()}."):
        lines += textwrap.wrap(note, report.LINE, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines)


def write_json(path: str, bench: Run) -> None:
    """Adds a line per figure; those with the pages refer to those without."""
    with open(path, "a", encoding="utf-8") as file:
        for metric, _, unit, of, _ in FIGURES:
            base = bench.without.median(of)
            for name, side in (("without", bench.without), (f"pages_{PAGES}", bench.with_pages)):
                for suffix, value in (("", side.median(of)), (".spread", side.spread(of))):
                    compared = side is bench.with_pages and not suffix and base > 0
                    file.write(json.dumps({
                        "bench": "pages", "metric": f"{name}.{metric}{suffix}", "value": round(value, 4), "unit": unit,
                        "reference": "without" if compared else None,
                        "ratio": round(value / base, 4) if compared else None}) + "\n")
        for name, share in zip(("quartile_1", "median", "quartile_3"), _change(bench)):
            file.write(json.dumps({"bench": "pages", "metric": f"pages_{PAGES}.ticks_change.{name}",
                                   "value": round(share, 4), "unit": "share", "reference": "without",
                                   "ratio": round(1 + share, 4)}) + "\n")


def run(run_dir: str, build: str, json_path: str, readme: str) -> int:
    """Measures, prints the table, writes the figures to `json_path` and, if named, the table into `readme`."""
    begin = time.monotonic()
    bench = Run(run_dir, build, Programs(run_dir))
    try:
        bench.set_up()
        bench.measure()
    except VoidError as error:
        print(f"bench: the run is void: {error}", file=sys.stderr)
        return 1
    finally:
        bench.tear_down()
    table = markdown(bench)
    print(table)
    write_json(json_path, bench)
    print(f"\nAll figures are in {json_path}; it took {time.monotonic() - begin:.0f} s.")
    if readme:
        report.put_into(readme, "pages", table)
        print(f"The table stands in {readme}.")
    return 0
