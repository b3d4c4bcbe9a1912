"""Clients that decide about each byte and segment themselves: raw exchanges with the VIP, and TLS by hand."""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
import termios
import time
from dataclasses import dataclass
from typing import Iterable

from demonet import client
from demonet.client import Answer
from demonet.supervisor import await_true

TCP_INFO_DATA_SEGMENTS_OUT = 156  # offset of tcpi_data_segs_out in struct tcp_info
RECORD_HEADER = 5
RECORD_HANDSHAKE = 22
RECORD_ALERT = 21
FATAL = 2


def http_answer(data: bytes) -> Answer:
    """An answer whose end was the end of the connection."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if not first.startswith("HTTP/1."):
        raise OSError(f"no answer in HTTP: {data[:80]!r}")
    fields = dict(line.split(": ", 1) for line in lines)
    return Answer(int(first.split()[1]), {name.lower(): value for name, value in fields.items()}, body)


@dataclass(frozen=True)
class Reply:
    """All that came back on a connection until its end, and how long that took."""

    data: bytes
    seconds: float

    @property
    def http(self) -> Answer:
        """The HTTP answer."""
        return http_answer(self.data)

    @property
    def alert(self) -> int:
        """The description of the one fatal TLS alert."""
        if len(self.data) != 7 or self.data[0] != RECORD_ALERT or self.data[5] != FATAL:
            raise OSError(f"no TLS alert: {self.data[:80]!r}")
        return self.data[6]


def receive_all(sock: socket.socket) -> bytes:
    """Reads to the end of the stream."""
    received = b""
    while data := sock.recv(65536):
        received += data
    return received


def exchange(port: int, sent: bytes) -> Reply:
    """Sends to the VIP on a connection of its own and reads to the end of it. A reset is an OSError."""
    before = time.monotonic()
    with client.connect(port) as sock:
        sock.sendall(sent)
        data = receive_all(sock)
    return Reply(data, time.monotonic() - before)


def _unacknowledged(sock: socket.socket) -> int:
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]


def send_apart(sock: socket.socket, pieces: Iterable[bytes]) -> None:
    """Each piece in a segment of its own: the next one is sent when the one before is acknowledged."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        await_true(lambda: _unacknowledged(sock) == 0, 5, "the segment before is acknowledged", 0.0002)
        sock.sendall(piece)


def segments_sent(sock: socket.socket) -> int:
    """How many segments with data the socket has sent."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("=I", info, TCP_INFO_DATA_SEGMENTS_OUT)[0]


class TlsByHand:
    """A TLS client that leaves the sending of its ClientHello to the test."""

    def __init__(self, context: ssl.SSLContext, name: str | None) -> None:
        self.name = name
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self.hello = self._outgoing.read()

    def _until_done(self, sock: socket.socket, step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                sock.sendall(self._outgoing.read())
                if data := sock.recv(65536):
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()

    def request(self, sock: socket.socket) -> Answer:
        """After the ClientHello: the rest of the handshake, and one request."""
        self._until_done(sock, self._tls.do_handshake)
        self._tls.write(f"GET / HTTP/1.1\r\nHost: {self.name}\r\nConnection: close\r\n\r\n".encode())
        received = b""
        while data := self._until_done(sock, lambda: self._tls.read(65536)):
            received += data
        return http_answer(received)


def hello_without_name(context: ssl.SSLContext) -> bytes:
    """A ClientHello without SNI."""
    context.check_hostname = False
    return TlsByHand(context, None).hello


def _offer(context: ssl.SSLContext, count: int) -> None:
    """Lets the context offer application protocols of `count` bytes in all, lengths included."""
    context.set_alpn_protocols(["x" * (min(200, count - at) - 1) for at in range(0, count, 200)])


def hello_of_size(context: ssl.SSLContext, name: str, size: int) -> TlsByHand:
    """A client whose ClientHello, in one record, has so many bytes: from 1,300 on. It offers many protocols."""
    _offer(context, 1000)
    _offer(context, 1000 + size - len(TlsByHand(context, name).hello))
    return TlsByHand(context, name)


def in_records(hello: bytes, size: int) -> bytes:
    """The same ClientHello in records of `size` bytes each."""
    body = hello[RECORD_HEADER:]
    parts = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(struct.pack("!BHH", RECORD_HANDSHAKE, 0x0301, len(part)) + part for part in parts)
