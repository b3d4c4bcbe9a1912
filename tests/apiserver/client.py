"""The client of tests and of the demo: a stand-in's administration over its Unix socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any, Iterator, Self

from .samples import WEIGHT

HERE = os.path.dirname(os.path.abspath(__file__))
ROUTES = "/apis/route.openshift.io/v1"
MERGE_PATCH = "application/merge-patch+json"


class StandinError(OSError):
    """The stand-in refused a request; the text has its reason."""


class _LocalConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def route_path(namespace: str, name: str = "") -> str:
    """Where Routes are."""
    return f"{ROUTES}/namespaces/{namespace}/routes" + (f"/{name}" if name else "")


def pod_path(namespace: str, name: str = "") -> str:
    """Where Pods are."""
    return f"/api/v1/namespaces/{namespace}/pods" + (f"/{name}" if name else "")


class Standin:
    """A stand-in that runs; knows its control socket only. Not for several threads at once."""

    def __init__(self, control: str) -> None:
        self.control = control
        self._connection = _LocalConnection(control)

    def call(self, method: str, path: str, body: Any = None, content: str = "application/json") -> tuple[int, Any]:
        """One request with all rights and without faults: status and decoded body."""
        data = None if body is None else json.dumps(body).encode()
        for attempt in (1, 2):
            try:
                self._connection.request(method, path, data, {"Content-Type": content})
                answer = self._connection.getresponse()
                content_bytes = answer.read()
                break
            except (OSError, http.client.HTTPException):
                self._connection.close()  # it was started again since: the next request makes a new connection
                if attempt == 2:
                    raise
        try:
            return answer.status, json.loads(content_bytes)
        except ValueError:
            return answer.status, content_bytes

    def do(self, method: str, path: str, body: Any = None, content: str = "application/json") -> Any:
        """One request that must succeed; the body of the answer."""
        status, answer = self.call(method, path, body, content)
        if status >= 400:
            raise StandinError(answer.get("message", answer) if isinstance(answer, dict) else f"{status} {answer!r}")
        return answer

    # --- state, as oc would change it ---

    def create(self, item: dict) -> dict:
        """A Route or a Pod."""
        path = route_path if item["kind"] == "Route" else pod_path
        return self.do("POST", path(item["metadata"]["namespace"]), item)

    def patch_route(self, name: str, patch: dict, namespace: str = "shop", part: str = "") -> dict:
        """A merge patch; `part` "status" for the status."""
        return self.do("PATCH", route_path(namespace, name) + (f"/{part}" if part else ""), patch, MERGE_PATCH)

    def annotate(self, name: str, key: str, value: str | None, namespace: str = "shop") -> dict:
        """Sets an annotation; None removes it."""
        return self.patch_route(name, {"metadata": {"annotations": {key: value}}}, namespace)

    def weigh(self, name: str, weight: Any, namespace: str = "shop") -> dict:
        """Sets or removes (None) the weight annotation."""
        return self.annotate(name, WEIGHT, None if weight is None else str(weight), namespace)

    def delete_route(self, name: str, namespace: str = "shop") -> None:
        """Deletes a Route."""
        self.do("DELETE", route_path(namespace, name))

    def delete_routes(self, namespace: str, selector: str = "") -> None:
        """All of a namespace, or those with these labels."""
        self.do("DELETE", route_path(namespace) + (f"?labelSelector={selector}" if selector else ""))

    def routes(self) -> list[dict]:
        """Every Route."""
        return self.do("GET", f"{ROUTES}/routes")["items"]

    def patch_pod(self, name: str, patch: dict, namespace: str = "openshift-ingress", part: str = "") -> dict:
        """A merge patch; `part` "status" for the status."""
        return self.do("PATCH", pod_path(namespace, name) + (f"/{part}" if part else ""), patch, MERGE_PATCH)

    def delete_pod(self, name: str, grace: int | None = 0, namespace: str = "openshift-ingress") -> None:
        """Deletes a Pod: at once, or (None) with its own grace period, which nobody ends."""
        self.do("DELETE", pod_path(namespace, name), {} if grace is None else {"gracePeriodSeconds": grace})

    # --- the stand-in itself ---

    def state(self) -> dict:
        """GET /standin"""
        return self.do("GET", "/standin")

    def fault_on(self, name: str, **parameters: Any) -> None:
        """Switches a fault on (faults.py)."""
        self.do("PUT", f"/standin/faults/{name}", parameters)

    def fault_off(self, name: str = "all") -> None:
        """Switches a fault off."""
        self.do("DELETE", f"/standin/faults/{name}")

    @contextlib.contextmanager
    def fault(self, name: str, **parameters: Any) -> Iterator[None]:
        """A fault for the length of a block."""
        self.fault_on(name, **parameters)
        try:
            yield
        finally:
            self.fault_off(name)

    def act(self, action: str, **parameters: Any) -> dict:
        """restart, compact, restore, cut, inject, load (control.py)."""
        return self.do("POST", f"/standin/{action}", parameters)

    def settings(self, **parameters: Any) -> None:
        """Changes settings (control.py)."""
        self.do("PUT", "/standin/settings", parameters)

    def close(self) -> None:
        """Ends the connection to it."""
        self._connection.close()


def command(control: str, *options: str) -> list[str]:
    """How a stand-in is started."""
    return [sys.executable, "-B", HERE, "--control", control, *options]


class OwnStandin(Standin):
    """A stand-in of one's own, for the length of a `with` block."""

    def __init__(self, directory: str, *options: str, patience: float = 10.0) -> None:
        super().__init__(f"{directory}/standin.sock")
        self.process = subprocess.Popen(command(self.control, *options))
        limit = time.monotonic() + patience
        while True:
            try:
                self.state()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > limit:
                    self.process.kill()
                    raise
                time.sleep(0.02)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
