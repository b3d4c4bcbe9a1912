"""The dataplane dies, ends or is cut off from its address: clients get an RST and never silence, and service comes back
by itself. What control and the dataplane keep over restarts."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time

from demonet import balancer, names, network
from demonet.balancer import CONTROL, DATAPLANE
from demonet.client import fetch
from demonet.supervisor import await_end, await_true
from rig import Rig
from traffic import Held, Load
from watch import OTHER, REFUSED, SERVED, SILENT, Watch, seconds_to_reset

RESET_SECONDS = 1.0
FED_SECONDS = 10.0


def hold(count: int) -> list[Held]:
    """Kept-alive connections to both clusters."""
    return [Held("app1.ch") for _ in range(count)]


def assert_reset(held: list[Held], since: float) -> None:
    """Every connection gets an RST within the second after `since`."""
    for connection in held:
        assert seconds_to_reset(connection.sock) is not None, "a client waits in silence"
        seen = time.monotonic() - since
        assert seen <= RESET_SECONDS, f"a client got its RST only after {seen:.2f} s"
        connection.close()


def new_process(rig: Rig, name: str, before: int | None) -> int:
    """The pid under which the supervisor has started a program again."""
    def started() -> int | None:
        pid = rig.programs.pid(name)
        return pid if pid != before else None
    return await_true(started, 10, f"{name} is started again")


def xdp_program(device: str) -> int:
    """The id of the XDP program on a port of the edge; 0: none."""
    link = json.loads(network.run("ip", "-n", names.EDGE, "-j", "link", "show", device))[0]
    return link.get("xdp", {}).get("prog", {}).get("id", 0)


def state_path(rig: Rig) -> str:
    """The file in which control keeps the clusters."""
    assert rig.config
    return f"{rig.config['paths']['state']}/clusters.state"


def restart_both(rig: Rig) -> None:
    """Ends both programs in good order and starts them again."""
    rig.dirty = True
    for name in (CONTROL, DATAPLANE):
        rig.programs.stop(name)
    for name in (DATAPLANE, CONTROL):
        rig.programs.start(name)
    await_true(lambda: rig.status()["dataplane"]["state"] == "ready", 10, "control has found the dataplane")


def clusters(rig: Rig) -> dict[str, dict]:
    """Every cluster as PUT takes it."""
    listed = [cluster["name"] for cluster in rig.get("/api/v1/clusters")["clusters"]]
    return {name: rig.get(f"/api/v1/clusters/{name}") for name in sorted(listed)}


def test_dataplane_killed(rig: Rig) -> None:
    """kill -9 of the dataplane: RST within 1 s, served again within 10 s, nothing restarted by hand."""
    rig.start()
    held = hold(20)
    before = {port: xdp_program(port) for port in ("north", "south")}
    with Watch("only1.ch") as watch:
        await_true(lambda: watch.met(SERVED), 5, "the watching client is served")
        killed = time.monotonic()
        rig.signal(DATAPLANE, signal.SIGKILL)
        assert_reset(held, killed)
        await_true(lambda: watch.met(SERVED, killed + 0.2), FED_SECONDS, "served again after kill -9")
        balancer.await_serving(max(0.1, killed + FED_SECONDS - time.monotonic()))
        back = time.monotonic()
        await_true(lambda: len(watch.met(SERVED, back)) >= 50, 20, "50 more connections are served")
    # A client that has said all before the kill and only listens cannot be told.
    assert not watch.met(SILENT, killed) and not watch.met(OTHER), (watch.met(SILENT, killed), watch.met(OTHER))
    # It may be back before the watching client comes round: that all held connections were reset says that it was dead.
    assert not watch.met(REFUSED, back), watch.met(REFUSED, back)
    for port, program in before.items():
        assert xdp_program(port) not in (0, program), f"the dead dataplane's XDP program is still on {port}"
    assert "XDP program of a dataplane that is dead was taken off" in rig.log(DATAPLANE)


def test_dataplane_killed_while_control_is_stopped(rig: Rig) -> None:
    """The same under a stopped control: RST all the time, and served within 10 s after SIGCONT."""
    rig.start()
    held = hold(20)
    before = rig.programs.pid(DATAPLANE)
    with Watch("only1.ch") as watch:
        with rig.frozen(CONTROL):
            killed = time.monotonic()
            rig.signal(DATAPLANE, signal.SIGKILL)
            assert_reset(held, killed)
            new_process(rig, DATAPLANE, before)
            await_true(lambda: len(watch.met(REFUSED, killed)) >= 100, 10, "new connections are refused")
            assert not watch.met(SERVED, killed + 0.2), "served by a dataplane that knows no router host"
        continued = time.monotonic()
        balancer.await_serving(FED_SECONDS)
        assert time.monotonic() - continued <= FED_SECONDS
        await_true(lambda: watch.met(SERVED, continued), 2, "the watching client is served again")
    assert not watch.met(SILENT, killed) and not watch.met(OTHER), (watch.met(SILENT, killed), watch.met(OTHER))


def test_dataplane_killed_again_and_again(rig: Rig) -> None:
    """Hugepages, locks and XDP programs of the dead are cleaned up each time."""
    rig.start()
    for _ in range(3):
        before = rig.programs.pid(DATAPLANE)
        rig.signal(DATAPLANE, signal.SIGKILL)
        new_process(rig, DATAPLANE, before)
        balancer.await_serving(FED_SECONDS)
    for directory in ("/dev/hugepages", "/var/run/dpdk"):
        owners = {name.split("-")[1] for name in os.listdir(directory) if name.startswith("pm-")}
        dead = [pid for pid in owners if not os.path.exists(f"/proc/{pid}")]
        assert not dead, f"{directory} has files of dead dataplanes: {dead}"


def test_dataplane_ends_in_good_order(rig: Rig) -> None:
    """SIGTERM: both sides of every connection get RST, the XDP programs are taken off."""
    rig.start()
    held = hold(10)
    begun = time.monotonic()
    rig.dirty = True
    rig.programs.stop(DATAPLANE)
    for connection in held:
        # The RST is there already: nothing needs to be said first.
        try:
            data = connection.sock.recv(1)
            assert False, f"{data!r} instead of an RST"
        except ConnectionResetError:
            pass
        connection.close()
    assert time.monotonic() - begun < 3
    assert rig.log(DATAPLANE).endswith("pointsman-dataplane: stopped\n"), rig.log(DATAPLANE)
    assert not xdp_program("north") and not xdp_program("south")
    with Watch("only1.ch") as watch:
        await_true(lambda: len(watch.met(REFUSED)) >= 10, 5, "Linux answers RST for the VIP")
        rig.programs.start(DATAPLANE)
        await_true(lambda: watch.met(SERVED), FED_SECONDS, "served again")
    assert not watch.met(SILENT), watch.met(SILENT)


def test_control_ends_in_good_order(rig: Rig) -> None:
    """SIGTERM to control: it ends within 1 s and traffic does not notice."""
    rig.start()
    rig.dirty = True
    with Load("app1.ch") as load:
        pid = rig.programs.pid(CONTROL)
        assert pid
        rig.programs.ask("stop", name=CONTROL, number=signal.SIGTERM)
        assert await_end(pid, 1.0), "control takes more than 1 s to end"
        rig.programs.start(CONTROL)
        await_true(lambda: rig.status(), 5, "control is back")
    assert load.result.requests and not load.result.errors, load.result


def test_vip_removed_and_added(rig: Rig) -> None:
    """A VIP is served while the kernel holds it; connections survive when it is away for less than 3 s."""
    rig.start()
    address = ["addr", "add", f"{names.VIP}/32", "dev", "north"]
    rig.defer(network.run, "ip", "-n", names.EDGE, "addr", "replace", f"{names.VIP}/32", "dev", "north")
    held = Held("only1.ch")
    with Watch("only1.ch", patience=0.5) as watch:
        await_true(lambda: watch.met(SERVED), 5, "served at first")
        network.run("ip", "-n", names.EDGE, "addr", "del", f"{names.VIP}/32", "dev", "north")
        away = time.monotonic()
        await_true(lambda: len(watch.met(SILENT, away) + watch.met(OTHER, away)) >= 2, 5, "nobody is served without it")
        late = [look for look in watch.met(SERVED, away + 0.1)]
        assert not late, late
        assert not watch.met(REFUSED, away + 0.1), "an RST for an address that is not ours any more"
        network.run("ip", "-n", names.EDGE, *address)
        back = time.monotonic()
        assert back - away < 2.5, "this machine is too slow for the test"
        await_true(lambda: watch.met(SERVED, back), 5, "served again")
    assert held.ask().status == 200, "a connection that was there before goes on"
    held.close()


def test_vip_lost_for_longer(rig: Rig) -> None:
    """After 3 s without the VIP the router side of its connections gets RST, and they are not served again."""
    rig.start()
    rig.defer(network.run, "ip", "-n", names.EDGE, "addr", "replace", f"{names.VIP}/32", "dev", "north")
    await_true(lambda: not any(host["active"] for host in rig.hosts().values()), 8, "no connection of another test is left")
    before = rig.status()["counters"]["ended_vip_lost"]
    held = hold(10)
    await_true(lambda: sum(host["active"] for host in rig.hosts().values()) == 10, 5, "ten connections are active")
    network.run("ip", "-n", names.EDGE, "addr", "del", f"{names.VIP}/32", "dev", "north")
    await_true(lambda: not any(host["active"] for host in rig.hosts().values()), 8, "its connections are ended")
    network.run("ip", "-n", names.EDGE, "addr", "add", f"{names.VIP}/32", "dev", "north")
    balancer.await_serving(5)
    assert rig.status()["counters"]["ended_vip_lost"] == before + 10
    for connection in held:
        connection.sock.settimeout(0.2)
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            assert False, connection.ask()
        connection.close()


def cluster_for_state(weight: int) -> dict:
    """A cluster that the configuration does not have; its host is one of ose2's."""
    return {"source": "static", "hosts": [{"name": "router-22", "address": "203.0.113.22"}],
            "routes": [{"host": "only2.ch", "weight": weight}]}


