"""The configuration is read again while packets flow: what changes, what is refused by name, and what goes on."""

from __future__ import annotations

import copy
import signal
from typing import Any

from demonet import balancer, client, names
from demonet.balancer import CONTROL, DATAPLANE
from demonet.supervisor import await_true
from rig import Rig
from traffic import Held, Load

OTHER_PORT = 8081


def write(rig: Rig, change: Any) -> None:
    """Writes the configuration of the running pointsman with a change; the test's end puts it back."""
    config = copy.deepcopy(rig.config)
    change(config)
    rig.dirty = True
    balancer.write_configuration(rig.run_dir, config)


def reload(rig: Rig, query: str = "") -> tuple[int, Any]:
    """POST /api/v1/reload"""
    return rig.api("POST", f"/api/v1/reload{query}", {})


def served(port: int) -> bool:
    """A connection to the VIP on this port gets an answer of a router host."""
    try:
        sock = client.connect(port)
    except ConnectionError:
        return False
    with sock:
        return client.request(sock, "app1.ch").status == 200


def add_listener(config: dict) -> None:
    """A further listener in front of the others, so that their numbers change."""
    config["listeners"].insert(0, {"name": "more", "mode": "http", "port": OTHER_PORT, "addresses": [names.VIP]})


def test_reload_listeners(rig: Rig) -> None:
    """A listener that is added serves; one that is removed takes nobody new while its old connections go on."""
    rig.start()
    held = Held("app1.ch")
    with Load("app1.ch", threads=2, rate=100) as load:
        assert not served(OTHER_PORT)
        write(rig, add_listener)
        status, answer = reload(rig)
        assert status == 200 and answer["changed"], answer
        await_true(lambda: served(OTHER_PORT), 5, "the new listener serves")
        assert reload(rig)[1]["changed"] is False, "the same file again"
        more = Held("app1.ch", port=OTHER_PORT)
        write(rig, lambda config: None)
        status, answer = reload(rig)
        assert status == 200 and answer["changed"], answer
        assert not served(OTHER_PORT), "a listener that was removed takes new connections"
        assert more.ask().status == 200, "its old connection has ended"
        more.close()
        write(rig, add_listener)
        assert reload(rig)[0] == 200
        await_true(lambda: served(OTHER_PORT), 5, "the listener is back")
    assert held.ask().status == 200
    held.close()
    assert not load.result.errors and load.result.requests > 0, load.result


def test_reload_default_cluster_moves_with_its_listener(rig: Rig) -> None:
    """A listener in front of the others changes their numbers, not their default clusters."""
    def with_default(config: dict) -> None:
        for listener in config["listeners"]:
            if listener["mode"] == "http":
                listener["default_cluster"] = "ose2"

    rig.start()
    assert client.fetch("nobody.demo.ch").status == 404
    write(rig, with_default)
    assert reload(rig)[0] == 200
    await_true(lambda: client.fetch("nobody.demo.ch").field("cluster") == "ose2", 5, "unknown names go to ose2")
    write(rig, lambda config: (with_default(config), add_listener(config)))
    assert reload(rig)[0] == 200
    for _ in range(20):
        assert client.fetch("nobody.demo.ch").field("cluster") == "ose2"


def test_reload_timeouts(rig: Rig) -> None:
    """A shorter idle limit ends connections that were there before."""
    rig.start()
    held = Held("app1.ch")
    write(rig, lambda config: config.setdefault("timeouts", {}).update(idle=1000))
    status, answer = reload(rig)
    assert status == 200 and "$.timeouts.idle" in answer["changes"], answer
    for connection in (held, Held("app1.ch")):
        try:
            connection.sock.settimeout(30)
            assert connection.sock.recv(1) == b"never"
        except ConnectionResetError:
            connection.close()


def test_reload_refuses_by_name(rig: Rig) -> None:
    """What needs a restart is named, and nothing of the file is taken; so is a file that is wrong."""
    def change(config: dict) -> None:
        config.setdefault("limits", {})["connections"] = 32768
        config.setdefault("timeouts", {})["idle"] = 1000
        add_listener(config)

    rig.start()
    write(rig, change)
    for query in ("", "?dry_run=true"):
        status, answer = reload(rig, query)
        assert status == 409, answer
        assert [error["path"] for error in answer["errors"]] == ["$.limits.connections"], answer
    assert not served(OTHER_PORT)
    assert rig.get("/api/v1/config")["timeouts"]["idle"] != 1000
    write(rig, lambda config: config["listeners"][0].update(mode="telnet"))
    status, answer = reload(rig)
    assert status == 400 and "mode" in answer["detail"], answer
    write(rig, lambda config: config.setdefault("timeouts", {}).update(idle=2000))
    status, answer = reload(rig, "?dry_run=true")
    assert (status, answer["changes"], answer["dry_run"]) == (200, ["$.timeouts.idle"], True), answer
    assert rig.get("/api/v1/config")["timeouts"]["idle"] != 2000, "a dry run has changed something"


def test_reload_by_signal(rig: Rig) -> None:
    """SIGHUP to control reads the file in both programs, and both live on."""
    rig.start()
    before = [rig.programs.pid(name) for name in (CONTROL, DATAPLANE)]
    write(rig, add_listener)
    rig.signal(CONTROL, signal.SIGHUP)
    await_true(lambda: served(OTHER_PORT), 5, "the new listener serves")
    write(rig, lambda config: config["limits"].update(routes=17) if "limits" in config
          else config.update(limits={"routes": 17}))
    rig.signal(CONTROL, signal.SIGHUP)
    await_true(lambda: "$.limits.routes cannot change" in rig.log(CONTROL), 5, "the refusal is logged")
    assert [rig.programs.pid(name) for name in (CONTROL, DATAPLANE)] == before


def test_reload_is_made_up_for_after_a_restart_of_control(rig: Rig) -> None:
    """The file changes, and control starts again before anybody has asked for a reload: the dataplane follows."""
    rig.start()
    write(rig, add_listener)
    rig.signal(CONTROL, signal.SIGKILL)
    await_true(lambda: served(OTHER_PORT), 10, "the new listener serves")
    await_true(lambda: not rig.status()["messages"], 5, "nothing is wrong any more")


def test_reload_of_what_only_control_reads(rig: Rig) -> None:
    """A restart of control with another admin.listen does not keep the dataplane from a later reload."""
    def elsewhere(config: dict) -> None:
        config["admin"]["listen"] = "127.0.0.2:8089"

    rig.start()
    write(rig, elsewhere)
    status, answer = reload(rig)
    assert status == 409 and [one["path"] for one in answer["errors"]] == ["$.admin.listen"], answer
    rig.signal(DATAPLANE, signal.SIGHUP)
    await_true(lambda: "has been read again" in rig.log(DATAPLANE), 5, "the dataplane takes the file")


def test_reload_never_turns_tls_off_by_mistake(rig: Rig) -> None:
    """TLS is asked for with files that are not there: refused, instead of going on in clear text."""
    rig.start()
    write(rig, lambda config: config["admin"].update(tls={"certificate": "/nowhere/a.pem", "key": "/nowhere/b.pem"}))
    status, answer = reload(rig)
    assert status == 400 and "$.admin.tls" in answer["detail"], answer
