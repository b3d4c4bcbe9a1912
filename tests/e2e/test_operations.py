"""What operators do with router hosts, clusters and the state as a whole: drains, deadlines, the last host, staged
clusters, removals, revisions, backup and restore; and that none of it is lost to kill -9."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from collections import Counter
from typing import Any, Iterator

import traffic
from demonet import names
from demonet.balancer import CONTROL
from demonet.client import fetch
from demonet.supervisor import await_true
from rig import Rig
from watch import seconds_to_reset

OSE1, OSE2 = names.CLUSTERS
ONLY1 = "only1.ch"


def router(host: str) -> str:
    """The name of a router host in the API: router-11."""
    return f"router-{host.rsplit('.', 1)[1]}"


def host_path(host: str, operation: str = "") -> str:
    """Where an operation on a router host is asked for."""
    return f"/api/v1/hosts/{names.cluster_of(host).name}/{router(host)}{'/' if operation else ''}{operation}"


def do(rig: Rig, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    """A write that must be answered like this."""
    got, answer = rig.api(method, path, body)
    assert got == status, (method, path, got, answer)
    return answer


def applied(rig: Rig) -> bool:
    """Do the workers have what control has?"""
    status = rig.status()
    return status["dataplane"]["state"] == "ready" and status["applied_revision"] == status["control"]["revision"]


def await_applied(rig: Rig) -> None:
    """Waits for that."""
    await_true(lambda: applied(rig), 10, "the workers have the last revision")


def restart_control(rig: Rig, number: int = signal.SIGKILL) -> None:
    """Ends control, starts it again, and waits until it has told the workers everything."""
    rig.dirty = True
    rig.programs.stop(CONTROL, number)
    rig.programs.start(CONTROL)
    await_applied(rig)


def events(rig: Rig, kind: str) -> list[str]:
    """The texts of the journal's entries of one kind, newest first."""
    return [event["text"] for event in rig.get(f"/api/v1/events?kind={kind}")["events"]]


def route(rig: Rig, host: str) -> dict[str, dict]:
    """cluster -> what the API says of a host name there"""
    return {share["cluster"]: share for share in rig.get(f"/api/v1/routes/{host}")["route"]["clusters"]}


def weights(rig: Rig, host: str) -> dict[str, float]:
    """cluster -> weight"""
    return {cluster: share["weight"] for cluster, share in route(rig, host).items()}


def spread(host: str, count: int = 60) -> Counter[str]:
    """Which cluster how many new connections reach; what is not served counts as its status."""
    answers = [fetch(host) for _ in range(count)]
    return Counter(answer.field("cluster") or str(answer.status) for answer in answers)


@contextlib.contextmanager
def held_on(host: str, count: int = 3) -> Iterator[list[traffic.Held]]:
    """Kept-alive connections that a router host of ose1 has got."""
    with contextlib.ExitStack() as stack:
        found: list[traffic.Held] = []
        while len(found) < count:
            one = stack.enter_context(contextlib.closing(traffic.Held(ONLY1)))
            if one.router == host:
                found.append(one)
        yield found


def assert_out(host: str, count: int = 30) -> None:
    """No new connection reaches the router host."""
    reached = {fetch(ONLY1).field("router") for _ in range(count)}
    assert reached and host not in reached, reached


# --- router hosts ---

