"""Shares of new connections moved from one cluster to the other, step by step, and back, while clients come."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from typing import Any

import traffic
from demonet import client, names
from demonet.balancer import CONTROL
from demonet.supervisor import await_true
from rig import Rig
from scale import scale
from watched import STEADY, begin, name, route, routes

OSE1, OSE2 = names.CLUSTERS
APP = "/api/v1/routes/app1.ch"
STEPS = (1, 10, 50, 100)


def do(rig: Rig, path: str, body: Any = None, status: int = 200) -> Any:
    """A write that is answered with this status; one that was done has reached every worker."""
    found, answer = rig.api("POST", path, {} if body is None else body)
    assert found == status, (found, answer)
    assert status != 200 or "dry_run=true" in path or answer["applied"], answer
    return answer


def shares(rig: Rig, what: str, route: str = APP) -> dict[str, float]:
    """cluster -> share, as the API shows them."""
    return {one["cluster"]: one[what] for one in rig.get(route)["route"]["clusters"]}


def totals(rig: Rig) -> Counter[str]:
    """cluster -> connections of app1.ch since the start."""
    return Counter({one["cluster"]: one["total"] for one in rig.get(APP)["route"]["clusters"]})


def to_ose2(result: traffic.Result) -> int:
    """How many of the requests the hosts of ose2 answered."""
    return sum(result.routers[host] for host in OSE2.hosts)


def clusters_of(count: int) -> set[str]:
    """The clusters that answer so many new connections."""
    return {client.fetch("app1.ch").field("cluster") for _ in range(count)}


def test_1_10_50_100_percent(rig: Rig) -> None:
    """At every step the plan is what comes: in the API, in the counters, and in what clients see."""
    rig.start()
    count = scale("shifted_connections")
    do(rig, f"{APP}/shift", {"to": "ose1", "percent": 100})
    for percent in STEPS:
        wish = {"to": "ose2", "percent": percent}
        plan = do(rig, f"{APP}/shift?dry_run=true", wish)
        assert plan["changed"] and not plan["applied"], plan
        answer = do(rig, f"{APP}/shift", wish)
        assert answer["plan"] == plan["plan"] and answer["plan"]["red"] == 0, answer
        assert answer["revision"] == plan["revision"] + 1, (plan, answer)
        planned = {"ose1": 100 - percent, "ose2": percent}
        assert shares(rig, "planned_share") == shares(rig, "effective_share") == planned
        before = totals(rig)
        result = traffic.Load("app1.ch", count=count).run()
        assert not result.errors, result
        # Each worker is exact to one connection; 0.5 points of 10,000 connections would be 50.
        assert abs(to_ose2(result) - count * percent / 100) <= 2, (percent, result)
        assert totals(rig) - before == +Counter(ose1=count - to_ose2(result), ose2=to_ose2(result)), percent
        again = do(rig, f"{APP}/shift", wish)
        assert not again["changed"] and again["revision"] == answer["revision"], again


def test_hundredths_of_a_percent(rig: Rig) -> None:
    """0.25 % is one connection in 400."""
    rig.start()
    do(rig, f"{APP}/shift", {"to": "ose1", "percent": 100})
    do(rig, f"{APP}/shift", {"to": "ose2", "percent": 0.25})
    assert shares(rig, "planned_share") == {"ose1": 99.75, "ose2": 0.25}
    result = traffic.Load("app1.ch", count=800).run()
    assert not result.errors and 1 <= to_ose2(result) <= 4, result
    assert rig.api("POST", f"{APP}/shift", {"to": "ose2", "percent": 0.255})[0] == 400


def test_real_share_is_the_planned_one(rig: Rig) -> None:
    """Of the connections of the last two minutes, as the API counts them: within 0.5 points."""
    rig.stop()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{rig.default_config()['paths']['run']}/history.bin")
    rig.start()
    begun = 1000 * time.time()

    def counts() -> bool:
        # Of a second before control had found the dataplane 0 is shown, too.
        stats = rig.get("/api/v1/stats")
        return stats["times"][-1] > begun and stats["totals"]["new"][-1] is not None

    await_true(counts, 5, "each second is counted")
    count = scale("shifted_connections")
    do(rig, f"{APP}/shift", {"to": "ose2", "percent": 10})
    assert not traffic.Load("app1.ch", count=count).run().errors
    await_true(lambda: rig.get(APP)["route"]["recent"] >= count, 5, "all are counted")
    real = shares(rig, "real_share")
    assert abs(real["ose2"] - 10) <= 0.5 and abs(real["ose1"] - 90) <= 0.5, rig.get(APP)
    assert abs(sum(real.values()) - 100) <= 0.01, real


def test_rollback_counts_from_the_next_connection(rig: Rig) -> None:
    """When the answer is there, which says "applied", no new connection goes to where the shift had sent it."""
    rig.start()
    do(rig, f"{APP}/shift", {"to": "ose1", "percent": 100})
    with traffic.Load("app1.ch", rate=300) as load:
        for _ in range(5):
            do(rig, f"{APP}/shift", {"to": "ose2", "percent": 100})
            assert clusters_of(20) == {"ose2"}
            do(rig, f"{APP}/rollback")
            before = totals(rig)
            assert clusters_of(20) == {"ose1"}
            await_true(lambda: (totals(rig) - before)["ose1"] >= 40, 10, "20 of ours and 20 of the load")
            # One that had been elected before may have been counted after.
            assert (totals(rig) - before)["ose2"] <= 8, (before, totals(rig))
            do(rig, f"{APP}/rollback", status=409)
    assert not load.result.errors, load.result


def test_steps_under_load_cost_no_request(rig: Rig) -> None:
    """HTTP and TLS, up to 100 % and back, again and again: no client notices."""
    rig.start()
    with traffic.Load("app1.ch", threads=4) as plain, traffic.Load("app1.ch", tls=rig.tls, threads=2) as tls:
        for percent in STEPS * 5:
            do(rig, f"{APP}/shift", {"to": "ose2", "percent": percent})
            do(rig, f"{APP}/shift", {"to": "ose1", "percent": percent})
    for load in (plain, tls):
        assert not load.result.errors and load.result.requests > 0, load.result


def test_rollback_survives_a_killed_control(rig: Rig) -> None:
    """What a shift changed can be taken back by the control that comes after."""
    rig.start()
    do(rig, f"{APP}/shift", {"to": "ose1", "percent": 100})
    answer = do(rig, f"{APP}/shift?reason=CHG42", {"to": "ose2", "percent": 100})
    rig.signal(CONTROL, signal.SIGKILL)
    await_true(lambda: rig.status()["control"]["revision"] == answer["revision"], 10, "control is back")
    remembered = rig.get(APP)["route"]["rollback"]
    assert (remembered["revision"], remembered["reason"]) == (answer["revision"], "CHG42"), remembered
    await_true(lambda: rig.status()["applied_revision"] == answer["revision"], 10, "the workers have the state")
    do(rig, f"{APP}/rollback")
    assert shares(rig, "planned_share") == {"ose1": 100, "ose2": 0}
    assert clusters_of(20) == {"ose1"}


def test_all_routes_of_a_cluster(rig: Rig) -> None:
    """One call, one revision, every route that both clusters have; the others stay as they are."""
    rig.start()
    both = [route["host"] for route in rig.get("/api/v1/routes")["routes"] if len(route["clusters"]) == 2]
    assert "app1.ch" in both, both
    revision = rig.status()["control"]["revision"]
    plan = do(rig, "/api/v1/clusters/ose1/shift?dry_run=true", {"to": "ose2", "percent": 100})["plan"]
    assert plan["routes"] == len(both) and [one["host"] for one in plan["changes"]] == both, plan
    answer = do(rig, "/api/v1/clusters/ose1/shift", {"to": "ose2", "percent": 100})
    assert answer["revision"] == revision + 1, answer
    for host in both:
        assert shares(rig, "planned_share", f"/api/v1/routes/{host}") == {"ose1": 0, "ose2": 100}, host
    assert clusters_of(20) == {"ose2"}
    assert client.fetch("only1.ch").field("cluster") == "ose1"


def test_red_is_refused(rig: Rig) -> None:
    """To a cluster whose router hosts are all away: not without force; away from it always."""
    rig.start()
    do(rig, f"{APP}/shift", {"to": "ose2", "percent": 50})
    for host in OSE2.hosts:
        rig.host_stop(host)
    await_true(lambda: not any(rig.hosts()[host]["healthy"] for host in OSE2.hosts), 10, "ose2 has no healthy host")
    refusal = do(rig, f"{APP}/shift", {"to": "ose2", "percent": 60}, status=409)
    assert "cluster ose2 has no healthy router host" in refusal["detail"] and refusal["plan"]["red"] == 1, refusal
    assert shares(rig, "effective_share") == {"ose1": 100, "ose2": 0}
    do(rig, f"{APP}/shift", {"to": "ose2", "percent": 0})
    assert clusters_of(20) == {"ose1"}


def test_differences_of_two_clusters(rig: Rig) -> None:
    """What only one has is named; what both have alike is counted."""
    rig.start()
    diff = rig.get("/api/v1/diff?from=ose1&to=ose2")
    by_host = {one["host"]: one for one in diff["differences"]}
    assert (by_host["only1.ch"]["kind"], by_host["only1.ch"]["level"]) == ("missing", "red"), diff
    assert (by_host["only2.ch"]["kind"], by_host["only2.ch"]["level"]) == ("only_on_to", "yellow"), diff
    assert diff["red"] + diff["yellow"] + diff["same"] == rig.get("/api/v1/routes")["total"], diff


def test_differences_of_watched_clusters(rig: Rig) -> None:
    """Where TLS ends, what becomes of plain HTTP, weights, and why a Route that is there serves nothing."""
    watched = begin(rig, one=routes(5), two=[
        route(name(0)), route(name(1), termination="reencrypt"), route(name(2), insecure="Redirect"),
        route(name(3), weight=5)])
    watched.two.settings(routers_working=False)
    watched.two.create(route(name(4)))
    wanted = {(name(1), "termination"), (name(2), "flags"), (name(3), "weight"), (name(4), "not_admitted"),
              (STEADY[0], "missing"), (STEADY[1], "only_on_to")}

    def found() -> set[tuple[str, str]]:
        differences = rig.get("/api/v1/diff?from=ose1&to=ose2")["differences"]
        return {(one["host"], one["kind"]) for one in differences}

    await_true(lambda: found() == wanted, 5, f"the differences are {wanted}")


def test_first_percent_of_a_parked_route(rig: Rig) -> None:
    """A route that is new on the second cluster gets 1 %; the rollback parks it again, also for the next control."""
    app = "/api/v1/routes/app.demo.ch"
    watched = begin(rig, one=[route("app.demo.ch")])
    watched.two.create(route("app.demo.ch"))
    await_true(lambda: rig.get("/api/v1/routes?state=parked")["total"] == 1, 5, "the route is parked on ose2")
    answer = do(rig, f"{app}/shift", {"to": "ose2", "percent": 1})
    assert answer["plan"]["changes"][0]["notes"] == ["parked on cluster ose2: the shift ends that"], answer
    assert shares(rig, "planned_share", app) == {"ose1": 99, "ose2": 1}
    do(rig, f"{app}/rollback")
    for _ in range(2):
        assert shares(rig, "planned_share", app) == {"ose1": 100, "ose2": 0}
        assert rig.get("/api/v1/routes?state=parked")["total"] == 1
        assert {client.fetch("app.demo.ch").field("cluster") for _ in range(20)} == {"ose1"}
        revision = rig.status()["control"]["revision"]
        rig.signal(CONTROL, signal.SIGKILL)
        await_true(lambda: rig.status()["applied_revision"] == revision, 10, "control is back")
