"""The part of the demo's application that nginx alone cannot do: bytes of any number, and the hash of a body.

GET /bytes/N answers N bytes of a fixed stream; POST /sha256 answers the hex digest of the body. It is reached
through the cluster's nginx only.
"""

from __future__ import annotations

import hashlib
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BYTES_MAX = 1_000_000_000
# Its length divides no buffer or segment size, so that a piece lost, doubled or moved changes the hash.
BLOCK = hashlib.shake_128(b"pointsman").digest(1_000_003)


def stream(count: int):
    """The `count` bytes that /bytes/N answers, in pieces."""
    view = memoryview(BLOCK)
    while count > 0:
        piece = view[:count]
        yield piece
        count -= len(piece)


def stream_digest(count: int) -> str:
    """The SHA-256 of what /bytes/N answers."""
    digest = hashlib.sha256()
    for piece in stream(count):
        digest.update(piece)
    return digest.hexdigest()


class Handler(BaseHTTPRequestHandler):
    """One connection from nginx, which asks with HTTP/1.0 and closes after each answer."""

    def do_GET(self) -> None:  # pylint: disable=invalid-name
        number = self.path.removeprefix("/bytes/")
        if not number.isdecimal() or int(number) > BYTES_MAX:
            self._text(400, f"expected /bytes/N with N from 0 to {BYTES_MAX}")
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", number)
        self.end_headers()
        for piece in stream(int(number)):
            self.wfile.write(piece)

    def do_POST(self) -> None:  # pylint: disable=invalid-name
        left = int(self.headers.get("Content-Length", "0"))
        digest = hashlib.sha256()
        while left > 0 and (data := self.rfile.read(min(left, 1 << 18))):
            digest.update(data)
            left -= len(data)
        if not left:
            self._text(200, digest.hexdigest())

    def _text(self, status: int, line: str) -> None:
        body = (line + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args) -> None:  # pylint: disable=redefined-builtin
        """Requests are not logged."""


class Server(ThreadingHTTPServer):
    """A thread per connection; a client that goes away in the middle is nothing to report."""

    request_queue_size = 1024

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def serve(address: str, port: int) -> None:
    """Serves until the process is ended."""
    Server((address, port), Handler).serve_forever()