def test_drain_with_a_timeout_closes_what_is_left(rig: Rig) -> None:
    """New connections go elsewhere at once; at the deadline the old ones get RST, and the journal says so."""
    rig.start()
    leaving = OSE1.hosts[0]
    with held_on(leaving) as held:
        began = time.monotonic()
        answer = do(rig, "POST", f"{host_path(leaving, 'drain')}?reason=kernel", {"timeout": "3s"})
        assert answer["changed"] and answer["host"]["admin"] == "draining" and answer["active"] >= 3, answer
        assert_out(leaving)
        assert all(one.ask().status == 200 for one in held), "an old connection was harmed before the deadline"
        assert time.monotonic() - began < 3, "too slow to see anything before the deadline"
        for one in held:
            assert seconds_to_reset(one.sock) is not None, "a client was left waiting after the deadline"
        assert time.monotonic() - began >= 2.9, "closed before the deadline"
    await_true(lambda: events(rig, "host_drained"), 5, "the end of the drain is told")
    assert f"router host ose1/{router(leaving)} has" in events(rig, "host_drain_timeout")[0]
    assert "the last ones were closed" in events(rig, "host_drained")[0]
    shown = rig.hosts()[leaving]
    assert (shown["admin"], shown["elected"], shown["active"]) == ("draining", False, 0), shown
    assert shown["drain"]["reason"] == "kernel" and shown["drain"]["drained_at"], shown
    do(rig, "POST", host_path(leaving, "enable"), {})
    await_true(lambda: fetch(ONLY1).field("router") == leaving, 5, "it gets connections again")


def test_drain_without_a_timeout_waits(rig: Rig) -> None:
    """Over a kill -9 of control, too."""
    rig.start(fresh=True)
    leaving = OSE1.hosts[1]
    with held_on(leaving, 2) as held:
        do(rig, "POST", host_path(leaving, "drain"))
        assert_out(leaving)
        restart_control(rig)
        assert rig.hosts()[leaving]["admin"] == "draining"
        assert_out(leaving)
        assert all(one.ask().status == 200 for one in held)
        assert not events(rig, "host_drained"), events(rig, "host_drained")
    await_true(lambda: events(rig, "host_drained"), 10, "it is drained when its last client has gone")
    assert not events(rig, "host_drain_timeout")


def test_a_deadline_outlives_control(rig: Rig) -> None:
    """Control is dead when the deadline passes: what is left is closed when it is back."""
    rig.start()
    leaving = OSE1.hosts[0]
    with held_on(leaving, 1) as (held,):
        do(rig, "POST", host_path(leaving, "drain"), {"timeout": 2})
        rig.programs.stop(CONTROL, signal.SIGKILL)
        rig.dirty = True
        time.sleep(2.2)  # the deadline passes while nobody could tell
        assert held.ask().status == 200, "closed by nobody"
        rig.programs.start(CONTROL)
        assert seconds_to_reset(held.sock) is not None, "forgotten after the restart"


def test_disable_and_enable(rig: Rig) -> None:
    """Old connections stay, unless they are to be closed."""
    rig.start()
    host = OSE2.hosts[0]
    with held_on(OSE1.hosts[0], 2) as held:
        do(rig, "POST", host_path(OSE1.hosts[0], "disable"))
        assert_out(OSE1.hosts[0])
        assert all(one.ask().status == 200 for one in held)
        do(rig, "POST", host_path(OSE1.hosts[0], "disable"), {"close": True})
        for one in held:
            assert seconds_to_reset(one.sock) is not None, "not closed"
    again = do(rig, "POST", host_path(OSE1.hosts[0], "disable"), {"close": True})
    assert not again["changed"], again
    do(rig, "POST", host_path(OSE1.hosts[0], "enable"))
    planned = do(rig, "POST", f"{host_path(host, 'disable')}?dry_run=true")
    assert planned["changed"] and planned["dry_run"] and not planned["applied"], planned
    assert rig.hosts()[host]["admin"] == "enabled"


def test_the_last_router_host_is_kept(rig: Rig) -> None:
    rig.start()
    first, last = OSE1.hosts
    do(rig, "POST", host_path(first, "drain"))
    for operation in ("drain", "disable"):
        refused = do(rig, "POST", host_path(last, operation), {}, 409)
        assert "last router host of cluster ose1" in refused["detail"] and "force" in refused["detail"], refused
    assert fetch(ONLY1).status == 200
    do(rig, "POST", host_path(last, "drain"), {"force": True})
    await_true(lambda: fetch(ONLY1).status == 503, 5, "the route is out")
    do(rig, "POST", host_path(last, "enable"))
    await_true(lambda: fetch(ONLY1).status == 200, 5, "the route is back")


