"""Forwards TCP ports of the machine into a namespace: it listens here and connects from there.

Listening sockets stay in the namespace in which they were made, so the process makes them first and then moves.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

from . import netns

PIECE = 1 << 16


@dataclass(frozen=True)
class Forward:
    """127.0.0.1:port of the machine leads to address:target inside the namespace."""

    port: int
    address: str
    target: int

    @classmethod
    def parse(cls, text: str) -> Forward:
        """Reads PORT=ADDRESS:TARGET."""
        port, rest = text.split("=")
        address, target = rest.rsplit(":", 1)
        return cls(int(port), address, int(target))

    def __str__(self) -> str:
        return f"{self.port}={self.address}:{self.target}"


def listener(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1:port; OSError if the port is taken."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(256)
    except OSError:
        sock.close()
        raise
    return sock


def free_port(wanted: int, taken: set[int]) -> int:
    """The first port from `wanted` on that is free now and not in `taken`."""
    for port in range(wanted, min(wanted + 100, 65536)):
        if port in taken:
            continue
        try:
            listener(port).close()
            return port
        except OSError:
            continue
    raise OSError(f"no free port from {wanted} to {wanted + 99} on 127.0.0.1")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(PIECE):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, forward: Forward) -> None:
    try:
        inner_reader, inner_writer = await asyncio.open_connection(forward.address, forward.target)
    except OSError:
        writer.transport.abort()
        return
    try:
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        inner_writer.close()
        writer.close()
    except OSError:
        inner_writer.transport.abort()
        writer.transport.abort()


async def _serve(listeners: list[tuple[socket.socket, Forward]]) -> None:
    servers = [await asyncio.start_server(lambda reader, writer, to=forward: _joined(reader, writer, to), sock=sock)
               for sock, forward in listeners]
    await asyncio.gather(*(server.serve_forever() for server in servers))


def serve(namespace: str, forwards: list[Forward]) -> None:
    """Forwards until the process is ended."""
    listeners = [(listener(forward.port), forward) for forward in forwards]
    netns.enter(namespace)
    asyncio.run(_serve(listeners))
