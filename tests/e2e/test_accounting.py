"""Every frame is accounted for, and what connections have taken is given back, however they end."""

from __future__ import annotations

import contextlib
import json
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
    """Waits until all of it is given back. Fewer buffers are right too: a frame may have been on its way at first."""
    seen: dict[str, int] = {}

    def given_back() -> bool:
        seen.update(in_use(rig))
        return seen["mbufs"] <= expected["mbufs"] and all(seen[name] == expected[name] for name in GAUGES)
    try:
        await_true(given_back, seconds, "")
    except Exception as error:
        raise AssertionError(f"after {seconds:.0f} s in use: {seen}; at first: {expected}") from error


def idle(rig: Rig) -> dict[str, int]:
    """What is in use when no connection is left."""
    await_true(lambda: not any(in_use(rig)[name] for name in GAUGES), 10, "no connection is left")
    return in_use(rig)


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
    status, answer = rig.api("DELETE", "/api/v1/clusters/aborts?force=true")
    assert status == 200, answer


def test_random_aborts(rig: Rig) -> None:
    """Connections that end in every way: nothing stays in use, every frame is accounted for."""
    rig.start(SHORT_TIMEOUTS)
    rig.nft(names.CLIENT, VANISHING_RULES)
    with abort_server(rig):
        Aborts(500, seed=2).run()  # neighbours, buffers of the rings: what the first connections take for good
        before, books = idle(rig), Books(rig)
        aborts = Aborts(int(scale("random_aborts")))
        aborts.run()
        assert len(aborts.made) == 33 and not aborts.failed, (len(aborts.failed), aborts.failed[:5])
        await_in_use(rig, before, 15)
    counted = books.counted()
    assert counted["connections"] >= sum(aborts.made.values()) * 0.9, counted
    for name in ("ended_fin", "ended_rst", "ended_idle", "closed_by_client", "closed_silent", "answer_timeout",
                 "answer_unknown_name"):
        assert counted.get(name), f"no connection was {name}: {counted}"
    for name in ("tx_failed", "refused_flows", "refused_ports", "refused_young", "event_lost"):
        assert not counted.get(name), (name, counted)
    books.balance()


def ask_linux() -> None:
    """A datagram to the VIP is no business of pointsman's: Linux says that nobody is there."""
    with netns.inside(names.CLIENT):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        sock.settimeout(2)
        sock.connect((names.VIP, 80))
        sock.send(b"?")
        with contextlib.suppress(ConnectionRefusedError):
            raise AssertionError(f"{sock.recv(100)!r} from a closed port")


def test_every_frame_is_accounted_for(rig: Rig) -> None:
    """Short and long connections, HTTP and TLS, and what is dropped: the sums agree with the peers' own."""
    rig.start()
    books = Books(rig)
    assert not Load("app1.ch", count=500).run().errors
    assert not Load("only1.ch", tls=rig.tls, count=50).run().errors
    assert not wrk("/", "app1.ch", 20, 2)["errors"]
    assert fetch("nobody.ch").status == 404
    ask_linux()
    counted = books.counted()
    assert counted["connections"] >= 571 and counted["rx_forwarded"] and counted["answered_syn"], counted
    books.balance()


def mac(namespace: str, device: str) -> bytes:
    """The hardware address of a device."""
    link = json.loads(network.run("ip", "-n", namespace, "-j", "link", "show", device))[0]
    return bytes.fromhex(link["address"].replace(":", ""))


def internet_checksum(data: bytes) -> int:
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frame(payload: int, more: int = 0) -> bytes:
    """A segment of `payload` bytes from a client to the VIP, right in every field, that belongs to no connection; its
    IP header speaks of `more` bytes than there are."""
    source, destination = socket.inet_aton("198.18.7.7"), socket.inet_aton(names.VIP)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + payload + more, 1, 0x4000, 64, 6, 0, source, destination)
    ip = ip[:10] + struct.pack("!H", internet_checksum(ip)) + ip[12:]
    tcp = struct.pack("!HHIIBBHHH", 4000, 80, 1, 1, 0x50, 0x10, 65535, 0, 0) + b"x" * payload
    pseudo = source + destination + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", internet_checksum(pseudo + tcp)) + tcp[18:]
    return mac(names.EDGE, "north") + mac(names.CLIENT, "edge") + b"\x08\x00" + ip + tcp