# --- clusters ---

def put_ose2(rig: Rig, name: str, routes: list[dict], state: str) -> None:
    """The hosts of ose2 as a new cluster of another name."""
    hosts = [{"name": router(host), "address": host} for host in OSE2.hosts]
    do(rig, "PUT", f"/api/v1/clusters/{name}",
       {"source": "static", "state": state, "hosts": hosts, "routes": routes}, 201)
    await_true(lambda: all(host["healthy"] for host in rig.get(f"/api/v1/hosts?cluster={name}")["hosts"]), 20,
               f"the router hosts of {name} are healthy")


def test_activation_moves_no_share(rig: Rig) -> None:
    """What other clusters serve stays where it is; what only the new one has is served."""
    rig.start()
    do(rig, "DELETE", "/api/v1/clusters/ose2?force=true")
    put_ose2(rig, "v2", [{"host": "app1.ch"}, {"host": ONLY1}, {"host": "only2.ch"}], "staged")
    await_applied(rig)
    assert fetch("only2.ch").status == 503, "a staged cluster serves"
    plan = do(rig, "POST", "/api/v1/clusters/v2/activate?dry_run=true")["plan"]
    assert [change["host"] for change in plan["changes"]] == ["only2.ch"] and plan["red"] == 0, plan
    with traffic.Load("app1.ch", rate=200, threads=2) as load:
        do(rig, "POST", "/api/v1/clusters/v2/activate")
        await_applied(rig)
        assert weights(rig, "app1.ch")["v2"] == 0 and weights(rig, ONLY1)["v2"] == 0
        assert spread("app1.ch") == {"ose1": 60}
    assert not load.result.errors and set(load.result.routers) <= set(OSE1.hosts), load.result
    assert fetch("only2.ch").field("cluster") == "ose2"
    restart_control(rig)
    assert spread("app1.ch", 30) == {"ose1": 30}, "parking was lost"
    do(rig, "PUT", "/api/v1/routes/app1.ch/clusters/v2/weight", {"weight": 100})
    await_true(lambda: fetch("app1.ch").field("cluster") == "ose2", 5, "a weight lets it serve")


def test_cluster_drained_taken_offline_and_back(rig: Rig) -> None:
    """drain: new connections elsewhere, old ones stay; offline with close: RST at once; enable undoes it."""
    rig.start()
    before = spread("app1.ch")
    assert set(before) == {"ose1", "ose2"}, before
    with held_on(OSE1.hosts[0], 2) as held:
        refused = do(rig, "POST", "/api/v1/clusters/ose1/drain?reason=end", {}, 409)
        assert refused["forceable"] and ONLY1 in refused["detail"], refused
        for state in ("staged", "draining", "offline"):  # the same rule, whichever way
            patched = do(rig, "PATCH", "/api/v1/clusters/ose1", {"state": state}, 409)
            assert patched["forceable"] and patched["detail"] == refused["detail"], patched
        planned = do(rig, "POST", "/api/v1/clusters/ose1/drain?dry_run=true", {})["plan"]
        assert planned["refused"] and planned["level"] == "red" and ONLY1 in planned["notes"][0], planned
        answer = do(rig, "POST", "/api/v1/clusters/ose1/drain?reason=end", {"force": True})
        red = {change["host"] for change in answer["plan"]["changes"] if change["level"] == "red"}
        assert red == set(OSE1.only), answer["plan"]
        assert answer["plan"]["active"] >= 2, answer["plan"]
        await_applied(rig)
        assert spread("app1.ch") == {"ose2": 60}
        assert all(one.ask().status == 200 for one in held)
        do(rig, "POST", "/api/v1/clusters/ose1/offline", {"close": True})
        for one in held:
            assert seconds_to_reset(one.sock) is not None, "not closed"
    await_true(lambda: events(rig, "cluster_drained"), 5, "the end is told")
    shown = rig.get("/api/v1/clusters/ose1/status")
    assert shown["state"] == "offline" and shown["active"] == 0, shown
    do(rig, "POST", "/api/v1/clusters/ose1/activate", {}, 409)
    refused = do(rig, "DELETE", "/api/v1/clusters/ose1", None, 409)
    assert refused["forceable"] and ONLY1 in refused["detail"], refused
    do(rig, "POST", "/api/v1/clusters/ose1/enable", {})
    await_applied(rig)
    assert set(spread("app1.ch")) == {"ose1", "ose2"}
    assert fetch(ONLY1).status == 200


