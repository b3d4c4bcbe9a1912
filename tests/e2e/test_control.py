"""Control is changed, killed, stopped and replaced while traffic runs: traffic does not notice."""

from __future__ import annotations

import random
import signal
import subprocess
import time

from demonet import balancer
from demonet.balancer import CONTROL
from demonet.client import fetch
from demonet.supervisor import await_end, await_true
from rig import Rig, merged
from scale import scale
from traffic import Held, Load

TRUE_SECONDS = 3.0  # after a start the API shows what is so


def cluster_body(rig: Rig, name: str, weights: dict[str, int], hosts: int = 2) -> dict:
    """The configuration's cluster with other weights and its first `hosts` hosts, as the body of a PUT."""
    cluster = next(one for one in rig.default_config()["clusters"] if one["name"] == name)
    routes = [route | ({"weight": weights[route["host"]]} if route["host"] in weights else {})
              for route in cluster["routes"]]
    return cluster | {"routes": routes, "hosts": cluster["hosts"][:hosts]}


def put(rig: Rig, body: dict) -> None:
    """Replaces a cluster; anything but success fails the test."""
    status, answer = rig.api("PUT", f"/api/v1/clusters/{body['name']}", body)
    assert status == 200, (status, answer)


def await_applied(rig: Rig, limit: float) -> None:
    """The workers have what control has, before `limit`."""
    def applied() -> bool:
        status = rig.status()
        return status["applied_revision"] == status["control"]["revision"]
    await_true(applied, max(0.1, limit - time.monotonic()), "the workers have applied the last revision")


def shares(count: int) -> dict[str, int]:
    """How many of `count` new connections to app1.ch each cluster gets."""
    seen = {"ose1": 0, "ose2": 0}
    for _ in range(count):
        seen[fetch("app1.ch").field("cluster")] += 1
    return seen


def truth_of(rig: Rig) -> dict[str, tuple]:
    """What does not change while nothing happens: per host, health, connections now and in all, refusals."""
    return {address: (host["health"]["state"], host["active"], host["total"], host["refused"])
            for address, host in rig.hosts().items()}


