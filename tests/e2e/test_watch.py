"""Routes come from the clusters' APIs: what is added, changed and deleted there counts at once; what a second cluster
brings takes no traffic before somebody says so."""

from __future__ import annotations

import signal
import time

from demonet.client import fetch
from demonet.supervisor import await_true
from rig import Rig
from traffic import Load
from watched import START, VISIBLE, Watched, await_ready, begin, name, route, routes

APP = name("app")
TABLE = ((1, 99), (10, 90), (100, 0))  # weights of the new and the old cluster in the steps of a migration


def test_every_route_is_reachable(rig: Rig) -> None:
    """Two clusters with 10 Routes each."""
    begin(rig, routes(9), routes(9, first=9))
    for number in range(18):
        assert fetch(name(number)).field("cluster") == ("ose1" if number < 9 else "ose2")
        assert fetch(name(number), tls=rig.tls).field("cluster") == ("ose1" if number < 9 else "ose2")


def test_changes_during_load(rig: Rig) -> None:
    """Added, changed and deleted Routes are heeded by new connections within 1 s, and no request fails."""
    watched = begin(rig, routes(9), routes(9, weight=0))
    with watched.unharmed(name(0)):
        watched.one.create(route(APP))
        watched.await_served(APP, "ose1")
        watched.two.create(route(APP, weight=100))
        watched.await_weights(APP, ose1=100, ose2=100)
        watched.one.weigh("r0-demo-ch", 0)
        watched.two.weigh("r0-demo-ch", 100)
        changed = time.monotonic()
        watched.await_served(name(0), "ose2")
        time.sleep(max(0.0, changed + VISIBLE - time.monotonic()))
        assert watched.shares(name(0), 20) == {"ose2": 20}
        for api in (watched.one, watched.two):
            api.delete_route("rapp-demo-ch")
        watched.await_unknown(APP)
        assert watched.route(APP) == {}


def test_many_changes_during_load(rig: Rig) -> None:
    """A weight that changes 100 times in two seconds: the last one counts, and no request fails."""
    watched = begin(rig, routes(2), [route(name(0), weight=1)])
    with watched.unharmed(name(0), name(1)):
        for number in range(100):
            watched.one.weigh("r0-demo-ch", number)
        watched.one.weigh("r0-demo-ch", 3)
        watched.await_weights(name(0), ose1=3, ose2=1)
    assert watched.shares(name(0), 40) == {"ose1": 30, "ose2": 10}


def migrate(watched: Watched, new: int, old: int) -> None:
    """One step of a migration, by annotations alone, with its share of 200 connections."""
    watched.two.weigh("rapp-demo-ch", new)
    watched.one.weigh("rapp-demo-ch", old)
    watched.await_weights(APP, ose1=old, ose2=new)
    result = Load(APP, threads=4, count=200).run()
    assert not result.errors, result
    got = sum(count for router, count in result.routers.items() if router.startswith("203.0.113.2"))
    wanted = 200 * new // (new + old)
    assert abs(got - wanted) <= 2, f"{got} of 200 connections reached the new cluster, expected about {wanted}"


def test_migration_by_annotations(rig: Rig) -> None:
    """1 %, 10 %, 100 % to the new cluster, then the old Route is removed: no failed request."""
    watched = begin(rig, [route(APP)])
    with watched.unharmed(APP):
        watched.two.create(route(APP, weight=0))
        watched.await_weights(APP, ose1=100, ose2=0)
        for new, old in TABLE:
            migrate(watched, new, old)
        watched.one.delete_route("rapp-demo-ch")
        watched.await_weights(APP, ose2=100)
        assert watched.shares(APP, 20) == {"ose2": 20}


def test_parked_until_weighed(rig: Rig) -> None:
    """A Route that a second cluster brings gets no connection before its annotation says so; the one of a new name
    serves at once."""
    watched = begin(rig, [route(APP)])
    watched.two.create(route(APP))
    watched.await_weights(APP, ose1=100, ose2=0)
    assert "parked" in watched.route(APP)["ose2"]["why"]
    assert watched.shares(APP) == {"ose1": 100}
    watched.two.create(route(name("new")))
    watched.await_served(name("new"), "ose2")
    watched.two.weigh("rapp-demo-ch", 100)
    watched.await_weights(APP, ose1=100, ose2=100)
    assert watched.shares(APP) == {"ose1": 50, "ose2": 50}
    watched.two.weigh("rapp-demo-ch", None)
    watched.await_weights(APP, ose1=100, ose2=100)  # once weighed, it is not parked again