def test_state_survives(rig: Rig) -> None:
    """What was PUT is there after both were restarted, and the status says that the file says something else."""
    rig.start()
    status, body = rig.api("PUT", "/api/v1/clusters/ose3", cluster_for_state(33))
    assert status in (200, 201), body
    status, body = rig.api("DELETE", "/api/v1/clusters/ose1?force=true")
    assert status in (200, 204), body
    before = clusters(rig)
    assert list(before) == ["ose2", "ose3"]
    restart_both(rig)
    await_true(lambda: rig.hosts() and all(host["healthy"] for host in rig.hosts().values()), 20, "hosts are healthy")
    assert clusters(rig) == before
    await_true(lambda: fetch("only2.ch").status == 200, 5, "served again")
    messages = rig.status()["messages"]
    assert [line for line in messages if "differs" in line and "ose3" in line], messages
    assert [line for line in messages if "differs" in line and "ose1" in line], messages


def test_broken_state_file(rig: Rig) -> None:
    """A state file that was cut is set aside, the one before it is used, and the status says so."""
    rig.start()
    for weight in (11, 22):
        status, body = rig.api("PUT", "/api/v1/clusters/ose3", cluster_for_state(weight))
        assert status in (200, 201), body
    rig.programs.stop(CONTROL)
    path = state_path(rig)
    os.truncate(path, os.path.getsize(path) - 10)
    rig.programs.start(CONTROL)
    await_true(lambda: rig.status(), 5, "control is back")
    assert [route["weight"] for route in clusters(rig)["ose3"]["routes"]] == [11]
    assert os.path.exists(f"{path}.bad")
    assert [line for line in rig.status()["messages"] if f"{path}.bad" in line], rig.status()["messages"]
    assert f"{path}.bad" in rig.log(CONTROL)


def test_no_usable_state_file(rig: Rig) -> None:
    """Garbage in every copy: the clusters of the configuration are used, and the status says so."""
    rig.start()
    rig.dirty = True
    rig.programs.stop(CONTROL)
    for path in (state_path(rig), f"{state_path(rig)}.previous"):
        with open(path, "wb") as file:
            file.write(os.urandom(5000))
    rig.programs.start(CONTROL)
    await_true(lambda: rig.status(), 5, "control is back")
    assert list(clusters(rig)) == ["ose1", "ose2"]
    assert [line for line in rig.status()["messages"] if ".bad" in line], rig.status()["messages"]
    balancer.await_serving(5)
