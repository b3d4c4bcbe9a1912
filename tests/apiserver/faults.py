"""What can be wrong with the server, switched on and off by tests.

A fault has a name and parameters. "resources" limits it to ["routes"] or ["pods"]; without, both are meant.

    down     {}                       connections are refused, open ones reset
    hang     {"on": "all"}            nothing more is sent ("list", "watch": only there); when it ends, it goes on
    status   {"code": 503, "on": "all", "retry_after": 5}
                                      the answer to requests; 429 and 404 in plain text, the others as Status
    gone     {"how": "event"}         every watch ends with a 410: as ERROR event in the stream, or ("status") as answer
    empty    {}                       lists have no items
    page     {"code": 500}            every page but the first fails so; code 0: the connection is cut in it
    cut      {}                       every event of a watch is cut in the middle of its line, with the connection
    garbage  {"line": "..."}          every watch begins with this line
    twice    {}                       every event comes twice
    swap     {}                       every second event comes before the one it follows
    slow     {"seconds": 0.1, "bytes": 100}
                                      a pause behind every so many bytes
    chunks   {"bytes": 10}            chunks and packets of 1 to so many bytes, at random
    dull     {}                       no bookmarks
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from .answers import ApiError, Reply, text

NAMES = ("down", "hang", "status", "gone", "empty", "page", "cut", "garbage", "twice", "swap", "slow", "chunks", "dull")
REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 410: "Expired",
           500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}


class Faults:
    """Which faults are on."""

    def __init__(self) -> None:
        self._on: dict[str, dict[str, Any]] = {}
        self._waiting: set[asyncio.Event] = set()
        self.random = random.Random(1)

    def set(self, name: str, parameters: dict[str, Any]) -> None:
        """Switches one on, or changes its parameters."""
        self._on[name] = parameters
        self._wake()

    def clear(self, name: str) -> None:
        """Switches one off; "all": every one."""
        if name == "all":
            self._on.clear()
        self._on.pop(name, None)
        self._wake()

    def _wake(self) -> None:
        for waiting in self._waiting:
            waiting.set()

    def all(self) -> dict[str, dict[str, Any]]:
        """Those that are on."""
        return dict(self._on)

    def get(self, name: str, resource: str = "", on: str = "") -> dict[str, Any] | None:
        """The parameters of a fault, if it is on for this resource and, where it says so, for "list" or "watch"."""
        found = self._on.get(name)
        if found is None or resource and resource not in found.get("resources", (resource,)):
            return None
        if on and found.get("on", "all") not in ("all", on):
            return None
        return found

    async def pass_hang(self, resource: str, on: str) -> None:
        """Returns when nothing hangs."""
        while self.get("hang", resource, on) is not None:
            waiting = asyncio.Event()
            self._waiting.add(waiting)
            try:
                await waiting.wait()
            finally:
                self._waiting.discard(waiting)

    def answer(self, resource: str, on: str) -> Reply | None:
        """The wrong answer to a request, if there shall be one."""
        found = self.get("status", resource, on)
        return error_reply(found["code"], found.get("retry_after")) if found else None


def error_reply(code: int, retry_after: int | None = None) -> Reply:
    """As a real server says it."""
    headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
    if code == 429:
        return text(429, "Too many requests, please try again later.\n", {"Retry-After": "1"} | headers)
    if code == 404:
        return text(404, "404 page not found\n", headers)
    return ApiError(code, REASONS.get(code, ""), REASONS.get(code, f"status {code}"), headers=headers).reply()
