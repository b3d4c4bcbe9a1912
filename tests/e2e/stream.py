"""A WebSocket client of the admin API's stream (RFC 6455), as small as a test needs it: text messages both ways, pings
answered, messages kept until somebody asks for them."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import time
from typing import Any, Callable

from demonet import names, netns

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Stream:
    """One open stream. Use it in a `with`."""

    def __init__(self, headers: dict[str, str] | None = None, timeout: float = 10.0) -> None:
        with netns.inside(names.EDGE):
            self.sock = socket.create_connection(("127.0.0.1", names.ADMIN_PORT), timeout=timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {"Host": f"127.0.0.1:{names.ADMIN_PORT}", "Upgrade": "websocket", "Connection": "Upgrade",
                  "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13", **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.sock.sendall(f"GET /api/v1/stream HTTP/1.1\r\n{lines}\r\n".encode())
        self.buffer = b""
        head = self._until(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise OSError(f"no stream: {head[:200]!r}")

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def _more(self) -> None:
        data = self.sock.recv(1 << 20)
        if not data:
            raise OSError("the stream has ended")
        self.buffer += data

    def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._more()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def _until(self, end: bytes) -> bytes:
        while end not in self.buffer:
            self._more()
        return self._take(self.buffer.index(end) + len(end))

    def _send(self, kind: int, payload: bytes) -> None:
        mask = os.urandom(4)
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.sock.sendall(bytes([0x80 | kind]) + length + mask + masked)

    def say(self, message: Any) -> None:
        """Sends a message."""
        self._send(TEXT, json.dumps(message).encode())

    def message(self) -> dict:
        """The next message."""
        while True:
            first, second = self._take(2)
            assert first & 0x80, "a message in pieces"
            size = second & 0x7f
            if size >= 126:
                size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
            payload = self._take(size)
            if first & 15 == PING:
                self._send(PONG, payload)
            elif first & 15 == CLOSE:
                raise OSError(f"the stream was closed: {payload!r}")
            else:
                return json.loads(payload)

    def wait(self, kind: str, wanted: Callable[[dict], bool] = lambda _: True, seconds: float = 5.0) -> dict:
        """The next message of this type that is wanted; others are passed over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            message = self.message()
            if message["type"] == kind and wanted(message):
                return message
        raise AssertionError(f"no {kind} came within {seconds} s")
