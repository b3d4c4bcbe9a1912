"""A new control takes the place of an old one under load: no request fails, and nothing that operators have done is
lost, whether the old one ends in good order or is killed. What earlier versions have saved is read."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from dataclasses import replace
from typing import Any

import access
import traffic
from demonet import balancer, names
from demonet.balancer import CONTROL
from demonet.supervisor import await_true
from rig import Rig
from test_access import ORIGIN, log_in
from test_operations import (
    OSE1, applied, await_applied, do, held_on, host_path, restart_control, route, spread, weights)
from test_restart import state_path
from watch import seconds_to_reset

LEAVING, DRAINING = OSE1.hosts[0], names.CLUSTERS[1].hosts[0]
DEADLINE_SECONDS = 6
WHO = "/api/v1/whoami"
CASTAGNOLI = 0x82F63B78


def new_control(rig: Rig) -> str:
    """The program as an upgrade puts it in: another file at another path."""
    directory = f"{rig.run_dir}/new"
    os.makedirs(directory, exist_ok=True)
    rig.defer(shutil.rmtree, directory, True)
    return shutil.copy(f"{rig.build}/control/pointsman-control", directory)


def upgrade(rig: Rig, program: str, number: int) -> None:
    """The old one is ended, the new one started; the configuration and the state stay where they are."""
    rig.dirty = True
    old = balancer.services(rig.build, f"{rig.run_dir}/pointsman.json")[1]
    rig.programs.stop(CONTROL, number)
    rig.programs.add(replace(old, argv=[program, *old.argv[1:]]))
    await_true(lambda: applied(rig), 10, "the new control has told the workers everything")
    assert os.readlink(f"/proc/{rig.programs.pid(CONTROL)}/exe") == program


def work_of_operators(rig: Rig) -> None:
    """A weight, a saved revision, a mode without and one with a deadline."""
    do(rig, "PUT", "/api/v1/routes/app1.ch/clusters/ose1/weight?reason=CHG1", {"weight": 33.33})
    do(rig, "POST", "/api/v1/revisions", {"name": "before"}, 201)
    do(rig, "POST", host_path(DRAINING, "drain") + "?reason=kernel", {"timeout": "30m"})
    do(rig, "POST", host_path(LEAVING, "drain"), {"timeout": DEADLINE_SECONDS})
    await_applied(rig)


def known(rig: Rig, cookie: str) -> dict[str, Any]:
    """What must be the same before and after."""
    events = rig.get("/api/v1/events?limit=1000")["events"]
    return {
        "revision": rig.status()["control"]["revision"],
        "weights": weights(rig, "app1.ch"),
        "rollback": rig.get("/api/v1/routes/app1.ch")["route"]["rollback"],
        "revisions": rig.get("/api/v1/revisions")["revisions"],
        "hosts": {address: (host["admin"], host["elected"], host["drain"]) for address, host in rig.hosts().items()},
        "journal": {event["id"]: (event["kind"], event["who"], event["text"], event["reason"]) for event in events},
        "session": access.ask("GET", WHO, {"Cookie": cookie}).json,
    }


def page(cookie: str) -> tuple[access.WebSocket, dict]:
    """A page of somebody who has logged in, and the first message that it gets."""
    socket = access.WebSocket({"Cookie": cookie, "Origin": ORIGIN})
    assert socket.refused is None, socket.refused.body
    hello = socket.message()
    assert hello["type"] == "hello", hello
    return socket, hello


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Nothing has changed but that the journal has grown, with higher numbers."""
    for what, value in before.items():
        if what != "journal":
            assert after[what] == value, (what, value, after[what])
    kept = {number: after["journal"].get(number) for number in before["journal"]}
    assert kept == before["journal"], "the journal has lost or renumbered entries"
    new = set(after["journal"]) - set(kept)
    assert new and min(new) > max(before["journal"]), (new, max(before["journal"]))


def replaced_by(rig: Rig, number: int) -> None:
    """The whole of it, with one way to end the old control."""
    rig.start()
    program = new_control(rig)
    token = rig.token("viewer")
    # Not too often: whoever gives wrong tokens has to wait.
    await_true(lambda: access.ask("GET", WHO, access.bearer(token)).status == 200, 5, "the token counts", 0.5)
    cookie = log_in(token)
    with held_on(LEAVING, 1) as (held,):
        with traffic.Load("app1.ch", threads=4, rate=300) as one, traffic.Load("only2.ch", threads=2, rate=100) as two:
            old_page, _ = page(cookie)
            work_of_operators(rig)
            deadline = time.monotonic() + DEADLINE_SECONDS
            before = known(rig, cookie)
            assert before["hosts"][DRAINING][0] == "draining" and before["hosts"][DRAINING][2]["deadline"], before
            upgrade(rig, program, number)
            if number == signal.SIGTERM:
                assert old_page.closed() == 1001, "the page is not told that control goes away"
            after = known(rig, cookie)
            new_page, hello = page(cookie)
            assert hello["revision"] == before["revision"] and hello["role"] == "viewer", hello
            assert held.ask().status == 200, "a connection that was there goes on"
            assert_same(before, after)
            reset = seconds_to_reset(held.sock, deadline + 3 - time.monotonic())
            assert reset is not None, "its deadline was forgotten"
            assert time.monotonic() > deadline - 1.5, "closed before its time"
    for load in (one, two):
        assert load.result.requests > 50 and not load.result.errors, (load.name, load.result)
    for socket in (old_page, new_page):
        socket.close()