def test_removal_is_refused_while_it_hurts(rig: Rig) -> None:
    rig.start()
    refused = do(rig, "DELETE", "/api/v1/clusters/ose2", None, 409)
    assert "only2.ch" in refused["detail"] and refused["forceable"], refused
    with contextlib.closing(traffic.Held("only2.ch")) as held:
        do(rig, "PUT", "/api/v1/routes/only2.ch/clusters/ose2/weight", {"weight": 0})
        refused = do(rig, "DELETE", "/api/v1/clusters/ose2", None, 409)
        assert "has 1 connection." in refused["detail"], refused
        assert held.ask().status == 200
    do(rig, "DELETE", "/api/v1/clusters/ose2?force=true")
    await_true(lambda: fetch("only2.ch").status == 404, 5, "its routes are gone")
    assert spread("app1.ch", 20) == {"ose1": 20}


def test_the_same_write_again_changes_nothing(rig: Rig) -> None:
    rig.start()
    spec = rig.get("/api/v1/clusters/ose1")
    revision = rig.status()["control"]["revision"]
    for method, path, body in (("PUT", "/api/v1/clusters/ose1", spec), ("PATCH", "/api/v1/clusters/ose1", {}),
                               ("POST", "/api/v1/clusters/ose1/enable", {}),
                               ("POST", host_path(OSE1.hosts[0], "enable"), {})):
        answer = do(rig, method, path, body)
        assert not answer["changed"] and answer["revision"] == revision, (path, answer)


def test_check_answers_with_fresh_results(rig: Rig) -> None:
    """Also for hosts that would not be checked for a while."""
    rig.start()
    before = {host["address"]: host["health"]["checked_at"] for host in rig.get("/api/v1/hosts?cluster=ose1")["hosts"]}
    rig.host_stop(OSE1.hosts[0])
    answer = do(rig, "POST", "/api/v1/clusters/ose1/check")
    assert (answer["name"], answer["healthy_hosts"]) == ("ose1", 1), answer
    hosts = rig.get("/api/v1/hosts?cluster=ose1")["hosts"]
    assert all(host["health"]["checked_at"] > before[host["address"]] for host in hosts), hosts
    down = next(host for host in hosts if host["address"] == OSE1.hosts[0])
    assert down["history"][0]["state"] == "down" and down["history"][1]["state"] == "up", down["history"]


# --- the state as a whole ---

def test_revision_saved_and_rolled_back(rig: Rig) -> None:
    """One call takes back all that was done since; every large change was kept by itself, too."""
    rig.start()
    before = weights(rig, "app1.ch")
    saved = do(rig, "POST", "/api/v1/revisions?reason=CHG7", {"name": "before-v2"}, 201)["id"]
    do(rig, "PUT", "/api/v1/routes/app1.ch/clusters/ose1/weight", {"weight": 0})
    do(rig, "POST", host_path(OSE1.hosts[0], "disable"))
    do(rig, "DELETE", "/api/v1/clusters/ose2?force=true")
    await_true(lambda: fetch("only2.ch").status == 404, 5, "ose2 is gone")
    shown = rig.get(f"/api/v1/revisions/{saved}")
    assert shown["name"] == "before-v2" and "cluster ose2 would be there again" in shown["differs"], shown["differs"]
    kept = rig.get("/api/v1/revisions")["revisions"]
    assert kept[0]["automatic"] and kept[0]["what"] == "before cluster ose2 was removed", kept
    planned = do(rig, "POST", f"/api/v1/revisions/{saved}/rollback?dry_run=true")
    assert len(planned["differs"]) == 3 and not state_has(rig, "ose2"), planned
    do(rig, "POST", f"/api/v1/revisions/{saved}/rollback")
    assert weights(rig, "app1.ch") == before
    assert rig.hosts()[OSE1.hosts[0]]["admin"] == "enabled"
    rig.await_ready()
    assert set(spread("app1.ch")) == {"ose1", "ose2"}
    restart_control(rig)
    assert weights(rig, "app1.ch") == before
    do(rig, "DELETE", f"/api/v1/revisions/{saved}")
    assert rig.api("GET", f"/api/v1/revisions/{saved}")[0] == 404


