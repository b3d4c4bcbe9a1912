"""All applications of a cluster move to its successor, by the command line and under load: the new cluster is added
staged, compared, probed, activated, takes 1, 10, 50, 100 %, and the old one is drained and removed. No client sees an
error, and what comes is what was planned."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
import time
from collections import Counter
from typing import Iterator

import demo_network
import traffic
from demonet import apis, balancer, names, routers
from demonet.client import fetch
from demonet.supervisor import ProgramError, await_true
from rig import Rig, merged
from scale import scale
from test_command_line import DONE, FAILED, answer, pointsman

OSE3 = names.SPARE_CLUSTER
APP = "app1.ch"
ONLY1 = "only1.ch"
SHARED = names.PASSTHROUGH  # half of it on ose2
FORGOTTEN = names.FORGOTTEN.replace("*", "any")
STEPS = (1, 10, 50, 100)
POINTS = 0.5  # between the planned and the real share, in percent
ROLLBACK_SECONDS = 1.0
SETTLE_SECONDS = 20.0


def cluster_of(router: str) -> str:
    """The cluster of a router host's address."""
    return names.cluster_of(router).name


def planned(rig: Rig, host: str) -> dict[str, float]:
    """cluster -> planned share in percent"""
    clusters = answer(rig, "route", "show", host)["route"]["clusters"]
    return {one["cluster"]: one["planned_share"] for one in clusters}


def is_good(rig: Rig, *words: str) -> bool:
    """Does the command end well?"""
    return rig.run(names.EDGE, f"{rig.build}/control/cli/pointsman", *words, check=False).returncode == DONE


def close_later(held: traffic.Held, seconds: float) -> None:
    """Ends a connection while a command waits for that."""
    timer = threading.Timer(seconds, held.close)
    timer.daemon = True
    timer.start()


@contextlib.contextmanager
def loads(*hosts: str) -> Iterator[None]:
    """New connections for these names for the length of a block, none of which may fail."""
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(traffic.Load(host, threads=2, rate=50, seed=number))
                   for number, host in enumerate(hosts)]
        yield
    for load in running:
        assert load.result.requests and not load.result.errors, (load.name, load.result)


def begin(rig: Rig) -> None:
    """The demo as it stands after `scripts/demo`: two clusters known by their APIs, a third one spare."""
    def stop_all(*services: str) -> None:
        for service in services:
            with contextlib.suppress(ProgramError):  # it was not started yet
                rig.programs.stop(service, signal.SIGKILL)
    services = apis.prepare(rig.run_dir)
    for service in services:
        rig.programs.add(service)
    rig.defer(stop_all, *(service.name for service in services))
    apis.await_answering(rig.run_dir)
    rig.defer(stop_all, *(f"{what}-{OSE3.name}" for what in ("api", "app", "bytes")),
              *map(routers.router_name, OSE3.hosts))
    demo_network.add_spare(rig.run_dir)
    rig.start(merged(rig.default_config(), {
        "clusters": [balancer.watched_cluster(rig.run_dir, cluster) for cluster in names.CLUSTERS]}), fresh=True)


def add_staged(rig: Rig) -> None:
    """The new cluster is told to pointsman by its API; nothing changes for clients."""
    watch = balancer.watched_cluster(rig.run_dir, OSE3)["watch"]
    words = ["cluster", "add", "ose3", "--api", watch["server"], "--token-file", watch["token_file"], "--ca",
             watch["ca_file"], "--state", "staged", "--wait"]
    assert "nothing was done" in pointsman(rig, *words, "--plan")
    pointsman(rig, *words)
    await_true(lambda: is_good(rig, "cluster", "check", "ose3"), SETTLE_SECONDS, "ose3 is good")


def compare_and_probe(rig: Rig) -> None:
    """The comparison finds what was forgotten; when it is mended, every router host answers for the name."""
    different = pointsman(rig, "diff", "ose1", "ose3", status=FAILED)
    missing = re.search(rf"^red +{re.escape(names.FORGOTTEN)} +missing", different, re.M)
    assert missing and " 1 red" in different, different
    api = apis.standin(rig.run_dir, OSE3)
    with contextlib.closing(api):
        api.create(apis.route(names.FORGOTTEN))
    await_true(lambda: is_good(rig, "diff", "ose1", "ose3"), SETTLE_SECONDS, "nothing is missing on ose3")
    assert pointsman(rig, "probe", "ose3", APP).count(" 200 ") == len(OSE3.hosts)


