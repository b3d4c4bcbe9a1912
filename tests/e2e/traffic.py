"""Clients of the end-to-end tests: load from many addresses, held connections, wrk."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from demonet import client, names, netns

RANGE_FIRST = int.from_bytes(socket.inet_aton("198.18.0.1"), "big")
RANGE_SIZE = (1 << 17) - 2


def client_address(number: int) -> str:
    """The address of client `number` (any number: they repeat after 131,070)."""
    return socket.inet_ntoa((RANGE_FIRST + number % RANGE_SIZE).to_bytes(4, "big"))


@dataclass(repr=False)
class Result:
    """What a load saw."""

    requests: int = 0
    errors: list[str] = field(default_factory=list)  # each request that did not get its 200
    seconds: list[float] = field(default_factory=list)  # of each request, in no order
    routers: Counter[str] = field(default_factory=Counter)  # router host -> requests that it answered

    def add(self, other: Result) -> None:
        """Sums up two."""
        self.requests += other.requests
        self.errors += other.errors
        self.seconds += other.seconds
        self.routers += other.routers

    def slower_than(self, seconds: float) -> int:
        """How many took longer."""
        return sum(one > seconds for one in self.seconds)

    def __repr__(self) -> str:
        worst = max(self.seconds, default=0.0)
        return (f"{self.requests} requests, {len(self.errors)} errors {self.errors[:3]}, slowest {worst:.3f} s,"
                f" {dict(self.routers)}")


class Load:
    """Threads that make one-request connections to the VIP from ever new client addresses.

    With `count` so many in all, else until the end of the `with` block; not more than `rate` each second:
        with Load("app1.ch") as load: ...
        assert not load.result.errors, load.result
    """

    def __init__(self, name: str, tls: ssl.SSLContext | None = None, threads: int = 8, count: int | None = None,
                 namespace: str = names.CLIENT, seed: int = 1, timeout: float = 10.0,
                 rate: float | None = None) -> None:
        self.name = name
        self.tls = tls
        self.namespace = namespace
        self.timeout = timeout
        self.result = Result()
        self._random = random.Random(seed)
        self._left = count
        self._pause = 1 / rate if rate else 0.0
        self._next_start = 0.0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._request = f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]

    def run(self) -> Result:
        """Makes all `count` connections."""
        with self:
            for thread in self._threads:
                thread.join()
        return self.result

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _next_source(self) -> str | None:
        """The next client's address ("" outside of pm-client: the namespace's own); None when it is over."""
        with self._lock:
            if self._over.is_set() and self._left is None or self._left == 0:
                return None
            if self._left is not None:
                self._left -= 1
            if self._pause:
                self._await_turn()
            return client_address(self._random.randrange(RANGE_SIZE)) if self.namespace == names.CLIENT else ""

    def _await_turn(self) -> None:
        now = time.monotonic()
        self._next_start = max(now, self._next_start + self._pause)
        time.sleep(self._next_start - now)

    def _work(self) -> None:
        netns.enter(self.namespace)
        mine = Result()
        while (source := self._next_source()) is not None:
            before = time.monotonic()
            try:
                mine.routers[self._one(source)] += 1
            except OSError as error:
                mine.errors.append(f"{type(error).__name__}: {error}")
            mine.requests += 1
            mine.seconds.append(time.monotonic() - before)
        with self._lock:
            self.result.add(mine)

    def _one(self, source: str) -> str:
        """One connection; the router host that answered."""
        with contextlib.ExitStack() as stack:
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            sock.settimeout(self.timeout)
            if source:
                # The port is chosen at connect(), where only the 4-tuple must be free.
                sock.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
                sock.bind((source, 0))
            sock.connect((names.VIP, 443 if self.tls else 80))
            if self.tls:
                sock = stack.enter_context(self.tls.wrap_socket(sock, server_hostname=self.name))
            sock.sendall(self._request)
            answer = b""
            while data := sock.recv(65536):
                answer += data
            if not (answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(f"host={self.name}\n".encode())):
                raise OSError(f"answer {answer[:60]!r}")
            return re.search(rb"router=(\S+)", answer)[1].decode()


class Held:
    """A kept-alive connection on which one request was answered."""

    def __init__(self, name: str, source: str = "", namespace: str = names.CLIENT, port: int = 80) -> None:
        self.name = name
        self.sock = client.connect(port, namespace, source)
        self.answer = self.ask()

    def ask(self, path: str = "/") -> client.Answer:
        """One more request on the same connection."""
        return client.request(self.sock, self.name, path)

    @property
    def router(self) -> str:
        """The router host that it is joined to."""
        return self.answer.field("router")

    def close(self) -> None:
        """Ends the connection."""
        self.sock.close()


def wrk(url_path: str, name: str, connections: int, seconds: int, port: int = 80) -> dict[str, int]:
    """Kept-alive load by wrk from pm-client: {requests, errors (of sockets), bad (not 2xx or 3xx)}."""
    scheme = "https" if port == 443 else "http"
    done = subprocess.run(
        ["ip", "netns", "exec", names.CLIENT, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
         "-H", f"Host: {name}", f"{scheme}://{names.VIP}{url_path}"],
        capture_output=True, text=True, check=True, timeout=seconds + 60)
    requests = re.search(r"(\d+) requests in", done.stdout)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", done.stdout)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    return {"requests": int(requests[1]) if requests else 0,
            "errors": sum(map(int, errors.groups())) if errors else 0,
            "bad": int(bad[1]) if bad else 0}
