"""What tests of the admin API's access need: tokens written as the command line writes them, raw requests, and a small
WebSocket client (RFC 6455) that can also misbehave. Standard library only."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
import socket
import ssl
import struct
from typing import Any

from demonet import names, netns

PORT = names.ADMIN_PORT


class Tokens:
    """A file of tokens: admin.tokens of the configuration."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lines: dict[str, str] = {}
        self.write()

    def write(self) -> None:
        """Replaces the file."""
        descriptor = os.open(f"{self.path}.made", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in self.lines.values())
        os.replace(f"{self.path}.made", self.path)

    def add(self, name: str, role: str) -> str:
        """A new token, which is returned."""
        secret = f"pm_{secrets.token_urlsafe(32)}"
        self.lines[name] = json.dumps({"name": name, "role": role, "id": secrets.token_hex(8),
                                       "sha256": hashlib.sha256(secret.encode()).hexdigest(),
                                       "created_at": "2026-01-31T08:00:00Z"})
        self.write()
        return secret

    def remove(self, name: str) -> None:
        """One goes."""
        del self.lines[name]
        self.write()


def bearer(secret: str) -> dict[str, str]:
    """The header field with a token."""
    return {"Authorization": f"Bearer {secret}"}


def connect(timeout: float = 10, tls: ssl.SSLContext | None = None) -> socket.socket:
    """A connection to the API from inside pm-edge."""
    with netns.inside(names.EDGE):
        sock = socket.create_connection(("127.0.0.1", PORT), timeout)
    return tls.wrap_socket(sock, server_hostname="127.0.0.1") if tls else sock


class Answer:
    """Status, header fields (lower case; of several with one name the last) and body."""

    def __init__(self, received: bytes) -> None:
        head, _, self.body = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1]) if lines[0].startswith("HTTP/1.") else 0
        self.fields = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines[1:]}
        self.lines = lines[1:]

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


def exchange(sock: socket.socket, sent: bytes) -> Answer:
    """One request and its answer, which has a Content-Length; the connection stays open."""
    sock.sendall(sent)
    received = b""
    while b"\r\n\r\n" not in received:
        data = sock.recv(65536)
        if not data:
            return Answer(received or b"\r\n\r\n")
        received += data
    answer = Answer(received)
    missing = int(answer.fields.get("content-length", "0")) - len(answer.body)
    while missing > 0 and not sent.startswith(b"HEAD"):
        data = sock.recv(65536)
        if not data:
            break
        answer.body += data
        missing -= len(data)
    return answer


def request(method: str, path: str, fields: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """The bytes of a request, exactly as given."""
    all_fields = {"Host": f"127.0.0.1:{PORT}"} | (fields or {})
    if body:
        all_fields = {"Content-Type": "application/json", "Content-Length": str(len(body))} | all_fields
    lines = "".join(f"{name}: {value}\r\n" for name, value in all_fields.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


def ask(method: str, path: str, fields: dict[str, str] | None = None, body: bytes = b"",
        tls: ssl.SSLContext | None = None) -> Answer:
    """One request on a connection of its own."""
    with contextlib.closing(connect(tls=tls)) as sock:
        return exchange(sock, request(method, path, fields, body))


TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class WebSocket:
    """A client of the stream. `refused` is the answer if there was no upgrade."""

    def __init__(self, fields: dict[str, str], tls: ssl.SSLContext | None = None, path: str = "/api/v1/stream") -> None:
        self.sock = connect(tls=tls)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                  "Sec-WebSocket-Key": key} | fields
        self.sock.sendall(request("GET", path, fields))
        received = b""
        while b"\r\n\r\n" not in received:
            data = self.sock.recv(65536)
            if not data:
                break
            received += data
        answer = Answer(received)
        self.buffer = answer.body
        self.refused = None if answer.status == 101 else answer
        if not self.refused:
            wanted = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
            assert answer.fields["sec-websocket-accept"] == base64.b64encode(wanted).decode()

    def _take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("the stream has ended without a good-bye")
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload."""
        first, length = self._take(2)
        assert first & 0x80 and not length & 0x80, "whole and not masked"
        if length == 126:
            length, = struct.unpack(">H", self._take(2))
        elif length == 127:
            length, = struct.unpack(">Q", self._take(8))
        return first & 0x0f, self._take(length)

    def message(self) -> Any:
        """The next text, decoded."""
        while True:
            opcode, payload = self.frame()
            if opcode == PING:
                self.send(PONG, payload)
            elif opcode == CLOSE:
                raise ConnectionError(f"closed: {struct.unpack('>H', payload[:2])[0]}")
            elif opcode == TEXT:
                return json.loads(payload)

    def closed(self) -> int:
        """Reads on to the good-bye and returns its code."""
        while True:
            opcode, payload = self.frame()
            if opcode == CLOSE:
                self.send(CLOSE, payload[:2])
                return struct.unpack(">H", payload[:2])[0]

    def send(self, opcode: int, payload: bytes) -> None:
        """One frame, masked."""
        mask = secrets.token_bytes(4)
        length = struct.pack("B", 0x80 | len(payload)) if len(payload) < 126 else struct.pack(">BH", 0xfe, len(payload))
        self.sock.sendall(bytes([0x80 | opcode]) + length + mask +
                          bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)))

    def close(self) -> None:
        """Without a good-bye."""
        self.sock.close()
