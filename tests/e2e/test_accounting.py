"""Every frame is accounted for, and what connections have taken is given back, however they end."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Iterator

from aborts import HOST, NAME, VANISHING_RULES, AbortServer, Aborts
from books import Books
from demonet import client, names, netns, network
from demonet.balancer import DATAPLANE
from demonet.client import fetch
from demonet.supervisor import await_true
from rig import Rig
from scale import scale
from traffic import Load, wrk

SHORT_TIMEOUTS = {"timeouts": {"head": 500, "idle": 1000, "half_closed": 500, "linger": 100}}
GAUGES = ("flows", "flows_young", "flows_spliced", "flows_lingering", "heads_large", "ports_in_use")


def in_use(rig: Rig) -> dict[str, int]:
    """Everything that connections take: flows, source ports, buffers."""
    status = rig.status()
    used = {name: status["counters"][name] for name in GAUGES}
    return used | {"mbufs": status["mbufs"]["total"] - status["mbufs"]["available"]}


def await_in_use(rig: Rig, expected: dict[str, int], seconds: float) -> None:
    """Waits until all of it is given back."""
    seen: dict[str, int] = {}

    def same() -> bool:
        seen.update(in_use(rig))
        return seen == expected
    try:
        await_true(same, seconds, "")
    except Exception as error:
        raise AssertionError(f"after {seconds:.0f} s in use: {seen}; at first: {expected}") from error


@contextlib.contextmanager
def abort_server(rig: Rig) -> Iterator[None]:
    """The host that aborts, as a cluster of its own."""
    address = [f"{HOST}/24", "dev", "eth0"]
    network.run("ip", "-n", names.OSE1, "addr", "add", *address)
    rig.defer(network.run, "ip", "-n", names.OSE1, "addr", "del", *address)
    server = AbortServer()
    rig.defer(server.close)
    status, answer = rig.api("PUT", "/api/v1/clusters/aborts", {
        "source": "static", "hosts": [{"name": "aborts", "address": HOST}], "health": {"port": 80},
        "routes": [{"host": NAME}]})
    assert status == 201, answer
    await_true(lambda: rig.hosts()[HOST]["healthy"], 5, "the aborting host is healthy")
    yield
    status, answer = rig.api("DELETE", "/api/v1/clusters/aborts")
    assert status == 200, answer


def test_random_aborts(rig: Rig) -> None:
    """Connections that end in every way: nothing stays in use, every frame is accounted for."""
    rig.start(SHORT_TIMEOUTS)
    rig.nft(names.CLIENT, VANISHING_RULES)
    with abort_server(rig):
        Aborts(500, seed=2).run()  # neighbours, buffers of the rings: what the first connections take for good
        await_in_use(rig, in_use(rig) | dict.fromkeys(GAUGES, 0), 10)
        before, books = in_use(rig), Books(rig)
        aborts = Aborts(int(scale("random_aborts")))
        aborts.run()
        assert len(aborts.made) == 33 and not aborts.failed, (len(aborts.failed), aborts.failed[:5])
        await_in_use(rig, before, 15)
    counted = books.counted()
    assert counted["connections"] >= sum(aborts.made.values()) * 0.9, counted
    for name in ("ended_fin", "ended_rst", "ended_idle", "closed_by_client", "closed_silent", "answer_timeout",
                 "answer_unknown_name"):
        assert counted.get(name), f"no connection was {name}: {counted}"
    for name in ("drop_no_buffer", "tx_failed", "refused_flows", "refused_ports", "refused_young", "event_lost"):
        assert not counted.get(name), (name, counted)
    books.balance()


def test_every_frame_is_accounted_for(rig: Rig) -> None:
    """Short and long connections, HTTP and TLS, and what is dropped: the sums agree with the peers' own."""
    rig.start()
    books = Books(rig)
    assert not Load("app1.ch", count=500).run().errors
    assert not Load("only1.ch", tls=rig.tls, count=50).run().errors
    assert not wrk("/", "app1.ch", 20, 2)["errors"]
    assert fetch("nobody.ch").status == 404
    rig.run(names.CLIENT, "ping", "-c", "3", "-i", "0.2", names.VIP)
    counted = books.counted()
    assert counted["connections"] >= 571 and counted["rx_forwarded"] and counted["answered_syn"], counted
    books.balance()


def frame(payload: int, tcp_checksum: int | None = None, flags: int = 0x02) -> bytes:
    """A SYN from pm-client to the VIP, made by hand: an Ethernet frame with `payload` bytes in it."""
    mac = json_mac(names.EDGE, "north"), json_mac(names.CLIENT, "edge")
    source, destination = socket.inet_aton("198.18.7.7"), socket.inet_aton(names.VIP)
    length = 20 + payload
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 1, 0x4000, 64, 6, 0, source, destination)
    ip = ip[:10] + struct.pack("!H", internet_checksum(ip)) + ip[12:]
    tcp = struct.pack("!HHIIBBHHH", 4000, 80, 1, 0, 0x50, flags, 65535, 0, 0) + b"x" * payload
    pseudo = source + destination + struct.pack("!BBH", 0, 6, length)
    right = internet_checksum(pseudo + tcp)
    tcp = tcp[:16] + struct.pack("!H", right if tcp_checksum is None else tcp_checksum) + tcp[18:]
    return mac[0] + mac[1] + b"\x08\x00" + ip + tcp


def internet_checksum(data: bytes) -> int:
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def json_mac(namespace: str, device: str) -> bytes:
    """The hardware address of a device."""
    with netns.inside(namespace), open(f"/proc/{threading_id()}/net/dev", encoding="ascii"):
        return bytes.fromhex(network.run("ip", "-n", namespace, "-br", "link", "show", device).split()[2]
                             .replace(":", ""))


def send(*frames: bytes) -> None:
    """Puts frames on the wire of pm-client."""
    with netns.inside(names.CLIENT):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with raw:
        raw.bind(("edge", 0))
        for one in frames:
            raw.send(one)