def real_shares(count: int, seed: int) -> dict[str, float]:
    """cluster -> its percentage of `count` new connections to the application, none of which may fail."""
    seen = traffic.Load(APP, count=count, seed=seed).run()
    assert seen.requests == count and not seen.errors, seen
    sums: Counter[str] = Counter()
    for router, connections in seen.routers.items():
        sums[cluster_of(router)] += connections
    return {cluster: 100 * connections / count for cluster, connections in sums.items()}


def shift(rig: Rig, percent: int) -> None:
    """One step, planned, done and measured. While it is measured nobody else takes turns at the name's clusters."""
    words = ["shift", APP, "--to", "ose3", "--percent", str(percent)]
    with loads(APP):
        plan = pointsman(rig, *words, "--plan")
        assert f"ose3 {percent}%" in plan and "nothing was done" in plan, plan
        pointsman(rig, *words, "--reason", "CHG1", "--wait")
    shares = planned(rig, APP)
    assert shares["ose3"] == percent, shares
    seen = real_shares(scale("shifted_connections"), percent)
    assert all(abs(seen.get(cluster, 0) - share) <= POINTS for cluster, share in shares.items()), (shares, seen)
    print(f"planned {shares}, seen {seen}")


def roll_back(rig: Rig) -> None:
    """The command and the first connections after it, in less than a second; then all forward again."""
    before = planned(rig, APP)
    with loads(APP):
        begun = time.monotonic()
        pointsman(rig, "rollback", APP)
        reached = Counter(fetch(APP).field("cluster") for _ in range(20))
        seconds = time.monotonic() - begun
    assert before["ose3"] == 100 and planned(rig, APP)["ose3"] == 50, before
    assert seconds < ROLLBACK_SECONDS and 9 <= reached["ose3"] <= 11, (seconds, reached)
    print(f"rolled back, 20 connections later it was {seconds:.2f} s")
    pointsman(rig, "shift", APP, "--to", "ose3", "--percent", "100", "--wait")


def move_the_rest(rig: Rig) -> None:
    """Everything else that both have, with one command: all of it, and where ose2 has a share what ose1 has."""
    words = ["shift", "--all", "--from", "ose1", "--to", "ose3", "--percent", "100"]
    assert "cluster ose1 has only 50 % to give" in pointsman(rig, *words, "--plan", status=FAILED)
    pointsman(rig, *words, "--force", "--wait")
    assert planned(rig, SHARED) == {"ose1": 0, "ose2": 50, "ose3": 50}
    assert fetch(FORGOTTEN).field("cluster") == fetch(ONLY1).field("cluster") == "ose3"


def remove_old(rig: Rig, held: traffic.Held) -> None:
    """A connection from before the move is waited for; then the old cluster goes, and its name with it."""
    assert held.ask().field("cluster") == "ose1", "what was joined stays joined"
    close_later(held, 2)
    drained = pointsman(rig, "cluster", "drain", "ose1", "--timeout", "60s", "--wait")
    assert re.search(rf"left, oldest \d+s, closed in \w+: .*{re.escape(ONLY1)} \d", drained), drained
    assert "ose1: 0 connections left" in drained, drained
    assert "nothing was done" in pointsman(rig, "cluster", "remove", "ose1", "--plan")
    pointsman(rig, "cluster", "remove", "ose1")


def test_a_cluster_is_replaced(rig: Rig) -> None:
    """See above; each step is one of the functions before."""
    begin(rig)
    before = planned(rig, APP)
    pointsman(rig, "revision", "save", "before-ose3")
    held = traffic.Held(ONLY1)
    rig.defer(held.close)
    with loads(ONLY1, FORGOTTEN, "only2.ch"):
        with loads(APP):
            add_staged(rig)
            assert planned(rig, APP) == before | {"ose3": 0}
            compare_and_probe(rig)
            pointsman(rig, "cluster", "activate", "ose3", "--wait")
            assert planned(rig, APP) == before | {"ose3": 0}, "activation moves no share"
        for percent in STEPS:
            shift(rig, percent)
        roll_back(rig)
        move_the_rest(rig)
        remove_old(rig, held)
    assert "CHG1" in pointsman(rig, "events", "--route", APP)
    assert [one["name"] for one in answer(rig, "clusters")["clusters"]] == ["ose2", "ose3"]
    assert fetch(ONLY1).field("cluster") == "ose3" and fetch("only2.ch").field("cluster") == "ose2"
