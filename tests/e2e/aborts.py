"""Connections that end in every way there is: a server and clients that reset, half-close, fall silent or vanish."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Callable

from demonet import names, netns
from traffic import client_address

NAME = "aborts.ch"
HOST = "203.0.113.13"  # a third host of pm-ose1, made for this
PATIENCE = 10.0
TCP_REPAIR = 19
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time
# Clients from here never answer with RST: when they vanish, they are gone without a trace.
VANISHING = "198.19.128.0/17"
VANISHING_FIRST = 0x18000 - 1  # the number of its first address
VANISHING_RULES = ("table inet test { chain output { type filter hook output priority 0;"
                   f" ip saddr {VANISHING} tcp flags & rst == rst drop; }}; }}")

HEAD = f"GET /{{path}} HTTP/1.1\r\nHost: {NAME}\r\n\r\n"
BODY = b"x" * 20_000
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class AbortServer:
    """A router host that does with each connection what the path of its first request says."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._thread.start()
        self._ready.wait(PATIENCE)

    def _run(self) -> None:
        netns.enter(names.OSE1)
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, HOST, 80, backlog=4096))
        self._ready.set()
        self._loop.run_forever()
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def close(self) -> None:
        """Ends it with all connections."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
            path = head.split(b" ")[1].decode()
            await getattr(self, "_do_" + path.strip("/").replace("/", "_"))(reader, writer)
        writer.transport.abort()

    @staticmethod
    def _reset(writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        writer.transport.abort()

    async def _do_answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The whole answer, then FIN."""
        writer.write(ANSWER)
        await writer.drain()
        writer.close()
        await asyncio.wait_for(writer.wait_closed(), PATIENCE)

    _do_healthz_ready = _do_answer

    async def _do_reset(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """RST in the place of an answer."""
        self._reset(writer)

    async def _do_reset_in_answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """RST behind half an answer."""
        writer.write(ANSWER[:len(ANSWER) // 2])
        await writer.drain()
        self._reset(writer)

    async def _do_fin_and_wait(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The answer and FIN at once; then reads what may still come."""
        writer.write(ANSWER)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), PATIENCE)

    async def _do_answer_after_fin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The answer when the client has closed its side."""
        await asyncio.wait_for(reader.read(), PATIENCE)
        writer.write(ANSWER)
        await writer.drain()

    async def _do_silence(self, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        """Nothing, until somebody ends the connection."""
        await asyncio.wait_for(reader.read(), PATIENCE)


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    sock.close()


def _vanish(sock: socket.socket) -> None:
    """The connection is gone on this side, and nothing is sent about it."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    sock.close()


def _ask(sock: socket.socket, path: str) -> None:
    sock.sendall(HEAD.format(path=path).encode())


def _read_all(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def _say_nothing(sock: socket.socket, end: Callable[[socket.socket], None]) -> None:
    end(sock)


def _say_half_a_head(sock: socket.socket, end: Callable[[socket.socket], None]) -> None:
    sock.sendall(HEAD.format(path="answer").encode()[:30])
    end(sock)


def _half_close_in_head(sock: socket.socket, end: Callable[[socket.socket], None]) -> None:
    sock.sendall(HEAD.format(path="answer").encode()[:30])
    sock.shutdown(socket.SHUT_WR)
    _read_all(sock)
    end(sock)


def _ask_and_leave(sock: socket.socket, end: Callable[[socket.socket], None]) -> None:
    _ask(sock, "silence")
    end(sock)


def _leave_in_answer(sock: socket.socket, end: Callable[[socket.socket], None]) -> None:
    _ask(sock, "answer")
    sock.recv(1000)
    end(sock)


def _half_close(sock: socket.socket, end: Callable[[socket.socket], None]) -> None:
    _ask(sock, "answer_after_fin")
    sock.shutdown(socket.SHUT_WR)
    _read_all(sock)
    end(sock)


def _half_close_for_ever(sock: socket.socket, end: Callable[[socket.socket], None]) -> None:
    """The server has closed, the client never does: the limit for half-closed connections ends it."""
    _ask(sock, "fin_and_wait")
    _read_all(sock)
    with contextlib.suppress(TimeoutError):
        sock.recv(1)
    end(sock)


def _whole(sock: socket.socket, end: Callable[[socket.socket], None]) -> None:
    _ask(sock, "answer")
    _read_all(sock)
    end(sock)


def _server_resets(sock: socket.socket, end: Callable[[socket.socket], None]) -> None:
    _ask(sock, "reset")
    with contextlib.suppress(ConnectionResetError):
        _read_all(sock)
    end(sock)


def _server_resets_in_answer(sock: socket.socket, end: Callable[[socket.socket], None]) -> None:
    _ask(sock, "reset_in_answer")
    with contextlib.suppress(ConnectionResetError):
        _read_all(sock)
    end(sock)


def _unknown_name(sock: socket.socket, end: Callable[[socket.socket], None]) -> None:
    sock.sendall(b"GET / HTTP/1.1\r\nHost: nobody.ch\r\n\r\n")
    sock.recv(10)
    end(sock)


STEPS = (_say_nothing, _say_half_a_head, _half_close_in_head, _ask_and_leave, _leave_in_answer, _half_close,
         _half_close_for_ever, _whole, _server_resets, _server_resets_in_answer, _unknown_name)
ENDS = (socket.socket.close, _reset, _vanish)


@dataclass
class Aborts:
    """Clients that make `count` connections, each with a way and an end chosen at random."""

    count: int
    threads: int = 16
    seed: int = 1
    made: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)  # what no way of ending explains
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Makes them all."""
        self._random = random.Random(self.seed)
        workers = [threading.Thread(target=self._work, daemon=True) for _ in range(self.threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def _next(self) -> tuple[int, Callable, Callable] | None:
        with self._lock:
            if self.count == 0:
                return None
            self.count -= 1
            return self._random.randrange(0x7ffe), self._random.choice(STEPS), self._random.choice(ENDS)

    def _work(self) -> None:
        netns.enter(names.CLIENT)
        while chosen := self._next():
            number, step, end = chosen
            source = client_address(number + (VANISHING_FIRST if end is _vanish else 0))
            what = f"{step.__name__.strip('_')} {end.__name__.strip('_')}"
            begun = time.monotonic()
            try:
                self._one(source, step, end)
                error = ""
            except (ConnectionResetError, BrokenPipeError):
                error = ""  # part of the game
            except OSError as fault:
                error = f"{what} from {source} after {time.monotonic() - begun:.1f} s: {fault!r}"
            with self._lock:
                self.made[what] += 1
                if error:
                    self.failed.append(error)

    @staticmethod
    def _one(source: str, step: Callable, end: Callable) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
            sock.bind((source, 0))
            sock.connect((names.VIP, 80))
            step(sock, end)
