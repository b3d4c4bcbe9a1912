"""Router hosts that stop, fall silent, tell nonsense about their health, or change their MAC address, while clients
come: new connections succeed as long as one host is left that has the route."""

from __future__ import annotations

import copy
import time

import traffic
import wire
from demonet import client, names, network
from demonet.balancer import CONTROL
from demonet.supervisor import await_true
from rig import Rig
from scale import scale

OSE1, OSE2 = names.CLUSTERS
INTERNAL_ERROR = 80
SHOWN_UNHEALTHY = 5.0  # seconds after a host was stopped
SILENT_WITHOUT_TRAFFIC = 12.0
SILENT_WITH_TRAFFIC = 3.0
BACK = 20.0  # of its health: two checks, 5 s apart


def fast_health(rig: Rig) -> dict:
    """The demo's configuration with checks every second."""
    clusters = copy.deepcopy(rig.default_config()["clusters"])
    for cluster in clusters:
        cluster["health"] = {"interval": 1000}
    return {"clusters": clusters}


def await_health(rig: Rig, host: str, healthy: bool, seconds: float) -> None:
    """Waits until a host is shown as healthy, or as not."""
    await_true(lambda: rig.hosts()[host]["healthy"] == healthy, seconds, f"{host} is {'' if healthy else 'un'}healthy")


def last_check(rig: Rig, host: str) -> str:
    """What the last health check found."""
    return rig.hosts()[host]["health"]["result"]


