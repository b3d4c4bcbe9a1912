"""A stand-in API server of one's own and plain clients of it, for its tests: they see heads, chunks and lines as they
come. Also what answers are compared with: recorded ones of a real API server."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import ssl
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any, Iterator

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)

from apiserver.client import OwnStandin  # noqa: E402

ROUTES = "/apis/route.openshift.io/v1/routes"
TOKENS = {name: {"user": f"system:serviceaccount:lb-system:{name}", "role": name}
          for name in ("reader", "developer", "admin")}
RECORDED = f"{TESTS}/data/kube"
PATIENCE = 8.0


@dataclass
class Raw:
    """An answer as it came; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


def split_answer(data: bytes) -> Raw:
    """A whole answer from the wire, or from a recorded file."""
    head, _, rest = data.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
    if headers.get("transfer-encoding") == "chunked":
        rest = unchunked(rest)[0]
    return Raw(int(line.split()[1]), headers, rest)


def unchunked(data: bytes) -> tuple[bytes, bool]:
    """The body so far, and whether its last chunk has come."""
    body = b""
    while found := re.match(rb"([0-9a-f]+)\r\n", data):
        size = int(found[1], 16)
        if size == 0:
            return body, True
        body += data[found.end():found.end() + size]
        data = data[found.end() + size + 2:]
    return body, False


@dataclass
class Connection:
    """One connection that asks once."""

    port: int
    tls: ssl.SSLContext | None = None
    token: str = "reader"
    agent: str = "test"
    received: bytes = b""
    sock: socket.socket = field(init=False)

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Connection:
        """Sends the request, which is the last on this connection."""
        self.sock = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        if self.tls:
            self.sock = self.tls.wrap_socket(self.sock, server_hostname="127.0.0.1")
        data = b"" if body is None else json.dumps(body).encode()
        fields = {"Host": "127.0.0.1", "User-Agent": self.agent, "Content-Length": str(len(data)),
                  "Content-Type": "application/json", "Connection": "close"}
        if self.token:
            fields["Authorization"] = f"Bearer {self.token}"
        lines = "".join(f"{name}: {value}\r\n" for name, value in (fields | (headers or {})).items())
        self.sock.sendall(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + data)
        return self

    def whole(self) -> Raw:
        """The answer, when the server has closed."""
        try:
            while data := self.sock.recv(1 << 20):
                self.received += data
        finally:
            self.sock.close()
        return split_answer(self.received)

    def _more(self, seconds: float) -> bool:
        """False: nothing came, or the server has closed."""
        self.sock.settimeout(max(seconds, 0.01))
        try:
            data = self.sock.recv(1 << 20)
        except TimeoutError:
            return False
        self.received += data
        return bool(data)

    def events(self, count: int, seconds: float = PATIENCE) -> list[dict]:
        """The first `count` events of a watch, or what came of them in the time."""
        limit = time.monotonic() + seconds
        while True:
            found = [json.loads(line) for line in self.lines()]
            left = limit - time.monotonic()
            if len(found) >= count or left < 0 or not self._more(left):
                return found

    def lines(self) -> list[bytes]:
        """The complete lines of the stream so far."""
        return split_answer(self.received).body.split(b"\n")[:-1] if b"\r\n\r\n" in self.received else []

    def close(self) -> None:
        """Goes away."""
        self.sock.close()


def free_port() -> int:
    """A port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


class Api(OwnStandin):
    """A stand-in on a port of its own, and clients of it."""

    def __init__(self, directory: str, *options: str) -> None:
        self.port = free_port()
        super().__init__(directory, "--listen", f"127.0.0.1:{self.port}", *options)
        self.settings(tokens=TOKENS)

    def get(self, path: str, token: str = "reader", agent: str = "test", **headers: str) -> Raw:
        """One GET."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return Connection(self.port, token=token, agent=agent).ask("GET", path, headers=fields).whole()

    def write(self, method: str, path: str, body: Any, token: str = "developer", content: str = "") -> Raw:
        """One write."""
        fields = {"Content-Type": content} if content else {}
        return Connection(self.port, token=token).ask(method, path, body, fields).whole()

    def watch(self, query: str = "", path: str = ROUTES) -> Connection:
        """A watch; without a version in the query from now on."""
        if "resourceVersion" not in query:
            query = f"resourceVersion={self.revision}&{query}"
        connection = Connection(self.port).ask("GET", f"{path}?watch=1&{query}")
        connection.events(0)
        while b"\r\n\r\n" not in connection.received:
            connection.received += connection.sock.recv(65536)
        return connection

    @property
    def revision(self) -> int:
        """The newest version."""
        return self.state()["revision"]


@contextlib.contextmanager
def api(*options: str) -> Iterator[Api]:
    """An empty cluster."""
    with tempfile.TemporaryDirectory() as directory, Api(directory, *options) as standin:
        yield standin


def types(events: list[dict]) -> list[str]:
    """What happened, in short."""
    return [event["type"] for event in events]


def names_of(events: list[dict]) -> list[tuple[str, str]]:
    """(type, name)"""
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


def assert_status(answer: Raw, code: int, reason: str, text: str = "") -> None:
    """The answer is a Status object with this reason, and `text` in its message."""
    assert answer.status == code, (answer.status, answer.body)
    assert answer.headers["content-type"] == "application/json"
    assert (answer.json["kind"], answer.json["code"], answer.json["reason"]) == ("Status", code, reason), answer.json
    assert text in answer.json["message"], answer.json["message"]


def shape(value: Any) -> Any:
    """A decoded JSON value without its texts and numbers; of a list the first item."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return type(value).__name__


def recorded(name: str) -> Raw:
    """A recorded answer of a real API server."""
    with open(f"{RECORDED}/{name}.http", "rb") as file:
        return split_answer(file.read())


def assert_like(answer: Raw, name: str) -> None:
    """The answer has status, form and headers of the recorded one."""
    wanted = recorded(name)
    assert answer.status == wanted.status
    ours = set(answer.headers) - {"connection"}
    assert {field for field in wanted.headers if not field.startswith("x-")} <= ours, (wanted.headers, answer.headers)
    for field in ("content-type", "retry-after", "cache-control", "transfer-encoding"):
        assert answer.headers.get(field) == wanted.headers.get(field), (field, answer.headers)
