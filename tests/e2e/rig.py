"""What an end-to-end test works with: the demo network, pointsman inside it, and handles on every part of both.

A test begins with `rig.start(...)`, which gives it a pointsman with the demo's configuration and the named
differences, all router hosts healthy. What a test changes through the rig is put back after it. Clients are in
traffic.py; the order of tests and their reports are harness.py's.
"""

from __future__ import annotations

import contextlib
import copy
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from typing import Any, Callable, Iterator

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{ROOT}/scripts")

import demo_network  # noqa: E402
from demonet import balancer, client, names, netns, network, routers  # noqa: E402
from demonet.balancer import CONTROL, DATAPLANE  # noqa: E402
from demonet.supervisor import Programs, await_true  # noqa: E402

READY_SECONDS = 20.0

# What a broken health endpoint answers; None: nothing, ever.
HEALTH_ANSWERS: dict[str, bytes | None] = {
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "302": b"HTTP/1.1 302 Found\r\nLocation: http://203.0.113.12:1936/healthz/ready\r\nContent-Length: 0\r\n"
           b"Connection: close\r\n\r\n",
    "garbage": b"\x00\xff\x16\x03 this is no HTTP\r\n\r\n",
    "half": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nhalf",
    "half_head": b"HTTP/1.1 200 OK\r\nContent-Len",
    "hang": None,
}