def state_has(rig: Rig, cluster: str) -> bool:
    """Is there such a cluster?"""
    return cluster in {one["name"] for one in rig.get("/api/v1/clusters")["clusters"]}


def test_backup_makes_an_empty_appliance_the_same(rig: Rig) -> None:
    """The same revision, the same routing; what is wrong with a document is named by its path."""
    rig.start()
    do(rig, "PUT", "/api/v1/routes/app1.ch/clusters/ose1/weight", {"weight": 0})
    do(rig, "POST", host_path(OSE2.hosts[0], "disable"))
    for weight in range(1, 8):
        do(rig, "PUT", "/api/v1/routes/secure.ch/clusters/ose2/weight", {"weight": weight})
    document = rig.get("/api/v1/export")
    routes = rig.get("/api/v1/routes")["routes"]
    rig.start({"clusters": []}, fresh=True, wait=False)
    await_true(lambda: rig.status()["dataplane"]["state"] == "ready", 20, "the empty appliance runs")
    assert not rig.get("/api/v1/clusters")["clusters"]
    broken = {**document, "state": {**document["state"], "clusters": [{"cluster": {"name": "x", "source": "y"}}]}}
    refused = do(rig, "POST", "/api/v1/import", broken, 400)
    assert any(error["path"] == "$.state.clusters[0].cluster.source" for error in refused["errors"]), refused
    assert do(rig, "POST", "/api/v1/import?dry_run=true", document)["changed"]
    answer = do(rig, "POST", "/api/v1/import", document)
    assert answer["revision"] == document["revision"] == rig.status()["control"]["revision"], answer
    assert [weight_lines(one) for one in rig.get("/api/v1/routes")["routes"]] == [weight_lines(one) for one in routes]
    await_true(lambda: all(host["healthy"] for host in rig.hosts().values()), 20, "all router hosts are healthy")
    await_applied(rig)
    assert spread("app1.ch") == {"ose2": 60}
    assert {fetch("only2.ch").field("router") for _ in range(20)} == {OSE2.hosts[1]}
    restart_control(rig)
    assert rig.status()["control"]["revision"] == document["revision"]


def test_backup_on_a_fresh_demo(rig: Rig) -> None:
    """The clusters of the configuration file are no hindrance while nobody has changed anything."""
    rig.start()
    for weight in range(1, 5):
        do(rig, "PUT", "/api/v1/routes/app1.ch/clusters/ose1/weight", {"weight": weight})
    document = rig.get("/api/v1/export")
    rig.start(fresh=True)
    answer = do(rig, "POST", "/api/v1/import", document)
    assert answer["revision"] == document["revision"], answer
    await_applied(rig)
    assert weights(rig, "app1.ch")["ose1"] == 4 and fetch(ONLY1).status == 200


def weight_lines(one: dict) -> tuple:
    """What counts of a route for where its connections go."""
    return one["host"], [(share["cluster"], share["weight"], share["weight_origin"]) for share in one["clusters"]]