def test_parked_stays_over_a_restart(rig: Rig) -> None:
    """Control is restarted and the lists arrive in the other order: no share changes."""
    watched = begin(rig, [route(APP), route(name(1), weight=30)], [route(name(1), weight=60)])
    watched.two.create(route(APP))
    watched.await_weights(APP, ose1=100, ose2=0)
    before = watched.weights()
    with watched.unharmed(APP):
        for late in (watched.one, watched.two):
            watched.restart_control_behind(late, APP)
            await_ready(watched)
            watched.proves_live(api=watched.one)
            watched.proves_live(api=watched.two)
            assert {host: watched.weights()[host] for host in before} == before
            assert watched.shares(APP, 30) == {"ose1": 30}


def test_first_start_parks_nothing(rig: Rig) -> None:
    """Nothing that the very first lists show is parked, in whatever order they arrive."""
    for late in ("one", "two"):
        watched = begin(rig, [route(APP)], [route(APP)], start=False)
        with getattr(watched, late).fault("hang"):
            watched.restart_control()
            await_true(lambda w=watched: w.route(APP), 15, "one list has come")
        await_ready(watched)
        watched.await_weights(APP, 5, ose1=100, ose2=100)
        assert watched.shares(APP) == {"ose1": 50, "ose2": 50}


def test_parked_takes_over(rig: Rig) -> None:
    """The Route is deleted on every other cluster: the parked one serves, and does so after a restart of control, both
    before any API has said something and after."""
    watched = begin(rig, [route(APP)])
    watched.two.create(route(APP))
    watched.await_weights(APP, ose1=100, ose2=0)
    watched.one.delete_route("rapp-demo-ch")
    watched.await_served(APP, "ose2")
    watched.await_weights(APP, ose2=100)
    with watched.one.fault("hang"), watched.two.fault("hang"):
        watched.restart_control()
        await_true(lambda: watched.route(APP), START, "control has read its files")
        watched.await_weights(APP, START, ose2=100)
        watched.await_served(APP, "ose2")
    await_ready(watched)
    watched.proves_live(api=watched.two)
    watched.await_weights(APP, ose2=100)
    assert watched.shares(APP, 20) == {"ose2": 20}


def test_parked_takes_over_from_a_removed_cluster(rig: Rig) -> None:
    """The other cluster is removed: the parked one serves at once, and does so after control was killed."""
    watched = begin(rig, [route(APP)])
    watched.two.create(route(APP))
    watched.await_weights(APP, ose1=100, ose2=0)
    done = rig.api("DELETE", "/api/v1/clusters/ose1?force=true")
    assert done[0] == 200, done
    with watched.two.fault("hang"):
        watched.restart_control(signal.SIGKILL)
        await_true(lambda: watched.route(APP), START, "control has read its files")
        watched.await_weights(APP, START, ose2=100)
        watched.await_served(APP, "ose2")


def test_foreign_namespace(rig: Rig) -> None:
    """A Route of another namespace on the second cluster gets nothing, whatever its weight, before an override."""
    watched = begin(rig, [route(APP)])
    watched.two.create(route(APP, namespace="thief", weight=100))
    await_true(lambda: "ose2" in watched.route(APP), VISIBLE, "the second Route is known")
    share = watched.route(APP)["ose2"]
    assert share["weight"] == 0 and share["namespace"] == "thief" and "namespace" in share["why"], share
    assert watched.shares(APP) == {"ose1": 100}
    watched.restart_control_behind(watched.one, APP)
    await_ready(watched)
    assert watched.shares(APP, 30) == {"ose1": 30}, "also when its list comes first"
    watched.override(APP, "ose2", 100)
    watched.await_weights(APP, ose1=100, ose2=100)
    watched.override(APP, "ose2", None)
    watched.await_weights(APP, ose1=100, ose2=0)