def merged(base: Any, over: Any) -> Any:
    """`base` with the differences of `over`: dictionaries are merged, anything else is replaced."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return copy.deepcopy(over)
    result = dict(base)
    for key, value in over.items():
        result[key] = merged(base.get(key), value)
    return result


def flattened(value: Any, path: str = "") -> dict[str, float]:
    """Every number inside a decoded JSON value: "workers.0.flows" -> 3."""
    if isinstance(value, bool) or not isinstance(value, (dict, list, int, float)):
        return {}
    if isinstance(value, (int, float)):
        return {path: value}
    result: dict[str, float] = {}
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        result.update(flattened(inner, f"{path}.{key}" if path else str(key)))
    return result


class Rig:
    """The network and the programs of one run of the tests."""

    def __init__(self, run_dir: str, build: str) -> None:
        self.run_dir = run_dir
        self.build = build
        self.programs = Programs(run_dir)
        self.tls: ssl.SSLContext
        self.config: dict | None = None  # of the pointsman that runs
        self.dirty = False  # it is not as it was started: the next start is a fresh one
        self._undo = contextlib.ExitStack()
        self._log_starts: dict[str, int] = {}

    # --- the run ---

    def set_up(self) -> None:
        """Makes the network and starts the router hosts; what an earlier, broken run left is removed."""
        demo_network.up(self.run_dir)
        self.tls = client.trust(self.run_dir)

    def tear_down(self) -> None:
        """Ends all and removes the network."""
        demo_network.down(self.run_dir)

    def defer(self, action: Callable[..., Any], *arguments: Any) -> None:
        """Runs an action after the present test."""
        self._undo.callback(action, *arguments)

    def before_test(self) -> None:
        """Remembers where the logs of this test begin."""
        self._log_starts = {name: self._log_size(name) for name in (DATAPLANE, CONTROL)}

    def after_test(self, failed: bool) -> None:
        """Puts back what the test changed; after a failure the next test gets a fresh pointsman."""
        self.dirty |= failed
        with self._undo:
            self._undo = contextlib.ExitStack()

    # --- pointsman ---

    def default_config(self) -> dict:
        """The demo's configuration with this run's paths."""
        return balancer.configuration(self.run_dir, self.build)

    def start(self, overrides: dict | None = None, fresh: bool = False, wait: bool = True) -> None:
        """A pointsman with the demo's configuration and `overrides`. The one that runs is kept when it has the same and
        no test has touched it, unless `fresh`. Returns when it serves (`wait`)."""
        config = merged(self.default_config(), overrides or {})
        if config == self.config and not self.dirty and not fresh:
            return
        self.stop()
        shutil.rmtree(config["paths"]["state"], ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{config['paths']['run']}/history.bin")  # what another test's clients did
        path = balancer.write_configuration(self.run_dir, config)
        for service in balancer.services(self.build, path):
            self.programs.add(service)
        self.config, self.dirty = config, False
        if wait:
            self.await_ready()

    def stop(self) -> None:
        """Ends both programs."""
        known = self.programs.status()
        for name in (CONTROL, DATAPLANE):
            if name in known:
                self.programs.stop(name)
        self.config = None

    def await_ready(self, seconds: float = READY_SECONDS) -> None:
        """Waits until all router hosts are healthy and both clusters answer through the balancer."""
        await_true(lambda: all(host["healthy"] for host in self.hosts().values()), seconds,
                   "all router hosts are healthy")
        balancer.await_serving(seconds)

    def signal(self, name: str, number: int) -> None:
        """Sends a signal to DATAPLANE or CONTROL; what it ends is started again by the supervisor."""
        self.dirty = True
        self.programs.signal(name, number)

    @contextlib.contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """DATAPLANE or CONTROL under SIGSTOP."""
        self.signal(name, signal.SIGSTOP)
        try:
            yield
        finally:
            self.programs.signal(name, signal.SIGCONT)

    def _log_path(self, name: str) -> str:
        return f"{self.run_dir}/logs/{name}.log"

    def _log_size(self, name: str) -> int:
        path = self._log_path(name)
        return os.path.getsize(path) if os.path.exists(path) else 0

    def log(self, name: str) -> str:
        """What DATAPLANE or CONTROL has logged since the test began."""
        if not os.path.exists(self._log_path(name)):
            return ""
        with open(self._log_path(name), "rb") as file:
            file.seek(self._log_starts.get(name, 0))
            return file.read().decode(errors="replace")

    # --- admin API ---

    def api(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None,
            timeout: float = 10.0) -> tuple[int, Any]:
        """One call of the admin API from inside pm-edge: status and the decoded body (bytes when it is not JSON).
        A body that is not bytes is sent as JSON."""
        fields = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            fields.setdefault("Content-Type", "application/json")
        if method != "GET":
            self.dirty = True
        connection = http.client.HTTPConnection("127.0.0.1", names.ADMIN_PORT, timeout=timeout)
        with netns.inside(names.EDGE):
            connection.connect()
        with contextlib.closing(connection):
            connection.request(method, path, body, fields)
            response = connection.getresponse()
            content = response.read()
        try:
            return response.status, json.loads(content)
        except ValueError:
            return response.status, content

    def token(self, role: str, name: str = "") -> str:
        """A new token of this role, made as on a fresh appliance: on the machine itself, into its file."""
        assert self.config
        self.dirty = True
        done = subprocess.run(
            [f"{self.build}/control/cli/pointsman", "token", "create", name or f"test-{role}", "--role", role,
             "--local", "--file", f"{self.config['paths']['state']}/tokens"], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def get(self, path: str) -> Any:
        """The body of a GET that must succeed."""
        status, body = self.api("GET", path)
        if status != 200:
            raise OSError(f"GET {path}: {status} {body!r}")
        return body

    def status(self) -> Any:
        """GET /api/v1/status"""
        return self.get("/api/v1/status")

    def counters(self) -> dict[str, float]:
        """Every number in the status, under its dotted path: a snapshot to compare with a later one."""
        return flattened(self.status())

    def totals(self) -> dict[str, int]:
        """The counters of the dataplane by name, summed over its workers."""
        return self.status()["counters"]

    def hosts(self) -> dict[str, dict]:
        """address -> what GET /api/v1/hosts says of the router host"""
        return {host["address"]: host for host in self.get("/api/v1/hosts")["hosts"]}

    # --- router hosts ---

    def host_stop(self, host: str) -> None:
        """Stops a router host's HAProxy until the end of the test, or host_start."""
        self.dirty = True
        self.programs.stop(routers.router_name(host), signal.SIGKILL)
        self.defer(self.host_start, host)

    def host_start(self, host: str) -> None:
        """Starts it again and waits until it is ready."""
        self.programs.add(routers.router_service(self.run_dir, host))
        routers.await_healthy((host,))

    def nft(self, namespace: str, rules: str) -> None:
        """Loads rules for nft; the table `inet test` is removed after the test, so put them there."""
        subprocess.run(["ip", "netns", "exec", namespace, "nft", "-f", "-"], input=rules, text=True, check=True)
        self.defer(self.nft_clear, namespace)

    def nft_clear(self, namespace: str) -> None:
        """Removes the rules of the test; none is fine."""
        subprocess.run(["ip", "netns", "exec", namespace, "nft", "delete", "table", "inet", "test"], check=False,
                       capture_output=True)

    def host_silent(self, host: str, match: str = "") -> None:
        """The router host drops what comes to it (only what `match` says, such as "tcp flags syn / syn,ack") until
        the end of the test, or nft_clear of its namespace."""
        self.dirty = True
        self.nft(names.cluster_of(host).namespace,
                 "table inet test { chain input { type filter hook input priority 0;"
                 f" ip daddr {host} {match} drop; }}; }}")

    def fake_health(self, host: str, behaviour: str) -> None:
        """Until the end of the test the router host serves as ever, but its port 1936 answers as HEALTH_ANSWERS
        says."""
        self.dirty = True
        name = routers.router_name(host)
        self.programs.stop(name, signal.SIGKILL)
        self.programs.add(routers.router_service(self.run_dir, host, health=False))
        self.defer(self.host_start, host)
        self.defer(self.programs.stop, name, signal.SIGKILL)
        fake = FakeHealth(host, HEALTH_ANSWERS[behaviour])
        self.defer(fake.close)

    def sysctl(self, namespace: str, name: str, value: int) -> None:
        """Sets a kernel parameter of a namespace until the end of the test."""
        before = self.run(namespace, "sysctl", "-n", name).stdout.strip()
        self.run(namespace, "sysctl", "-qw", f"{name}={value}")
        self.defer(self.run, namespace, "sysctl", "-qw", f"{name}={before}")

    # --- accounts ---

    def interface_statistics(self) -> dict[str, dict[str, int]]:
        """What the far ends of the edge's ports counted: port -> rx and tx packets, bytes, dropped, as the peer saw
        them."""
        peers = {"north": (names.CLIENT, "edge"), "south": (names.SWITCH, "edge")}
        result = {}
        for port, (namespace, device) in peers.items():
            link = json.loads(network.run("ip", "-n", namespace, "-j", "-s", "link", "show", device))[0]["stats64"]
            result[port] = {f"{way}_{what}": link[way][what] for way in ("rx", "tx")
                            for what in ("packets", "bytes", "dropped")}
        return result

    @staticmethod
    def run(namespace: str, *argv: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess:
        """A command inside a namespace, with its output as text."""
        return subprocess.run(["ip", "netns", "exec", namespace, *argv], capture_output=True, text=True, check=check,
                              errors="replace", timeout=timeout)

    def curl(self, namespace: str, *arguments: str, check: bool = True) -> str:
        """curl inside a namespace that trusts the demo's authority and finds every name at the VIP; what it printed."""
        return self.run(namespace, "curl", "-sS", "-m", "60", "--cacert", f"{self.run_dir}/certs/ca.pem",
                        "--connect-to", f"::{names.VIP}", *arguments, check=check).stdout


class FakeHealth:
    """A health endpoint that misbehaves: every connection gets the same answer, or none."""

    def __init__(self, host: str, answer: bytes | None) -> None:
        self.answer = answer
        self.held: list[socket.socket] = []
        with netns.inside(names.cluster_of(host).namespace):
            self.listener = socket.create_server((host, names.HEALTH_PORT), backlog=64)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            if self.answer is None:
                self.held.append(connection)
                continue
            with connection, contextlib.suppress(OSError):
                connection.recv(4096)
                connection.sendall(self.answer)

    def close(self) -> None:
        """Stops listening and lets go of what it held."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        for connection in self.held:
            connection.close()
