"""scripts/demo check: a line per check with what is expected and what was seen, in under 30 s."""

from __future__ import annotations

import hashlib
import os
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Callable

from . import apis, app, names
from .client import fetch, trust
from .routers import router_name
from .supervisor import ProgramError, Programs, await_true

SIZE = 5_000_000
STOPPED_HOST = "203.0.113.11"  # the check stops and restarts it; only1.ch is served by it and its neighbour


@dataclass
class Checks:
    """The checks of one run."""

    programs: Programs
    failed: int = 0
    tls: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        self.tls = trust(self.programs.run_dir)

    def check(self, what: str, expected: str, look: Callable[[], str]) -> None:
        """One line: ok when what `look` sees is what is expected."""
        try:
            seen = look()
        except (OSError, ProgramError) as error:
            seen = f"{type(error).__name__}: {error}"
        good = seen == expected
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {what}: expected {expected}, seen {seen}", flush=True)

    def by_name(self) -> None:
        """Each name reaches a cluster that has it, over HTTP and TLS."""
        for host, cluster in (("only1.ch", "ose1"), ("only2.ch", "ose2"), ("any.wild.ch", "ose1")):
            self.check(f"HTTP {host}", cluster, lambda name=host: fetch(name).field("cluster"))
        for host, cluster in (("only1.ch", "ose1"), ("only2.ch", "ose2")):
            self.check(f"TLS {host}", cluster, lambda name=host: fetch(name, tls=self.tls).field("cluster"))
        self.check(f"TLS {names.PASSTHROUGH} (passthrough)", names.PASSTHROUGH,
                   lambda: fetch(names.PASSTHROUGH, tls=self.tls).field("host"))

    def weights(self) -> None:
        """Each connection is elected by the weights that stand in the Routes' annotations."""
        def shares() -> str:
            seen = Counter(fetch("app1.ch").field("cluster") for _ in range(90))
            return f"{seen['ose1']}:{seen['ose2']}"
        self.check("90 connections to app1.ch", "10:80", shares)

    def routes(self) -> None:
        """What is added to a cluster is served, what is deleted there is unknown; both within a second."""
        api = apis.standin(self.programs.run_dir, names.CLUSTERS[0])
        name = "check.demo.ch"

        def after_a_second() -> str:
            time.sleep(1)
            answer = fetch(name)
            return answer.field("cluster") or str(answer.status)
        try:
            api.create(apis.route(name))
            self.check(f"Route {name} added to ose1", "ose1", after_a_second)
            api.delete_route(apis.route_name(name))
            self.check(f"Route {name} deleted", "404", after_a_second)
        except OSError as error:
            self.check("API server of ose1", "answers", lambda: str(error))

    def unknown(self) -> None:
        """A name that nobody serves is refused, not guessed."""
        self.check("HTTP nobody.ch", "404", lambda: str(fetch("nobody.ch").status))

        def alert() -> str:
            try:
                return str(fetch("nobody.ch", tls=self.tls).status)
            except ssl.SSLError as error:
                return (error.reason or str(error)).lower()
        self.check("TLS nobody.ch", "tlsv1_unrecognized_name", alert)

    def bytes(self) -> None:
        """What goes in comes out."""
        body = os.urandom(SIZE)
        short = slice(0, 16)
        self.check("SHA-256 of 5 MB sent over HTTP", hashlib.sha256(body).hexdigest()[short],
                   lambda: fetch("app1.ch", "/sha256", body).text[short])
        self.check("SHA-256 of 5 MB received over TLS", app.stream_digest(SIZE)[short],
                   lambda: hashlib.sha256(fetch("app1.ch", f"/bytes/{SIZE}", tls=self.tls).body).hexdigest()[short])

    def host_stopped(self) -> None:
        """A router host that goes away costs no connection, and it is used again when it is back."""
        def answers() -> str:
            return f"{sum(fetch('only1.ch').status == 200 for _ in range(20))} of 20"
        self.programs.stop(router_name(STOPPED_HOST))
        try:
            self.check(f"only1.ch while {STOPPED_HOST} is stopped", "20 of 20", answers)
        finally:
            self.programs.start(router_name(STOPPED_HOST))

        def back() -> str:
            def used() -> str:
                router = fetch("only1.ch").field("router")
                return router if router == STOPPED_HOST else ""
            return await_true(used, 18, f"{STOPPED_HOST} gets connections", 0.2)
        self.check("only1.ch after its restart", STOPPED_HOST, back)


def run(run_dir: str) -> int:
    """All checks; the number that failed."""
    checks = Checks(Programs(run_dir))
    for part in (checks.by_name, checks.weights, checks.routes, checks.unknown, checks.bytes, checks.host_stopped):
        part()
    print("All checks passed." if not checks.failed else f"{checks.failed} checks failed.")
    return checks.failed
