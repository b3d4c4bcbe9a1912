"""The first bytes of a connection: right ones are routed, however they come; the others get the documented answer."""

from __future__ import annotations

import itertools
import select
import socket
import time
from typing import Iterator

import wire
from demonet import app, client, names
from rig import Rig

HEAD_MAX = 16384
AT_ONCE = 1.0  # seconds within which an answer comes that waits for nothing
HEAD_SECONDS = 2.0  # for the tests of the deadline

UNRECOGNIZED_NAME, DECODE_ERROR = 112, 50

REQUEST = b"GET / HTTP/1.1\r\nHost: only1.ch\r\nConnection: close\r\n\r\n"

MALFORMED_HTTP = {
    "garbage": bytes(range(256)),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "two Host fields": b"GET / HTTP/1.1\r\nHost: only1.ch\r\nHost: only2.ch\r\n\r\n",
    "the same Host field twice": b"GET / HTTP/1.1\r\nHost: only1.ch\r\nHost: only1.ch\r\n\r\n",
    "no Host field": b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n",
    "empty Host field": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nHost : only1.ch\r\n\r\n",
    "folded field": b"GET / HTTP/1.1\r\nHost: only1.ch\r\nAccept: a,\r\n b\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\nHost: only1.ch\r\nAccept: \0\r\n\r\n",
    "target of another host": b"GET http://only2.ch/ HTTP/1.1\r\nHost: only1.ch\r\n\r\n",
    "CONNECT": b"CONNECT only1.ch:80 HTTP/1.1\r\nHost: only1.ch\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}

MALFORMED_TLS = {
    "garbage": bytes(range(256)),
    "HTTP": REQUEST,
    "record without content": b"\x16\x03\x01\x00\x00",
    "another handshake message": b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
    "hello whose fields do not fit": b"\x16\x03\x01\x00\x2b\x01\x00\x00\x27\x03\x03" + bytes(32) + b"\xff" * 5,
}


def assert_ose1(answer: client.Answer) -> None:
    """The answer of a router host that serves only1.ch."""
    assert (answer.status, answer.field("cluster"), answer.field("host")) == (200, "ose1", "only1.ch"), answer


def assert_own_answer(reply: wire.Reply, status: int, reason: str, what: str) -> client.Answer:
    """An HTTP answer of the balancer itself, at once; it gives no address away."""
    answer = reply.http
    assert (answer.status, answer.text.startswith(f"pointsman: {reason}")) == (status, True), (what, answer)
    assert answer.headers["connection"] == "close", (what, answer)
    assert answer.headers["cache-control"] == "no-store", (what, answer)
    assert int(answer.headers["content-length"]) == len(answer.body), (what, answer)
    assert ("retry-after" in answer.headers) == (status == 503), (what, answer)
    assert b"203.0.113." not in reply.data and names.VIP.encode() not in reply.data, (what, answer)
    assert reply.seconds < AT_ONCE, (what, reply.seconds)
    return answer


def assert_alert(reply: wire.Reply, description: int, what: str) -> None:
    """A TLS alert of the balancer itself, at once."""
    assert reply.alert == description, (what, reply)
    assert reply.seconds < AT_ONCE, (what, reply.seconds)


def head_of_size(size: int) -> bytes:
    """A request for only1.ch whose head has so many bytes; its fields are neither large nor many."""
    head = REQUEST[:-2]
    while size - len(head) > 2000:
        head += b"X-Fill: " + b"x" * 990 + b"\r\n"
    return head + b"X-Fill: " + b"x" * (size - len(head) - 12) + b"\r\n\r\n"


# --- all of these are routed ---


def test_client_hello_of_1700_bytes_in_two_segments(rig: Rig) -> None:
    """Cut where TCP cuts it, and at odd places: in the record's header, in the name, before the last byte."""
    rig.start()
    for cut in (None, 3, 9, 1000, 1699):
        tls = wire.hello_of_size(client.trust(rig.run_dir), "only1.ch", 1700)
        assert len(tls.hello) == 1700
        with client.connect(443) as sock:
            if cut:
                wire.send_apart(sock, (tls.hello[:cut], tls.hello[cut:]))
            else:
                sock.sendall(tls.hello)
            answer = tls.request(sock)
            assert wire.segments_sent(sock) >= 3, cut
        assert_ose1(answer)


def test_client_hello_cut_inside_the_name(rig: Rig) -> None:
    rig.start()
    tls = wire.TlsByHand(rig.tls, "only1.ch")
    cut = tls.hello.index(b"only1.ch") + 3
    with client.connect(443) as sock:
        wire.send_apart(sock, (tls.hello[:cut], tls.hello[cut:]))
        assert_ose1(tls.request(sock))


def test_client_hello_in_segments_of_one_byte(rig: Rig) -> None:
    rig.start()
    tls = wire.TlsByHand(rig.tls, "only1.ch")
    with client.connect(443) as sock:
        wire.send_apart(sock, (bytes((byte,)) for byte in tls.hello))
        assert wire.segments_sent(sock) >= len(tls.hello)
        assert_ose1(tls.request(sock))


def test_client_hello_in_several_records(rig: Rig) -> None:
    rig.start()
    for size in (300, 100, 16, 1):
        tls = wire.TlsByHand(rig.tls, "only1.ch")
        with client.connect(443) as sock:
            sock.sendall(wire.in_records(tls.hello, size))
            assert_ose1(tls.request(sock))


def test_client_hello_in_records_that_each_have_a_segment(rig: Rig) -> None:
    rig.start()
    tls = wire.TlsByHand(rig.tls, "only1.ch")
    records = wire.in_records(tls.hello, 50)
    with client.connect(443) as sock:
        wire.send_apart(sock, (records[at:at + 55] for at in range(0, len(records), 55)))
        assert_ose1(tls.request(sock))


def test_http_head_byte_by_byte_with_nagle(rig: Rig) -> None:
    """Nagle's algorithm holds the next bytes back until the first is acknowledged; without an acknowledgement they wait
    for TCP's loss probe, 200 ms. (On a busy machine something else may take as long: not three times.)"""
    rig.start()
    seconds = []
    for _ in range(3):
        with client.connect(80) as sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
            before = time.monotonic()
            for byte in REQUEST:
                sock.sendall(bytes((byte,)))
            assert_ose1(wire.http_answer(wire.receive_all(sock)))
            seconds.append(time.monotonic() - before)
            assert wire.segments_sent(sock) >= 2
    assert min(seconds) < 0.1, seconds


def test_http_head_in_segments_of_one_byte(rig: Rig) -> None:
    rig.start()
    with client.connect(80) as sock:
        wire.send_apart(sock, (bytes((byte,)) for byte in REQUEST))
        assert wire.segments_sent(sock) >= len(REQUEST)
        assert_ose1(wire.http_answer(wire.receive_all(sock)))


def test_large_heads_are_routed(rig: Rig) -> None:
    """15,000 bytes, which the router takes too; at 16 KiB sharp the answer is the router's."""
    rig.start()
    assert_ose1(wire.exchange(80, head_of_size(15_000)).http)
    answer = wire.exchange(80, head_of_size(HEAD_MAX)).http
    assert not answer.text.startswith("pointsman:"), answer


# --- none of these is routed ---


def test_malformed_http_head_gets_400(rig: Rig) -> None:
    rig.start()
    for what, head in MALFORMED_HTTP.items():
        assert_own_answer(wire.exchange(80, head), 400, "the request is malformed", what)


def test_malformed_client_hello_gets_decode_error(rig: Rig) -> None:
    rig.start()
    for what, head in MALFORMED_TLS.items():
        assert_alert(wire.exchange(443, head), DECODE_ERROR, what)
    address = wire.TlsByHand(rig.tls, "192-0-2-1").hello.replace(b"192-0-2-1", b"192.0.2.1")
    assert_alert(wire.exchange(443, address), DECODE_ERROR, "an address as name")


def test_head_of_16_kib_and_1_byte_is_too_large(rig: Rig) -> None:
    """Whether it would have been complete with that byte or not; in TLS it takes two records."""
    rig.start()
    for what, head in (("complete", head_of_size(HEAD_MAX + 1)), ("endless", head_of_size(HEAD_MAX + 3)[:-2])):
        assert_own_answer(wire.exchange(80, head), 400, "the request head is too large", what)
    tls = wire.hello_of_size(client.trust(rig.run_dir), "only1.ch", HEAD_MAX + 1 - wire.RECORD_HEADER)
    records = wire.in_records(tls.hello, 10_000)
    assert len(records) == HEAD_MAX + 1
    assert_alert(wire.exchange(443, records), DECODE_ERROR, "ClientHello")


def test_unknown_name_is_refused(rig: Rig) -> None:
    """404 that says which name, and the alert unrecognized_name."""
    rig.start()
    for name in ("nobody.ch", "203.0.113.11"):
        head = f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
        assert wire.exchange(80, head).http.text == f"pointsman: no route has the host name {name}"
    head = b"GET / HTTP/1.1\r\nHost: nobody.ch\r\n\r\n"
    assert_own_answer(wire.exchange(80, head), 404, "no route has the host name nobody.ch", "HTTP")
    assert_alert(wire.exchange(443, wire.TlsByHand(rig.tls, "nobody.ch").hello), UNRECOGNIZED_NAME, "TLS")


def test_no_name_is_refused(rig: Rig) -> None:
    """HTTP/1.0 without Host gets 404, a ClientHello without SNI the alert unrecognized_name."""
    rig.start()
    assert_own_answer(wire.exchange(80, b"GET / HTTP/1.0\r\n\r\n"), 404, "the request names no host", "HTTP/1.0")
    hello = wire.hello_without_name(client.trust(rig.run_dir))
    assert_alert(wire.exchange(443, hello), UNRECOGNIZED_NAME, "no SNI")


def test_name_that_is_not_served_on_port_80(rig: Rig) -> None:
    """A passthrough route has 443 alone."""
    rig.start()
    head = f"GET / HTTP/1.1\r\nHost: {names.PASSTHROUGH}\r\n\r\n".encode()
    assert_own_answer(wire.exchange(80, head), 503,
                      f"no cluster serves on this port the host name {names.PASSTHROUGH}", "passthrough")


def test_answer_reaches_a_client_that_is_still_sending(rig: Rig) -> None:
    """What the client sends behind its head is taken and thrown away: a reset would overtake the answer."""
    rig.start()
    body = b"".join(app.stream(1_000_000))
    head = f"POST /sha256 HTTP/1.1\r\nHost: nobody.ch\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    assert_own_answer(wire.exchange(80, head + body), 404, "no route has the host name nobody.ch", "1 MB")


def test_heads_that_never_end_and_silent_connections(rig: Rig) -> None:
    """408 or, in TLS, an end without an answer; an end without an answer to those who never said anything."""
    rig.start({"timeouts": {"head": int(HEAD_SECONDS * 1000)}})
    hello = wire.TlsByHand(rig.tls, "only1.ch").hello
    clients = {"endless HTTP": (80, b"GET / HTTP/1.1\r\nX-Fill: "), "endless TLS": (443, hello[:5]),
               "stopped HTTP": (80, REQUEST[:-1]), "stopped TLS": (443, hello[:-1]), "one byte": (80, b"G"),
               "silent HTTP": (80, b""), "silent TLS": (443, b"")}
    endless = {"endless HTTP": itertools.repeat(b"x"), "endless TLS": (bytes((byte,)) for byte in hello[5:])}
    for what, reply in _replies_at_deadline(clients, endless).items():
        assert HEAD_SECONDS - 0.1 <= reply.seconds <= HEAD_SECONDS + AT_ONCE, (what, reply)
        if what in ("endless HTTP", "stopped HTTP", "one byte"):
            answer = reply.http
            assert (answer.status, answer.headers["connection"]) == (408, "close"), (what, answer)
            assert answer.text == "pointsman: the request head did not come in time", (what, answer)
        else:
            assert reply.data == b"", (what, reply)
    assert_ose1(client.fetch("only1.ch"))


def _replies_at_deadline(clients: dict[str, tuple[int, bytes]],
                         endless: dict[str, Iterator[bytes]]) -> dict[str, wire.Reply]:
    """All at the same time: sends each one's bytes, the endless ones' further bytes every 50 ms, and reads until all
    connections have ended."""
    limit = time.monotonic() + 5 * HEAD_SECONDS
    started, socks, data = {}, {}, dict.fromkeys(clients, b"")
    replies: dict[str, wire.Reply] = {}
    for what, (port, head) in clients.items():
        started[what] = time.monotonic()
        socks[sock := client.connect(port)] = what
        sock.sendall(head)
    while socks:
        assert time.monotonic() < limit, f"no end of {list(socks.values())}"
        for sock in select.select(list(socks), [], [], 0.05)[0]:
            what = socks[sock]
            received = sock.recv(65536)
            data[what] += received
            if not received:
                replies[what] = wire.Reply(data[what], time.monotonic() - started[what])
                del socks[sock]
                sock.close()
        for sock, what in socks.items():
            if what in endless and not data[what]:
                sock.sendall(next(endless[what]))
    return replies