def test_a_copied_directory_is_a_backup(rig: Rig) -> None:
    """paths.state, copied while control runs and put back into a new place."""
    rig.start()
    assert rig.config
    directory = rig.config["paths"]["state"]
    do(rig, "PUT", "/api/v1/routes/app1.ch/clusters/ose1/weight", {"weight": 12.5})
    do(rig, "POST", "/api/v1/revisions", {"name": "kept"}, 201)
    revision = rig.status()["control"]["revision"]
    shutil.copytree(directory, f"{directory}.copy")
    rig.defer(shutil.rmtree, f"{directory}.copy", True)
    rig.programs.stop(CONTROL, signal.SIGKILL)
    rig.dirty = True
    shutil.rmtree(directory)
    shutil.copytree(f"{directory}.copy", directory)
    rig.programs.start(CONTROL)
    await_applied(rig)
    assert rig.status()["control"]["revision"] == revision
    assert weights(rig, "app1.ch")["ose1"] == 12.5
    assert [one["name"] for one in rig.get("/api/v1/revisions")["revisions"]] == ["kept"]


class Writer(threading.Thread):
    """Writes weights and modes one after the other, and remembers the last ones that were answered."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(daemon=True)
        self.rig = rig
        self.over = threading.Event()
        self.done: dict[str, Any] = {}  # what was answered
        self.asked: dict[str, Any] = {}  # what was asked for last, answered or not
        self.count = 0

    def run(self) -> None:
        number = 0
        while not self.over.is_set():
            number += 1
            weight = number % 100
            self.write("weight", weight, "PUT", "/api/v1/routes/app1.ch/clusters/ose1/weight", {"weight": weight})
            mode = ("drain", "enable")[number % 2]
            self.write("mode", mode, "POST", host_path(OSE1.hosts[0], mode), {})
            if number % 3 == 0:
                state = ("drain", "enable")[number // 3 % 2]
                self.write("state", state, "POST", f"/api/v1/clusters/ose2/{state}",
                           {"force": True} if state == "drain" else {})

    def write(self, what: str, value: Any, method: str, path: str, body: dict) -> None:
        """One write; without an answer it may have been done or not."""
        self.asked[what] = value
        with contextlib.suppress(OSError, ValueError):
            if self.rig.api(method, path, body, timeout=5)[0] == 200:
                self.done[what] = value
                self.count += 1
                return
        self.over.wait(0.02)


def shown_state(rig: Rig) -> dict[str, Any]:
    """What the writer writes, as the API shows it."""
    mode = {"draining": "drain", "enabled": "enable"}[rig.hosts()[OSE1.hosts[0]]["admin"]]
    state = {"draining": "drain", "active": "enable"}[rig.get("/api/v1/clusters/ose2/status")["state"]]
    return {"weight": weights(rig, "app1.ch")["ose1"], "mode": mode, "state": state}


def test_no_write_is_lost_to_kill_9(rig: Rig) -> None:
    """Control is killed at any moment under a stream of writes: what was answered is there, nothing is broken, and no
    client notices."""
    rig.start()
    with traffic.Load(ONLY1, rate=100, threads=2) as load:
        for attempt in range(8):
            writer = Writer(rig)
            writer.start()
            await_true(lambda writer=writer: writer.count > 3, 10, "writes are answered")
            time.sleep(0.013 * attempt)  # at ever another moment
            rig.programs.stop(CONTROL, signal.SIGKILL)
            rig.dirty = True
            writer.over.set()
            writer.join(10)
            rig.programs.start(CONTROL)
            await_applied(rig)
            for what, value in shown_state(rig).items():
                wanted = {writer.done.get(what), writer.asked.get(what)} - {None}
                assert not wanted or value in wanted, (attempt, what, value, wanted)
            messages = rig.status()["messages"]
            assert not any("broken" in message for message in messages), messages
            do(rig, "POST", "/api/v1/clusters/ose2/enable", {})
    assert load.result.requests and not load.result.errors, load.result
    for one in os.listdir(f"{rig.default_config()['paths']['state']}"):
        assert not one.endswith(".bad"), one
