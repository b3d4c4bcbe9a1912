"""A plain client of a stand-in API server, for its own tests: sees heads, chunks and lines as they come."""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Any

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