def assert_all_succeed(name: str, count: int, rig: Rig) -> None:
    """So many new connections, one in ten over TLS, each answered with 200."""
    for tls, part in ((None, count - count // 10), (rig.tls, count // 10)):
        result = traffic.Load(name, tls=tls, count=part).run()
        assert (result.requests, result.errors) == (part, []), result


def test_stopped_host_costs_no_connection(rig: Rig) -> None:
    """Before health notices, while the host is shown unhealthy, and when it is back."""
    rig.start()
    stopped, other = OSE1.hosts
    rig.host_stop(stopped)
    assert_all_succeed("only1.ch", 200, rig)
    assert rig.totals()["connections_retried"] > 0, rig.totals()
    await_health(rig, stopped, False, SHOWN_UNHEALTHY)
    with traffic.Load("only1.ch", rate=200) as load:
        rig.host_start(stopped)
        await_health(rig, stopped, True, BACK)
        before = rig.hosts()[stopped]["total"]
        await_true(lambda: rig.hosts()[stopped]["total"] > before, 5, f"{stopped} gets connections")
    assert not load.result.errors, load.result
    assert set(load.result.routers) == {stopped, other}, load.result


def test_stopped_host_is_shown_unhealthy_without_traffic(rig: Rig) -> None:
    rig.start()
    stopped = OSE2.hosts[1]
    rig.host_stop(stopped)
    await_health(rig, stopped, False, SHOWN_UNHEALTHY)
    assert last_check(rig, stopped) == "refused", rig.hosts()[stopped]


def test_silent_host_costs_no_connection(rig: Rig) -> None:
    """With traffic it is out of rotation within 3 s, and comes back when it speaks again."""
    rig.start()
    silent, other = OSE1.hosts
    rig.host_silent(silent)
    with traffic.Load("only1.ch") as load:
        await_health(rig, silent, False, SILENT_WITH_TRAFFIC)
    assert not load.result.errors, load.result
    assert set(load.result.routers) == {other}, load.result
    rig.nft_clear(OSE1.namespace)
    await_health(rig, silent, True, BACK)
    result = traffic.Load("only1.ch", count=20).run()
    assert not result.errors and set(result.routers) == {silent, other}, result


def test_silent_host_without_traffic(rig: Rig) -> None:
    """Out of rotation within 12 s; the first connections after that are not slowed down by it."""
    rig.start()
    silent, other = OSE2.hosts
    rig.host_silent(silent)
    await_health(rig, silent, False, SILENT_WITHOUT_TRAFFIC)
    assert last_check(rig, silent) == "connect_timeout", rig.hosts()[silent]
    result = traffic.Load("only2.ch", count=50).run()
    assert not result.errors and set(result.routers) == {other}, result
    assert result.slower_than(0.2) == 0, result


def test_host_that_drops_syns_slows_few_down(rig: Rig) -> None:
    """Of 1,000 connections in the first 5 s at most 10 take longer than 200 ms."""
    rig.start()
    count = scale("slow_host_connections")
    rig.host_silent(OSE1.hosts[0], "tcp flags & (syn | ack) == syn")
    result = traffic.Load("only1.ch", count=count, rate=count / 5).run()
    assert (result.requests, result.errors) == (count, []), result
    assert result.slower_than(0.2) <= 10, (result.slower_than(0.2), result)


def _assert_unhealthy_for(rig: Rig, behaviours: dict[str, str]) -> None:
    """Hosts whose health endpoints behave like this, while they serve as ever, get no connections; the last host gets
    all. `behaviours`: name in HEALTH_ANSWERS -> the reason that is shown."""
    rig.start(fast_health(rig))
    *bad, good = names.HOSTS
    for host, behaviour in zip(bad, behaviours, strict=True):
        rig.fake_health(host, behaviour)
    for host, (behaviour, reason) in zip(bad, behaviours.items(), strict=True):
        await_health(rig, host, False, 10)
        await_true(lambda: last_check(rig, host) == reason, 5, f"{host} ({behaviour}) is shown as {reason}")
    result = traffic.Load("app1.ch", count=20).run()
    assert not result.errors and set(result.routers) == {good}, result


def test_dataplane_alone_shuns_a_silent_host(rig: Rig) -> None:
    """Control cannot notice it: of all connections that 8 clients at once make in 5 s at most 10 take longer."""
    rig.start()
    with rig.frozen(CONTROL):
        rig.host_silent(OSE1.hosts[0])
        with traffic.Load("only1.ch", threads=8) as load:
            time.sleep(5)  # so long the load lasts
    assert not load.result.errors, load.result
    assert load.result.requests > 1000, load.result
    assert load.result.slower_than(0.5) <= 10, (load.result.slower_than(0.5), load.result)


def test_health_answer_of_500_302_and_garbage(rig: Rig) -> None:
    """Unhealthy, each with its own reason."""
    _assert_unhealthy_for(rig, {"500": "status", "302": "redirect", "garbage": "not_http"})


def test_health_answer_that_stops_or_never_comes(rig: Rig) -> None:
    """Unhealthy, each with its own reason."""
    _assert_unhealthy_for(rig, {"half": "incomplete", "half_head": "incomplete", "hang": "answer_timeout"})


def _assert_no_host_left(rig: Rig, *reasons: str) -> None:
    """only1.ch is on ose1 alone: 503 with one of these reasons, the TLS alert, and never ose2, which lacks the name."""
    before = [rig.hosts()[host]["total"] for host in OSE2.hosts]
    for _ in range(10):
        answer = wire.exchange(80, b"GET / HTTP/1.1\r\nHost: only1.ch\r\nConnection: close\r\n\r\n").http
        assert answer.status == 503, answer
        assert answer.text in [f"pointsman: {reason} the host name only1.ch" for reason in reasons], answer
        assert answer.headers["retry-after"] == "5", answer
        assert wire.exchange(443, wire.TlsByHand(rig.tls, "only1.ch").hello).alert == INTERNAL_ERROR
    assert [rig.hosts()[host]["total"] for host in OSE2.hosts] == before


def test_all_hosts_of_a_route_down(rig: Rig) -> None:
    """Before and after health notices; names that another cluster serves too go there."""
    rig.start()
    for host in OSE1.hosts:
        rig.host_stop(host)
    _assert_no_host_left(rig, "no router accepted a connection for", "no healthy router serves")
    assert_all_succeed("app1.ch", 100, rig)
    for host in OSE1.hosts:
        await_health(rig, host, False, SHOWN_UNHEALTHY)
    _assert_no_host_left(rig, "no healthy router serves")
    assert_all_succeed("app1.ch", 100, rig)
    assert client.fetch("any.wild.ch").status == 503


def test_source_pool_of_64_ports(rig: Rig) -> None:
    """Every port is used several times while the router host has it in TIME_WAIT; no connection fails. The pace leaves
    each ended connection its 2 s of afterlife."""
    rig.start({"source_pool": {"prefixes": ["203.0.113.64/32"], "ports": [40000, 40063]}})
    result = traffic.Load("only1.ch", count=400, rate=50).run()
    assert (result.requests, result.errors) == (400, []), result
    assert min(result.routers[host] for host in OSE1.hosts) > 2 * 64, result
    counters = rig.totals()
    assert counters["port_reused_early"] > 2 * 64, counters
    assert counters["port_time_wait"] > 0, counters
    assert counters["refused_ports"] == 0, counters


def test_neighbour_tables_flushed_during_load(rig: Rig) -> None:
    """On every side, again and again."""
    rig.start()
    with traffic.Load("app1.ch", rate=500) as load:
        for namespace in (names.EDGE, names.OSE1, names.OSE2, names.CLIENT) * 3:
            network.run("ip", "-n", namespace, "neigh", "flush", "all")
            _await_requests(rig, 50)
    assert not load.result.errors, load.result
    assert load.result.slower_than(3) == 0, load.result


def _change_mac(number: int) -> None:
    """Both router hosts of ose1 are at another MAC address from now on."""
    network.run("ip", "-n", OSE1.namespace, "link", "set", "eth0", "address", f"02:00:00:00:00:{number:02x}")


def test_router_hosts_mac_changes_during_load(rig: Rig) -> None:
    """As when its addresses move to another machine, which announces them (gratuitous ARP)."""
    rig.start()
    rig.sysctl(OSE1.namespace, "net.ipv4.conf.eth0.arp_notify", 1)
    with traffic.Load("only1.ch", rate=500) as load:
        for number in range(1, 6):
            _change_mac(number)
            _await_requests(rig, 200)
    assert not load.result.errors, load.result
    assert load.result.slower_than(3) == 0, load.result


def test_router_hosts_mac_changes_unannounced_during_load(rig: Rig) -> None:
    """The kernel would believe in the old address for up to a minute."""
    rig.start()
    rig.dirty = True
    with traffic.Load("app1.ch", rate=500) as load:
        _change_mac(6)
        before = rig.hosts()
        for host in OSE1.hosts:
            await_true(lambda: rig.hosts()[host]["total"] > before[host]["total"], 30, f"{host} gets connections")
    assert not load.result.errors, load.result


def _await_requests(rig: Rig, count: int) -> None:
    """Waits for so many further connections."""
    before = rig.totals()["connections_spliced"]
    await_true(lambda: rig.totals()["connections_spliced"] >= before + count, 10, f"{count} more connections")
