"""HTTP/1.1 as far as API clients use it: reads requests, writes whole answers and chunked streams."""

from __future__ import annotations

import asyncio
import email.utils
import gzip
import http
import json
import urllib.parse
import uuid
from dataclasses import dataclass
from typing import Any

from .answers import Reply
from .faults import Faults

GZIP_FROM = 128 << 10
CHUNKED_FROM = 2048
CHUNK_MAX = 64 << 10
BODY_MAX = 8 << 20


class Cut(Exception):
    """The connection shall be reset here."""


@dataclass
class Request:
    """One request. Header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    local: bool  # over the Unix socket: trusted, and never subject to faults

    def json(self) -> Any:
        """The body, decoded; ValueError if it is no JSON."""
        return json.loads(self.body)

    @property
    def keeps_alive(self) -> bool:
        """Does the client want to go on with this connection?"""
        return self.headers.get("connection", "").lower() != "close"


async def read_request(reader: asyncio.StreamReader, local: bool) -> Request | None:
    """The next request; None: the client has gone or speaks something else."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)}
        length = int(headers.get("content-length", "0"))
        if length > BODY_MAX or "chunked" in headers.get("transfer-encoding", ""):
            return None
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
        return None
    path, _, query = target.partition("?")
    return Request(method, urllib.parse.unquote(path), dict(urllib.parse.parse_qsl(query, keep_blank_values=True)),
                   headers, body, local)


def _pretty(request: Request) -> bool:
    asked = request.query.get("pretty")
    if asked is not None:
        return asked not in ("false", "0")
    return request.headers.get("user-agent", "").startswith(("curl", "Wget", "Mozilla"))


class Answering:
    """Writes the answer to one request, subject to the faults of how things are sent."""

    def __init__(self, request: Request, writer: asyncio.StreamWriter, faults: Faults) -> None:
        self.request = request
        self.writer = writer
        self.faults = faults
        self.resource = ""  # which faults apply
        self.on = "list"

    async def _send(self, data: bytes) -> None:
        slow = None if self.request.local else self.faults.get("slow", self.resource, self.on)
        step = slow["bytes"] if slow else len(data)
        for start in range(0, len(data), step or 1):
            if not self.request.local:
                await self.faults.pass_hang(self.resource, self.on)
            if self.writer.is_closing():
                raise ConnectionResetError("the client has gone")
            self.writer.write(data[start:start + step])
            await self.writer.drain()
            if slow:
                await asyncio.sleep(slow["seconds"])

    def _head(self, status: int, headers: dict[str, str]) -> bytes:
        lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}", f"Audit-Id: {uuid.uuid4()}",
                 "Cache-Control: no-cache, private"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Date: {email.utils.formatdate(usegmt=True)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def whole(self, reply: Reply) -> None:
        """An answer that is complete."""
        body, headers = reply.body, {"Content-Type": reply.kind, **reply.headers}
        if reply.kind == "application/json" and _pretty(self.request):
            body = json.dumps(json.loads(body), indent=2, ensure_ascii=False).encode() + b"\n"
        elif len(body) > GZIP_FROM and "gzip" in self.request.headers.get("accept-encoding", ""):
            body = gzip.compress(body, 1)
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        if len(body) < CHUNKED_FROM:
            await self._send(self._head(reply.status, headers | {"Content-Length": str(len(body))}) + body)
            return
        await self.begin(reply.status, headers)
        for start in range(0, len(body), CHUNK_MAX):
            await self.chunk(body[start:start + CHUNK_MAX])
        await self.end()

    async def half(self, reply: Reply) -> None:
        """The beginning of an answer, then the connection is reset."""
        await self.begin(reply.status, {"Content-Type": reply.kind})
        await self.chunk(reply.body[:len(reply.body) // 2])
        raise Cut

    async def begin(self, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """The head of a stream."""
        headers = headers or {"Content-Type": "application/json"}
        await self._send(self._head(status, headers | {"Transfer-Encoding": "chunked"}))

    async def chunk(self, data: bytes) -> None:
        """A piece of a stream."""
        small = None if self.request.local else self.faults.get("chunks", self.resource, self.on)
        while data:
            size = self.faults.random.randint(1, small["bytes"]) if small else len(data)
            piece, data = data[:size], data[size:]
            await self._send(b"%x\r\n%s\r\n" % (len(piece), piece))
            if small:
                await asyncio.sleep(0)  # so that it is not sent in one packet with the next

    async def end(self) -> None:
        """The stream ends in good order."""
        await self._send(b"0\r\n\r\n")
