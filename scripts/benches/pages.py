"""What bench_pages.py lets loose on pointsman, each in a process of its own inside a namespace: open pages with a
scrape of /metrics every second, and requests at a fixed rate. Both run until they are asked to end and tell what they
counted.
"""

from __future__ import annotations

import base64
import http.client
import multiprocessing
import multiprocessing.connection
import os
import selectors
import socket
import time
from dataclasses import dataclass, field
from typing import Callable, Iterator

from demonet import names, netns

TEXT, PING, PONG = 1, 9, 10
PATIENCE = 10.0
SCRAPE_SECONDS = 1.0
LOOK_SECONDS = 0.001  # how often the steady load looks whether a request is due
CATCH_UP = 50  # requests that are sent late at once; more are given up and counted

Counts = dict[str, int]


class ClientError(OSError):
    """One of the processes did not do what it is for."""


class Page:
    """A client of /api/v1/stream (RFC 6455) that takes what comes, answers pings, and counts."""

    def __init__(self) -> None:
        self.sock = socket.create_connection(("127.0.0.1", names.ADMIN_PORT), timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {"Host": f"127.0.0.1:{names.ADMIN_PORT}", "Upgrade": "websocket", "Connection": "Upgrade",
                  "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.sock.sendall(f"GET /api/v1/stream HTTP/1.1\r\n{lines}\r\n".encode())
        self.buffer = bytearray()
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ClientError(f"no stream: {head[:100]!r}")
        self.buffer = bytearray(rest)
        self.sock.setblocking(False)

    def _more(self) -> int:
        data = self.sock.recv(1 << 18)
        if not data:
            raise ClientError("a page's stream has ended")
        self.buffer += data
        return len(data)

    def read(self) -> tuple[int, int]:
        """What has come: bytes, and messages of the kind that comes every second."""
        size, ticks = self._more(), 0
        for kind, payload in self._frames():
            ticks += kind == TEXT and b'"tick"' in payload[:40]
            if kind == PING:
                self.sock.sendall(bytes([0x80 | PONG, 0x80 | len(payload)]) + bytes(4) + payload)
        return size, ticks

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """The whole frames of the buffer, which they leave. Servers do not mask."""
        while len(self.buffer) >= 2:
            length, begin = self.buffer[1], 2
            if length >= 126:
                begin = 4 if length == 126 else 10
                length = int.from_bytes(self.buffer[2:begin], "big")
            if len(self.buffer) < begin + length:
                return
            kind, payload = self.buffer[0] & 15, bytes(self.buffer[begin:begin + length])
            del self.buffer[:begin + length]
            yield kind, payload


def _scrape() -> int:
    """The size of what one scrape gets."""
    connection = http.client.HTTPConnection("127.0.0.1", names.ADMIN_PORT, timeout=PATIENCE)
    connection.request("GET", "/metrics")
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status != 200:
        raise ClientError(f"/metrics: status {response.status}")
    return len(body)


def _open_pages(teller: multiprocessing.connection.Connection, count: int) -> None:
    """The process of the pages."""
    seen: Counts = {"bytes": 0, "ticks": 0, "scrapes": 0, "scraped_bytes": 0}
    with selectors.DefaultSelector() as selector:
        for _ in range(count):
            page = Page()
            selector.register(page.sock, selectors.EVENT_READ, page)
        selector.register(teller, selectors.EVENT_READ)
        teller.send(dict(seen))
        due = time.monotonic()
        while True:
            for key, _ in selector.select(max(0.0, due - time.monotonic())):
                if key.data is None:
                    if not teller.recv():
                        return
                    teller.send(dict(seen))
                    continue
                size, ticks = key.data.read()
                seen["bytes"] += size
                seen["ticks"] += ticks
            if time.monotonic() >= due:
                seen["scraped_bytes"] += _scrape()
                seen["scrapes"] += 1
                due += SCRAPE_SECONDS


def _connections(host: str, count: int) -> tuple[list[socket.socket], bytes, int]:
    """Kept-alive connections on which a request was answered; the request and the size of its answer."""
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    kept, size = [], 0
    for _ in range(count):
        kept.append(socket.create_connection((names.VIP, 80), timeout=PATIENCE))
        kept[-1].sendall(request)
        answer = kept[-1].recv(65536)
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise ClientError(f"the load was answered {answer[:60]!r}")
        size = len(answer)
        kept[-1].setblocking(False)
    return kept, request, size


def _steady(teller: multiprocessing.connection.Connection, host: str, count: int, rate: int) -> None:
    """The process of the load: whatever its answers do, the next request is sent when it is due."""
    kept, request, size = _connections(host, count)
    seen: Counts = {"requests": 0, "answers": 0, "given_up": 0}
    received, begin = 0, time.monotonic()
    with selectors.DefaultSelector() as selector:
        for sock in kept:
            selector.register(sock, selectors.EVENT_READ, sock)
        selector.register(teller, selectors.EVENT_READ)
        teller.send(dict(seen))
        while True:
            due = int((time.monotonic() - begin) * rate) - seen["requests"] - seen["given_up"]
            seen["given_up"] += max(0, due - CATCH_UP)
            for _ in range(min(due, CATCH_UP)):
                kept[seen["requests"] % count].sendall(request)
                seen["requests"] += 1
            for key, _ in selector.select(LOOK_SECONDS):
                if key.data is None:
                    if not teller.recv():
                        return
                    teller.send(dict(seen) | {"answers": received // size})
                    continue
                data = key.data.recv(1 << 16)
                if not data:
                    raise ClientError("a connection of the load was closed")
                received += len(data)


@dataclass
class Client:
    """One such process. `work` tells its counts once when it is ready, and for each true value that it is sent; it ends
    at a false one."""

    namespace: str
    work: Callable[..., None]
    arguments: tuple
    _pipe: multiprocessing.connection.Connection = field(init=False)
    _process: multiprocessing.process.BaseProcess = field(init=False)

    def __enter__(self) -> Client:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=self._run, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self._answer()
        except ClientError:
            self.__exit__()
            raise
        return self

    def _run(self, pipe: multiprocessing.connection.Connection) -> None:
        netns.enter(self.namespace)
        try:
            self.work(pipe, *self.arguments)
        except OSError as error:
            pipe.send(str(error))

    def _answer(self) -> Counts:
        try:
            answer = self._pipe.recv() if self._pipe.poll(PATIENCE) else "no answer"
        except EOFError:
            answer = "it has ended"
        if isinstance(answer, str):
            raise ClientError(f"{self.work.__name__.strip('_')} in {self.namespace}: {answer}")
        return answer

    def counts(self) -> Counts:
        """What it has counted until now."""
        self._pipe.send(True)
        return self._answer()

    def __exit__(self, *_: object) -> None:
        try:
            self._pipe.send(False)
        except OSError:
            pass  # it has ended already
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._process.kill()
        self._pipe.close()


def pages(count: int) -> Client:
    """So many open pages and a scrape every second, from one process in pm-edge, ready when all are open."""
    return Client(names.EDGE, _open_pages, (count,))


def steady(host: str, connections: int, rate: int) -> Client:
    """`rate` requests per second for a name on kept-alive connections, from pm-client."""
    return Client(names.CLIENT, _steady, (host, connections, rate))