def test_control_replaced_under_load(rig: Rig) -> None:
    """The old control ends in good order; pages are told (1001) and come back with their session."""
    replaced_by(rig, signal.SIGTERM)


def test_control_killed_and_replaced_under_load(rig: Rig) -> None:
    """The same with kill -9: pages see the end of the connection."""
    replaced_by(rig, signal.SIGKILL)


# --- what earlier versions have saved ---


def crc32c(data: bytes) -> int:
    """The checksum in the header of a state file."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (CASTAGNOLI if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def old_cluster(index: int, overrides: dict[str, int], **more: Any) -> dict:
    """A cluster of the demo as versions 1 (without overrides) and 2 have it; weights are whole numbers there."""
    cluster = names.CLUSTERS[index]
    health = {"port": names.HEALTH_PORT, "path": "/healthz/ready", "interval": 5000, "timeout": 2000, "rise": 2,
              "fall": 2}
    hosts = [{"name": f"router-{address.rsplit('.', 1)[1]}", "address": address, "http_port": 80, "https_port": 443}
             for address in cluster.hosts]
    routes = [{"host": host, "weight": 50, "http": True, "https": True} for host in names.EDGE_ROUTES]
    routes += [{"host": host, "http": True, "https": True} for host in cluster.only]
    spec = {"name": cluster.name, "source": "static", "state": "active", "default_weight": 100, "health": health,
            "hosts": hosts, "routes": routes} | more
    return {"index": index, "pushed_at": 0, "cluster": spec} | ({"overrides": overrides} if overrides else {})


def write_old(rig: Rig, version: int, state: dict) -> None:
    """Control's state file as a program of that version would have left it, and nothing else beside it."""
    rig.start()
    rig.dirty = True
    rig.programs.stop(CONTROL)
    path = state_path(rig)
    shutil.rmtree(os.path.dirname(path))
    os.makedirs(os.path.dirname(path), mode=0o700)
    body = json.dumps(state, indent=1).encode()
    with open(path, "wb") as file:
        file.write(b"pointsman-state %d %d %08x\n" % (version, len(body), crc32c(body)) + body)


def start_with_old(rig: Rig, version: int, state: dict) -> None:
    """The present control begins with it: the file is good, its revision is the one that goes on."""
    write_old(rig, version, state)
    rig.programs.start(CONTROL)
    await_applied(rig)
    assert rig.status()["control"]["revision"] == state["revision"] and rig.status()["state_file"]["good"]
    assert not os.path.exists(f"{state_path(rig)}.bad")
    await_true(lambda: all(host["healthy"] for host in rig.hosts().values()), 20, "all router hosts are healthy")


def test_state_of_version_2(rig: Rig) -> None:
    """Every override counts again, for names that nobody serves just now too; the next change writes today's version
    and loses none."""
    state = {"revision": 41, "clusters": [
        old_cluster(0, {"app1.ch": 33, "*.wild.ch": 7, "app1.localhost": 0}),
        old_cluster(1, {"app1.ch": 0, "later.demo.ch": 5}, default_weight=40)]}
    start_with_old(rig, 2, state)
    assert weights(rig, "app1.ch") == {"ose1": 33, "ose2": 0}
    assert weights(rig, "app1.localhost") == {"ose1": 0, "ose2": 50}
    assert weights(rig, "*.wild.ch") == {"ose1": 7} and weights(rig, "only2.ch") == {"ose2": 40}
    origins = {name: share["weight_origin"] for name, share in route(rig, "app1.localhost").items()}
    assert origins["ose1"] == "override" != origins["ose2"], origins
    assert spread("app1.ch") == {"ose1": 60} and spread("app1.localhost") == {"ose2": 60}
    cluster = rig.get("/api/v1/clusters/ose2")
    cluster["routes"].append({"host": "later.demo.ch"})
    do(rig, "PUT", "/api/v1/clusters/ose2", cluster)
    assert weights(rig, "later.demo.ch") == {"ose2": 5}, "the override waited for its name"
    do(rig, "PUT", "/api/v1/routes/only2.ch/clusters/ose2/weight", {"weight": 12.5})
    restart_control(rig)
    with open(state_path(rig), "rb") as file:
        assert file.readline().split()[1] == b"3"
    assert rig.status()["control"]["revision"] == 43
    assert weights(rig, "app1.ch") == {"ose1": 33, "ose2": 0} and weights(rig, "later.demo.ch") == {"ose2": 5}
    assert weights(rig, "only2.ch") == {"ose2": 12.5} and weights(rig, "*.wild.ch") == {"ose1": 7}


def test_state_of_version_1(rig: Rig) -> None:
    """The first one knew clusters and no overrides."""
    start_with_old(rig, 1, {"revision": 9, "clusters": [old_cluster(0, {}), old_cluster(1, {}, state="draining")]})
    assert weights(rig, "app1.ch")["ose1"] == 50 and rig.get("/api/v1/clusters/ose2/status")["state"] == "draining"
    assert spread("app1.ch") == {"ose1": 60}, "a draining cluster gets no new connection"
