"""control: what many Routes cost. Three clusters with 10,000 and then with 100,000 Routes each, no name twice.

Each cluster is a stand-in API server with TLS and a token; control and dataplane are the real ones. The worker has
real-time priority: what it is held up by is then its own work, not another program on its core. Measured from outside,
with the counters of GET /api/v1/status: a worker counts the Routes that it applies, and each change is one. Changes are
made in one cluster at a time, whose events come in their order, so that the n-th applied is the n-th made.
"""

from __future__ import annotations

import glob
import http.client
import json
import os
import shutil
import signal
import statistics
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field, replace

from demonet import apis, balancer, certificates, names, netns, network
from demonet.balancer import CONTROL, DATAPLANE
from demonet.names import Cluster
from demonet.supervisor import ProgramError, Programs, Service, await_true

from . import machine, report, servers

SIZES = (10_000, 100_000)  # Routes of each cluster
SPARE = 1_000  # room in the dataplane beyond them
NAMESPACES = 100
CHANGES_PER_SECOND = 100
CHANGES = 1_000  # in each cluster
LOOK_SECONDS = 0.002
PATIENCE = 300.0
SAVED_SECONDS = 10.0  # after that control has saved what it knows of its clusters
# Pages of routes as the web page asks for them: a part of a name, the busiest, from the middle; each so many times.
PAGES = ("search=r7777.&limit=50", "sort=active&limit=50", "limit=50&offset=5000")
PAGES_EACH = 20
# The third one answers from the namespace of the second, whose server is there already.
CLUSTERS = (*names.CLUSTERS, replace(names.SPARE_CLUSTER, namespace=names.OSE2))


class VoidError(Exception):
    """What was measured is not what was meant."""


