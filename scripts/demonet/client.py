"""An HTTP and TLS client for one request on one connection, from any namespace and source address."""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass

from . import names, netns


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers with lower-case names, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as one line of text."""
        return self.body.decode(errors="replace").strip()

    def field(self, key: str) -> str:
        """The value of `key=value` in the line that `GET /` answers; "" if there is none."""
        pairs = dict(word.split("=", 1) for word in self.text.split() if "=" in word)
        return pairs.get(key, "")


def connect(port: int, namespace: str = names.CLIENT, source: str = "", address: str = names.VIP,
            timeout: float = 10.0) -> socket.socket:
    """A TCP connection to the VIP (or another address) that starts in `namespace`, from `source` if given."""
    with netns.inside(namespace):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        if source:
            sock.bind((source, 0))
        sock.connect((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def trust(run_dir: str) -> ssl.SSLContext:
    """A TLS client's settings that trust the demo's authority and no other."""
    return ssl.create_default_context(cafile=f"{run_dir}/certs/ca.pem")


def request(sock: socket.socket, name: str, path: str = "/", body: bytes | None = None,
            headers: dict[str, str] | None = None) -> Answer:
    """One request on an open connection (plain or TLS), which stays open if both sides want that."""
    connection = http.client.HTTPConnection(name)
    connection.sock = sock
    connection.request("GET" if body is None else "POST", path, body, headers or {})
    response = connection.getresponse()
    fields = {key.lower(): value for key, value in response.getheaders()}
    return Answer(response.status, fields, response.read())


def fetch(name: str, path: str = "/", body: bytes | None = None, tls: ssl.SSLContext | None = None,
          namespace: str = names.CLIENT, source: str = "", timeout: float = 10.0) -> Answer:
    """One request on a connection of its own to the VIP: port 443 with `tls`, else port 80."""
    with connect(443 if tls else 80, namespace, source, timeout=timeout) as sock:
        if not tls:
            return request(sock, name, path, body, {"Connection": "close"})
        with tls.wrap_socket(sock, server_hostname=name) as secure:
            return request(secure, name, path, body, {"Connection": "close"})