def test_puts_during_load(rig: Rig) -> None:
    """Weights and hosts of both clusters are replaced 200 times: no failed request, and the last PUT counts."""
    rig.start()
    chance = random.Random(1)
    with Load("app1.ch") as load, Load("only1.ch", seed=2) as other:
        for _ in range(int(scale("cluster_puts")) // 2):
            put(rig, cluster_body(rig, "ose1", {"app1.ch": chance.randrange(101)}, chance.randint(1, 2)))
            put(rig, cluster_body(rig, "ose2", {"app1.ch": chance.randrange(1, 101)}, chance.randint(1, 2)))
    for result in (load.result, other.result):
        assert result.requests > 100 and not result.errors, result
    put(rig, cluster_body(rig, "ose1", {"app1.ch": 30}))
    put(rig, cluster_body(rig, "ose2", {"app1.ch": 60}))
    rig.await_ready()
    assert shares(90) == {"ose1": 30, "ose2": 60}


def test_put_keeps_connections_and_counters(rig: Rig) -> None:
    """What a PUT does not name goes on, what it leaves alone keeps its numbers."""
    rig.start()
    held = [Held("only1.ch") for _ in range(10)]
    before = truth_of(rig)
    put(rig, cluster_body(rig, "ose1", {"app1.ch": 77}))
    assert truth_of(rig) == before
    put(rig, cluster_body(rig, "ose1", {}, hosts=1))
    assert all(connection.ask().status == 200 for connection in held), "a connection to a removed host goes on"
    assert {fetch("only1.ch").field("router") for _ in range(10)} == {"203.0.113.11"}
    for connection in held:
        connection.close()


def test_deleted_cluster_gets_nothing_new(rig: Rig) -> None:
    """DELETE: its own names are unknown at once, shared ones go to the other cluster, old connections stay."""
    rig.start()
    held = Held("only1.ch")
    with Load("app1.ch") as load:
        assert rig.api("DELETE", "/api/v1/clusters/ose1?force=true")[0] in (200, 204)
        assert fetch("only1.ch").status == 404
        assert shares(20) == {"ose1": 0, "ose2": 20}
        put_status, answer = rig.api("PUT", "/api/v1/clusters/ose1", cluster_body(rig, "ose1", {}))
        assert put_status in (200, 201), answer
        rig.await_ready()
        assert fetch("only1.ch").status == 200
    assert not load.result.errors, load.result
    assert held.ask().status == 200
    held.close()


def test_control_killed_during_load(rig: Rig) -> None:
    """kill -9 of control: no failed request; 3 s after its start it shows what is so, and no host was taken out."""
    rig.start()
    rig.host_stop("203.0.113.22")
    await_true(lambda: not rig.hosts()["203.0.113.22"]["healthy"], 8, "a stopped host is unhealthy")
    held = [Held("only2.ch") for _ in range(7)]
    before = truth_of(rig)
    assert before["203.0.113.21"][1] == 7
    with Load("only1.ch") as load:
        pid = rig.programs.pid(CONTROL)
        rig.signal(CONTROL, signal.SIGKILL)
        await_true(lambda: rig.programs.pid(CONTROL) not in (None, pid), 5, "control is started again")
        started = time.monotonic()
        ose2 = {address: before[address] for address in ("203.0.113.21", "203.0.113.22")}
        await_true(lambda: {address: truth_of(rig)[address] for address in ose2} == ose2, TRUE_SECONDS,
                   f"the API shows {ose2}")
        assert time.monotonic() - started <= TRUE_SECONDS
        served = load.result.requests
        taken_out = [line for line in rig.log(CONTROL).splitlines() if "router host" in line and "203.0.113.1" in line
                     and "down" in line]
        assert not taken_out, taken_out
        await_true(lambda: rig.status() and fetch("only1.ch").status == 200, 5, f"served beyond {served}")
    assert load.result.requests > 100 and not load.result.errors, load.result
    routers = {fetch("only1.ch").field("router") for _ in range(10)}
    assert routers == {"203.0.113.11", "203.0.113.12"}, f"a host was taken out: {routers}"
    for connection in held:
        assert connection.ask().status == 200
        connection.close()


def test_host_that_fails_while_control_is_dead(rig: Rig) -> None:
    """Workers retry by themselves; control finds the host down soon after its start."""
    rig.start()
    rig.dirty = True
    rig.programs.stop(CONTROL, signal.SIGKILL)
    rig.host_stop("203.0.113.12")  # before the load: what it serves at that moment nobody can save
    with Load("only1.ch") as load:
        assert {fetch("only1.ch").field("router") for _ in range(20)} == {"203.0.113.11"}
        rig.programs.start(CONTROL)
        await_true(lambda: not rig.hosts()["203.0.113.12"]["healthy"], TRUE_SECONDS + 1,
                   "the stopped host is shown unhealthy")
    assert load.result.requests > 50 and not load.result.errors, load.result


def test_control_stopped(rig: Rig) -> None:
    """SIGSTOP: not one lost request; after SIGCONT it is as before."""
    rig.start()
    before = {address: truth[0] for address, truth in truth_of(rig).items()}
    with Load("app1.ch", threads=4) as load:
        with rig.frozen(CONTROL):
            until = time.monotonic() + scale("control_stopped_seconds")
            while time.monotonic() < until:
                assert fetch("only2.ch").status == 200
        continued = time.monotonic()
        await_true(lambda: rig.status(), 5, "the API answers after SIGCONT")
        assert {address: truth[0] for address, truth in truth_of(rig).items()} == before
        put(rig, cluster_body(rig, "ose1", {"app1.ch": 100}))
        assert time.monotonic() - continued < TRUE_SECONDS
    assert load.result.requests > 100 and not load.result.errors, load.result


def test_control_killed_while_it_starts(rig: Rig) -> None:
    """Killed again and again at any moment of its start, EAL's included: not one lost request, and the next one
    starts as if nothing had been."""
    rig.start()
    assert rig.config
    rig.dirty = True
    rig.programs.stop(CONTROL, signal.SIGKILL)
    command = balancer.services(rig.build, f"{rig.run_dir}/pointsman.json")[1].command()
    chance = random.Random(1)
    with Load("app1.ch", threads=4) as load:
        for _ in range(int(scale("control_kills_in_start"))):
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            # The moment is what is varied: from before main() to after the first sync.
            await_end(process.pid, chance.uniform(0.0, 0.4))
            process.kill()
            process.wait()
        rig.programs.start(CONTROL)
        started = time.monotonic()
        await_true(lambda: all(host["healthy"] for host in rig.hosts().values()), TRUE_SECONDS,
                   "control shows healthy hosts")
        put(rig, cluster_body(rig, "ose1", {"app1.ch": 80}))
        await_applied(rig, started + TRUE_SECONDS)
    assert load.result.requests > 100 and not load.result.errors, load.result
    assert shares(20) == {"ose1": 10, "ose2": 10}


def test_control_replaced_with_other_state(rig: Rig) -> None:
    """A control that starts with other clusters than the last one told: the workers drop what is gone and take what
    is new, in one step."""
    rig.start()
    assert rig.config
    rig.dirty = True
    held = Held("only2.ch")
    rig.programs.stop(CONTROL, signal.SIGKILL)
    config = merged(rig.config, {"paths": {"state": f"{rig.run_dir}/other-state"},
                                 "clusters": [cluster_body(rig, "ose1", {})]})
    rig.programs.add(balancer.services(rig.build, balancer.write_configuration(rig.run_dir, config))[1])
    with Load("app1.ch", threads=2) as load:
        await_true(lambda: fetch("only2.ch").status == 404, 5, "the other cluster's name is unknown")
    assert not load.result.errors, load.result
    assert shares(10) == {"ose1": 10, "ose2": 0}
    assert held.ask().status == 200, "its old connection goes on"
    held.close()
    rig.programs.stop(CONTROL)
    rig.programs.add(balancer.services(rig.build, balancer.write_configuration(rig.run_dir, rig.config))[1])
    await_true(lambda: fetch("only2.ch").status == 200, 5, "the first state is back")


def test_api_without_dataplane(rig: Rig) -> None:
    """The API is served while there is no dataplane, and says so."""
    rig.start()
    rig.dirty = True
    rig.programs.stop("dataplane")
    await_true(lambda: rig.status()["dataplane"]["state"] == "absent", 5, "the status says that there is none")
    put(rig, cluster_body(rig, "ose1", {"app1.ch": 80}))
    rig.programs.start("dataplane")
    rig.await_ready()
    assert shares(20) == {"ose1": 10, "ose2": 10}