def changed(one: bytes, at: int, value: bytes) -> bytes:
    """The frame with other bytes at a place."""
    return one[:at] + value + one[at + len(value):]


def send(*frames: bytes) -> None:
    """Puts frames on the wire of pm-client."""
    with netns.inside(names.CLIENT):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        with raw:
            raw.bind(("edge", 0))
            for one in frames:
                raw.send(one)


def test_each_broken_frame_has_its_counter(rig: Rig) -> None:
    """Frames that no sane peer sends: each adds one to the counter of its fault and nothing else."""
    rig.start()
    good = frame(10)
    broken = {
        "answered_rst": good,
        "drop_truncated": frame(10, more=100),
        "drop_ip_header": changed(good, 24, b"\xde\xad"),
        "drop_tcp_checksum": changed(good, 50, b"\xde\xad"),
        "drop_tcp_header": changed(good, 46, b"\x40"),
    }
    books = Books(rig)
    for counter, one in broken.items():
        send(one)
        await_true(lambda name=counter: books.counted().get(name), 3, f"counted as {counter}")
    counted = {name: value for name, value in books.counted().items() if name in broken}
    # The RST that answers the good one meets no socket in pm-client, which answers a RST with nothing.
    assert counted == dict.fromkeys(broken, 1), counted
    books.balance()


def test_checksum_left_to_a_device(rig: Rig) -> None:
    """A peer with transmit offload: dropped, counted, and one line with the cure."""
    rig.start()
    books = Books(rig)
    rig.defer(rig.run, names.CLIENT, "ethtool", "-K", "edge", "tx", "off")
    rig.run(names.CLIENT, "ethtool", "-K", "edge", "tx", "on")
    for _ in range(3):
        with contextlib.suppress(TimeoutError):
            client.connect(80, timeout=0.3).close()
            raise AssertionError("connected with a checksum that is only the pseudo-header's")
    await_true(lambda: books.counted().get("rx_partial_checksum", 0) >= 3, 3, "counted as rx_partial_checksum")
    await_true(lambda: "rx_partial_checksum" in rig.log(DATAPLANE), 3, "logged")
    rig.run(names.CLIENT, "ethtool", "-K", "edge", "tx", "off")
    assert fetch("app1.ch").status == 200
    lines = [line for line in rig.log(DATAPLANE).splitlines() if "rx_partial_checksum" in line]
    assert len(lines) == 1 and "north" in lines[0] and "ethtool -K <peer> tx off" in lines[0], lines
    books.balance()


def test_oversize_frames(rig: Rig) -> None:
    """Frames beyond the MTU: dropped, counted, and one line with the cure."""
    rig.start()
    books = Books(rig)
    rig.defer(network.run, "ip", "-n", names.CLIENT, "link", "set", "edge", "mtu", "1500")
    network.run("ip", "-n", names.CLIENT, "link", "set", "edge", "mtu", "1600")
    # Linux itself takes nothing that exceeds the MTU by more than the 4 bytes of a VLAN tag.
    send(*[frame(1500 - 40 + 2)] * 5)
    await_true(lambda: books.counted().get("rx_oversize") == 5, 3, "counted as rx_oversize")
    await_true(lambda: "rx_oversize" in rig.log(DATAPLANE), 3, "logged")
    lines = [line for line in rig.log(DATAPLANE).splitlines() if "rx_oversize" in line]
    assert len(lines) == 1 and "north" in lines[0] and "ethtool -K <peer> tso off gso off" in lines[0], lines
    books.balance()