def test_overrides_survive(rig: Rig) -> None:
    """The operator's weight wins over annotations, and survives new lists, restarts and the Route's absence."""
    watched = begin(rig, [route(APP, weight=50)], [route(APP, weight=50)])
    watched.override(APP, "ose2", 0)
    watched.await_weights(APP, ose1=50, ose2=0)
    assert watched.route(APP)["ose2"]["weight_origin"] == "override"
    watched.two.weigh("rapp-demo-ch", 90)
    watched.two.act("restart")
    watched.proves_live(api=watched.two)
    watched.restart_control()
    await_ready(watched)
    watched.await_weights(APP, 5, ose1=50, ose2=0)
    watched.two.delete_route("rapp-demo-ch")
    watched.await_weights(APP, ose1=50)
    watched.two.create(route(APP, weight=100))
    watched.await_weights(APP, ose1=50, ose2=0)
    assert watched.shares(APP, 20) == {"ose1": 20}


def test_cluster_states(rig: Rig) -> None:
    """A cluster that is not active gets no new connection, even if all else is down; its own names are 503."""
    watched = begin(rig, [route(APP)], [route(APP, weight=100)], {"ose2": {"state": "staged"}}, start=False)
    watched.restart_control()
    await_true(lambda: watched.route(APP).keys() == {"ose1", "ose2"}, 15, "both lists have come")
    await_true(lambda: all(host["healthy"] for host in rig.hosts().values()), 15, "all router hosts are healthy")
    watched.await_applied(15)
    assert watched.shares(APP, 20) == {"ose1": 20}
    watched.set_cluster("ose2", state="active")
    watched.await_weights(APP, ose1=100, ose2=100)
    assert watched.shares(APP, 20) == {"ose1": 10, "ose2": 10}
    for state in ("draining", "offline"):
        watched.set_cluster("ose1", state=state)
        watched.await_weights(APP, ose1=0, ose2=100)
        assert watched.shares(APP, 20) == {"ose2": 20}
        assert fetch("steady1.demo.ch").status == 503
    watched.restart_control()
    await_true(lambda: watched.cluster("ose1")["state"] == "offline", 5, "the state is kept")
    assert watched.shares(APP, 20) == {"ose2": 20}


def test_new_routes_active(rig: Rig) -> None:
    """With `new_routes` active nothing is parked, and the default weight counts."""
    watched = begin(rig, [route(APP)], settings={"ose2": {"new_routes": "active", "default_weight": 25}})
    watched.two.create(route(APP))
    watched.await_weights(APP, ose1=100, ose2=25)
    assert watched.shares(APP) == {"ose1": 80, "ose2": 20}
    assert watched.route(APP)["ose2"]["weight_origin"] == "default"


def test_annotations(rig: Rig) -> None:
    """pointsman.io/weight, else smartlb-weight; a bad value is a warning and counts as none."""
    watched = begin(rig, [route(APP)])
    watched.one.annotate("rapp-demo-ch", "smartlb-weight", "40")
    watched.await_weights(APP, ose1=40)
    watched.one.weigh("rapp-demo-ch", 20)
    watched.await_weights(APP, ose1=20)
    for bad in ("101", "-1", "many", "1e1", "7" * 3000):
        watched.one.weigh("rapp-demo-ch", 20)
        watched.await_weights(APP, ose1=20)
        watched.one.weigh("rapp-demo-ch", bad)
        await_true(lambda: watched.route(APP)["ose1"].get("warning"), VISIBLE, f"{bad[:9]} is warned of")
        assert watched.route(APP)["ose1"]["weight"] in (40, 100), watched.route(APP)


def test_owner(rig: Rig) -> None:
    """PUT of hosts or routes on a watched cluster is 409 and says who owns them."""
    watched = begin(rig)
    body = {"source": "watch", "watch": watched.config["clusters"][0]["watch"], "routes": [{"host": APP}]}
    status, answer = rig.api("PUT", "/api/v1/clusters/ose1", body)
    assert status == 409 and "API" in answer["detail"], (status, answer)