@dataclass
class Figures:
    """What one size costs."""

    routes: int  # of each cluster
    table_mb: float = 0.0  # of one worker
    first_seconds: float = 0.0  # from control's start until the workers have everything
    first_cpu: float = 0.0  # seconds, of control
    control_mb: float = 0.0
    control_peak_mb: float = 0.0
    latencies: list[float] = field(default_factory=list)  # seconds
    page_ms: float = 0.0  # the slowest of PAGES, by its median
    changes_cpu: float = 0.0  # of one core, control's
    again_seconds: float = 0.0  # as first_seconds, after kill -9, from what control has saved
    held_up: list[float] = field(default_factory=list)  # us, until after: first table, changes, table again

    def latency_ms(self, share: float) -> float:
        """A quantile of the time from a change to its effect."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3


class Balancer:
    """What pointsman says of itself, asked over one connection."""

    def __init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", names.ADMIN_PORT, timeout=30)

    def get(self, path: str) -> dict:
        """One answer; OSError if there is none."""
        kept = self._connection.sock is not None
        try:
            return self._ask(path)
        except OSError:
            if not kept:
                raise
            return self._ask(path)  # control has closed it meanwhile

    def _ask(self, path: str) -> dict:
        try:
            if self._connection.sock is None:
                with netns.inside(names.EDGE):
                    self._connection.connect()
            self._connection.request("GET", path)
            return json.loads(self._connection.getresponse().read())
        except (http.client.HTTPException, ValueError, OSError) as error:
            self._connection.close()
            raise OSError(str(error)) from error

    def applied(self) -> int:
        """Routes and hosts that every worker has applied since it was started."""
        return min(worker["counters"]["message_applied"] for worker in self.get("/api/v1/status")["workers"])

    def held_up_us(self) -> float:
        """The longest time that messages have held up a loop of a worker since it was started."""
        status = self.get("/api/v1/status")
        return status["counters"]["message_ticks_max"] / status["dataplane"]["tsc_hz"] * 1e6

    def complete(self, routes: int) -> bool:
        """Do all workers have this many Routes of each cluster?"""
        status = self.get("/api/v1/status")
        if status["dataplane"]["state"] != "ready" or status["applied_revision"] != status["control"]["revision"]:
            return False
        clusters = self.get("/api/v1/clusters")["clusters"]
        return (all(cluster["routes"] == routes for cluster in clusters) and
                self.get("/api/v1/status")["applied_revision"] == status["control"]["revision"])


class Watcher(threading.Thread):
    """Looks again and again how much the workers have applied, for the length of a `with` block."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[float, int]] = []  # when more was seen than before, and how much
        self._balancer = Balancer()
        self._ending = False

    def run(self) -> None:
        """The thread."""
        while not self._ending:
            applied = self._balancer.applied()
            if not self.seen or applied != self.seen[-1][1]:
                self.seen.append((time.monotonic(), applied))
            time.sleep(LOOK_SECONDS)

    def count(self) -> int:
        """What was seen last."""
        if not self.is_alive():
            raise ProgramError("control does not answer any more")
        return self.seen[-1][1]

    def __enter__(self) -> Watcher:
        self.start()
        await_true(lambda: self.seen, PATIENCE, "the workers' counters are known", LOOK_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        self.join()


def _api(cluster: Cluster) -> str:
    return f"api-{cluster.name}"


@dataclass
class Run:
    """One run of the bench."""

    run_dir: str
    build: str
    programs: Programs
    balancer: Balancer = field(default_factory=Balancer)

    def set_up(self) -> None:
        """The network and the router hosts."""
        for other in glob.glob("/run/pointsman-*/supervisor.sock"):
            Programs(os.path.dirname(other)).end()  # it would start its programs again in our namespaces
        network.up()
        third = CLUSTERS[-1]
        for address in (*third.hosts, third.api):
            network.run("ip", "-n", third.namespace, "addr", "add", f"{address}/24", "dev", "eth0")
        self.programs.launch()
        certificates.make_authority(f"{self.run_dir}/certs")
        for service in servers.prepare(self.run_dir, int(names.other_cores().split(",", maxsplit=1)[0])):
            self.programs.add(service)

    def tear_down(self) -> None:
        """Ends all programs and removes the network."""
        self.programs.end()
        network.down()

    def measure(self, size: int) -> Figures:
        """Everything for one size."""
        figures = Figures(size)
        self._start_apis(size)
        self._table(figures)
        self._first(figures)
        self._pages(figures)
        self._changes(figures)
        self._again(figures)
        for name in (CONTROL, DATAPLANE, *map(_api, CLUSTERS)):
            self.programs.stop(name, patience=30)
        return figures

    def _start_apis(self, size: int) -> None:
        for cluster in CLUSTERS:
            self.programs.add(apis.service(self.run_dir, cluster, {"pods": apis.pods(cluster)}))
            api = apis.standin(self.run_dir, cluster)
            await_true(api.state, PATIENCE, f"the API server of {cluster.name} answers")
            api.act("load", count=size, namespaces=NAMESPACES, domain=f"{cluster.name}.bulk.test")
            api.close()

    def _services(self, routes: int) -> list[Service]:
        """pointsman with room for so many Routes, and no memory of earlier ones."""
        config = balancer.configuration(self.run_dir, self.build)
        config["clusters"] = [balancer.watched_cluster(self.run_dir, cluster) for cluster in CLUSTERS]
        config["limits"] = {"routes": routes, "pairs": routes}
        config["admin"]["requests_per_second"] = 100_000  # the bench looks far more often than a person would
        shutil.rmtree(config["paths"]["state"], ignore_errors=True)
        return balancer.services(self.build, balancer.write_configuration(self.run_dir, config))

    def _pid(self, name: str) -> int:
        pid = self.programs.pid(name)
        if not pid:
            raise ProgramError(f"{name} does not run\n{balancer.log_tail(self.run_dir, name)}")
        return pid

    def _start_dataplane(self, routes: int) -> float:
        """Its memory without hugepages, in MB."""
        self.programs.add(self._services(routes)[0])
        await_true(lambda: os.path.exists(f"{self.run_dir}/pointsman/dataplane.run"), PATIENCE, "the dataplane runs")
        return machine.memory_mb(self._pid(DATAPLANE))

    def _table(self, figures: Figures) -> None:
        """The dataplane takes all memory at its start; what it takes for Routes is the difference to one without. It
        has one worker."""
        empty = self._start_dataplane(1)
        self.programs.stop(DATAPLANE)
        figures.table_mb = self._start_dataplane(len(CLUSTERS) * figures.routes + SPARE) - empty
        machine.prefer_worker(self._pid(DATAPLANE))

    def _start_control(self, figures: Figures) -> float:
        """Seconds until the workers have everything."""
        begin = time.monotonic()
        self.programs.add(self._services(len(CLUSTERS) * figures.routes + SPARE)[1])
        await_true(lambda: self.balancer.complete(figures.routes), PATIENCE, "the workers have every Route", 0.02)
        return time.monotonic() - begin

    def _first(self, figures: Figures) -> None:
        figures.first_seconds = self._start_control(figures)
        pid = self._pid(CONTROL)
        figures.first_cpu = machine.cpu_seconds(pid)
        figures.held_up.append(self.balancer.held_up_us())
        figures.control_mb = machine.memory_mb(pid)

    def _pages(self, figures: Figures) -> None:
        """Pages of routes, one after the other."""
        for query in PAGES:
            times = []
            for _ in range(PAGES_EACH):
                begin = time.monotonic()
                answer = self.balancer.get(f"/api/v1/routes?{query}")
                times.append((time.monotonic() - begin) * 1e3)
                if not answer["routes"]:
                    raise VoidError(f"no route was found by {query}")
            figures.page_ms = max(figures.page_ms, statistics.median(times))

    def _changes(self, figures: Figures) -> None:
        """Weights at a fixed rate, each of another Route."""
        made: list[float] = []
        pid = self._pid(CONTROL)
        with Watcher() as watcher:
            before, cpu, begin = watcher.count(), machine.cpu_seconds(pid), time.monotonic()
            for cluster in CLUSTERS:
                made += _change(apis.standin(self.run_dir, cluster), figures.routes)
                await_true(lambda: watcher.count() >= before + len(made), PATIENCE, "the changes are applied")
            figures.changes_cpu = (machine.cpu_seconds(pid) - cpu) / (time.monotonic() - begin)
        if watcher.seen[-1][1] != before + len(made):
            raise VoidError(f"{len(made)} changes were made, the workers applied {watcher.seen[-1][1] - before}: "
                            "something else changed meanwhile")
        seen = iter(watcher.seen)
        when, applied = next(seen)
        for number, moment in enumerate(made, 1):
            while applied < before + number:
                when, applied = next(seen)
            figures.latencies.append(when - moment)
        figures.held_up.append(self.balancer.held_up_us())
        figures.control_peak_mb = machine.memory_mb(pid, "VmHWM")

    def _again(self, figures: Figures) -> None:
        """Control is killed and starts with what it has saved: a full table while the worker has one."""
        time.sleep(SAVED_SECONDS)
        self.programs.stop(CONTROL, signal.SIGKILL)
        begin = time.monotonic()
        self.programs.start(CONTROL)
        await_true(lambda: self.balancer.complete(figures.routes), PATIENCE, "the workers have every Route again", 0.02)
        figures.again_seconds = time.monotonic() - begin
        figures.held_up.append(self.balancer.held_up_us())


def _change(api: apis.client.Standin, routes: int) -> list[float]:
    """Changes the weights of CHANGES Routes, evenly spread in time and over the Routes; returns when each was asked."""
    made = []
    begin = time.monotonic()
    for number in range(CHANGES):
        time.sleep(max(0.0, begin + number / CHANGES_PER_SECOND - time.monotonic()))
        made.append(time.monotonic())
        which = number * (routes // CHANGES)
        api.weigh(f"r{which}", 50, f"bulk-{which % NAMESPACES}")
    api.close()
    return made


def _line(figures: Figures) -> str:
    first, changes, again = figures.held_up
    return (f"| 3 x {figures.routes:,} | {figures.first_seconds:.1f} | {figures.first_cpu:.1f} | "
            f"{figures.control_mb:.0f} | {figures.control_peak_mb:.0f} | {figures.table_mb:.0f} | "
            f"{figures.page_ms:.0f} | {figures.latency_ms(0.5):.1f} | {figures.latency_ms(0.99):.1f} | "
            f"{figures.again_seconds:.1f} | {first:.0f} / {changes:.0f} / {again:.0f} |")


def markdown(all_of_them: list[Figures]) -> str:
    """The table and its notes, without an empty line in it."""
    lines = ["| Routes | first table s | of it control's CPU s | control MB | peak MB | table of a worker MB | "
             "page of routes ms | change p50 ms | p99 ms | table again s | worker held up µs |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    lines += [_line(figures) for figures in all_of_them]
    for note in (
            "first table: from the start of control without any state until every worker has every Route; the API "
            "servers, in Python, control and the bench share one core. table again: the same after kill -9, from what "
            "control has saved.",
            "page of routes: 50 of all of them by GET /api/v1/routes, by a part of the name, the busiest first, from "
            f"the middle: the slowest of these, median of {PAGES_EACH}.",
            f"change: {CHANGES_PER_SECOND} weights per second, {CHANGES * len(CLUSTERS):,} in all, each of another "
            f"Route: from the request to the API server until all workers have applied it, looked at every "
            f"{LOOK_SECONDS * 1e3:.0f} ms. Control had {max(one.changes_cpu for one in all_of_them):.0%} of its core.",
            "memory: VmRSS of control when the workers have the first table, its highest until after the changes, and "
            "the growth of the dataplane's VmRSS by limits.routes and limits.pairs, all taken at its start.",
            "worker held up: the longest time that messages of control kept a worker from packets, since its start: "
            f"until the first table was there / until after the changes / with the table again. {machine.describe()}."):
        lines += textwrap.wrap(note, report.LINE, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines)


def write_json(path: str, all_of_them: list[Figures]) -> None:
    """Adds a line per figure."""
    with open(path, "a", encoding="utf-8") as file:
        for one in all_of_them:
            first, changes, again = one.held_up
            for metric, value, unit in (
                    ("first_table", one.first_seconds, "s"), ("first_table_cpu", one.first_cpu, "s"),
                    ("control_memory", one.control_mb, "MB"), ("control_memory_peak", one.control_peak_mb, "MB"),
                    ("worker_table", one.table_mb, "MB"), ("page_of_routes", one.page_ms, "ms"),
                    ("change_median", one.latency_ms(0.5), "ms"), ("change_p99", one.latency_ms(0.99), "ms"),
                    ("changes_cpu", one.changes_cpu, "share of a core"),
                    ("table_again", one.again_seconds, "s"), ("held_up_first", first, "us"),
                    ("held_up_changes", changes, "us"), ("held_up_again", again, "us")):
                file.write(json.dumps({"bench": "control", "metric": f"routes_3x{one.routes}.{metric}",
                                       "value": round(value, 4), "unit": unit, "reference": None,
                                       "ratio": None}) + "\n")


def run(run_dir: str, build: str, json_path: str, readme: str) -> int:
    """Measures, prints the table, writes the figures to `json_path` and, if named, the table into `readme`."""
    begin = time.monotonic()
    bench = Run(run_dir, build, Programs(run_dir))
    measured = []
    try:
        bench.set_up()
        for size in SIZES:
            measured.append(bench.measure(size))
            print(_line(measured[-1]), flush=True)
    except VoidError as error:
        print(f"bench: the run is void: {error}", file=sys.stderr)
        return 1
    finally:
        bench.tear_down()
    table = markdown(measured)
    print(table)
    write_json(json_path, measured)
    print(f"\nAll figures are in {json_path}; it took {time.monotonic() - begin:.0f} s.")
    if readme:
        report.put_into(readme, "control", table)
        print(f"The table stands in {readme}.")
    return 0
