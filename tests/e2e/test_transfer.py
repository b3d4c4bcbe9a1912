"""Bytes and load: large bodies arrive as they were sent, and many connections see no error."""

from __future__ import annotations

import hashlib
import ssl

import traffic
from demonet import app, client
from rig import Rig
from scale import scale


def _download(tls: ssl.SSLContext | None) -> None:
    size = scale("transfer_bytes")
    answer = client.fetch("app1.ch", f"/bytes/{size}", tls=tls, timeout=60)
    assert (answer.status, len(answer.body)) == (200, size), (answer.status, len(answer.body))
    assert hashlib.sha256(answer.body).hexdigest() == app.stream_digest(size)


def _upload(tls: ssl.SSLContext | None) -> None:
    size = scale("transfer_bytes")
    answer = client.fetch("app1.ch", "/sha256", b"".join(app.stream(size)), tls=tls, timeout=60)
    assert (answer.status, answer.text) == (200, app.stream_digest(size)), answer


def test_100_mb_down_over_http(rig: Rig) -> None:
    rig.start()
    _download(None)


def test_100_mb_up_over_http(rig: Rig) -> None:
    rig.start()
    _upload(None)


def test_100_mb_down_over_tls(rig: Rig) -> None:
    rig.start()
    _download(rig.tls)


def test_100_mb_up_over_tls(rig: Rig) -> None:
    rig.start()
    _upload(rig.tls)


def test_200_connections_kept_alive(rig: Rig) -> None:
    """200 connections for 20 s, as many requests on each as it can take."""
    rig.start()
    connections = scale("kept_alive_connections")
    seen = traffic.wrk("/", "app1.ch", connections, scale("kept_alive_seconds"))
    assert (seen["errors"], seen["bad"]) == (0, 0), seen
    assert seen["requests"] > 10 * connections, seen


def test_20_000_connections_of_one_request(rig: Rig) -> None:
    """From many client addresses; one in ten over TLS."""
    rig.start()
    count = scale("one_request_connections")
    for tls, part in ((None, count - count // 10), (rig.tls, count // 10)):
        result = traffic.Load("app1.ch", tls=tls, threads=16, count=part).run()
        assert (result.requests, result.errors) == (part, []), result
