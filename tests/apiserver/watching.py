"""WATCH: a stream of events from a version on."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import NoReturn

from .answers import ApiError, encode, expired_version
from .http1 import Answering, Cut
from .listing import Scope, number, version
from .store import Collection, Event, Store

TIMEOUT = (1800, 3600)  # without timeoutSeconds, at random between these
LAST_BOOKMARK = 2.0  # before the end of the stream
INITIAL_END = {"annotations": {"k8s.io/initial-events-end": "true"}}


def _line(kind: str, body: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), body)


def _forbidden(what: str) -> NoReturn:
    raise ApiError(422, "Invalid", f'ListOptions.meta.k8s.io "" is invalid: {what}')


@dataclass
class Watching:
    """One watch."""

    store: Store
    collection: Collection
    scope: Scope
    query: dict[str, str]
    answering: Answering
    minor: int
    bookmark_seconds: float

    def __post_init__(self) -> None:
        self.faults = self.answering.faults
        self.local = self.answering.request.local
        self.swapped = b""
        self.awake = asyncio.Event()
        self.wanted = version(self.query) or 0
        self.initial = self._wants_initial()
        self.revision = self.store.revision  # a watch without a version begins with all that is there now
        self.next = self.collection.number_after(self.wanted or self.revision)

    def _wants_initial(self) -> bool:
        """Does the stream begin with everything, and end that part with a bookmark?"""
        match = self.query.get("resourceVersionMatch", "")
        if self.minor < 27:
            if match:
                _forbidden("resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch")
            return False
        asked = self.query.get("sendInitialEvents") in ("1", "true")
        if match and "sendInitialEvents" not in self.query:
            _forbidden("resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless "
                       "sendInitialEvents is provided")
        if asked and match != "NotOlderThan":
            _forbidden("resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to "
                       "NotOlderThan")
        return asked

    def _fault(self, name: str) -> dict | None:
        return None if self.local else self.faults.get(name, self.collection.kind.plural, "watch")

    async def run(self) -> None:
        """The whole stream."""
        gone = self._fault("gone")
        if gone and gone.get("how") == "status":
            raise expired_version(self.wanted, self.store.revision)
        await self.answering.begin()
        self.collection.awake.add(self.awake)
        try:
            await self._stream()
        finally:
            self.collection.awake.discard(self.awake)
        await self.answering.end()

    async def _stream(self) -> None:
        if garbage := self._fault("garbage"):
            await self.answering.chunk(garbage["line"].encode() + b"\n")
        if self.wanted and self.wanted < self.collection.oldest or self._fault("gone"):
            await self.answering.chunk(expired_version(self.wanted, self.collection.oldest + 1).event())
            return
        if not self.wanted:
            await self._send_all()
        now = asyncio.get_running_loop().time
        end = now() + (number(self.query, "timeoutSeconds") or random.randint(*TIMEOUT))
        marks = self.query.get("allowWatchBookmarks") in ("1", "true")
        mark = min(now() + self.bookmark_seconds, max(end - LAST_BOOKMARK, now()))
        while now() < end:
            if not await self._send_new():
                return
            if marks and now() >= mark:
                await self._bookmark()
                mark = now() + self.bookmark_seconds
                if mark > end - LAST_BOOKMARK > now():
                    mark = end - LAST_BOOKMARK
            await self._sleep(min(end, mark if marks else end) - now())

    async def _sleep(self, seconds: float) -> None:
        """Until something happens or the time is over."""
        try:
            await asyncio.wait_for(self.awake.wait(), max(seconds, 0.001))
        except TimeoutError:
            pass
        self.awake.clear()

    async def _send_all(self) -> None:
        snapshot = self.collection.snapshot(self.revision)
        for key, body in zip(snapshot.keys, snapshot.bodies):
            if self.scope.has(key, body):
                await self.answering.chunk(_line("ADDED", body))
        if self.initial:
            await self._bookmark(INITIAL_END)

    async def _bookmark(self, metadata: dict | None = None) -> None:
        kind = self.collection.kind
        # Who waits for a version that does not exist yet hears nothing at all.
        if self.store.revision < self.wanted or self._fault("dull") is not None:
            return
        await self.answering.chunk(_line("BOOKMARK", encode({
            "apiVersion": kind.api, "kind": kind.name,
            "metadata": {"resourceVersion": str(self.store.revision), **(metadata or {})}})))

    async def _send_new(self) -> bool:
        """The events since the last time. False: this watch cannot go on."""
        collection = self.collection
        if self._fault("gone"):
            await self.answering.chunk(expired_version(self.wanted, self.store.revision).event())
            return False
        while self.next < collection.dropped + len(collection.history):
            if self.next < collection.dropped:
                return False  # too far behind
            event = collection.history[self.next - collection.dropped]
            self.next += 1
            if line := self._event_line(event):
                await self._emit(line)
        if self.swapped and self._fault("swap") is None:
            await self._emit(b"")
        return True

    def _event_line(self, event: Event) -> bytes:
        """What this watch sees of an event; b"": nothing."""
        if event.revision <= self.wanted:
            return b""
        before, after = self.scope.has(event.key, event.before), self.scope.has(event.key, event.body)
        if event.type == "DELETED":
            return _line("DELETED", event.body) if before else b""
        if before and not after:  # it matches no more: for this watch it is gone
            return _line("DELETED", event.body)
        return _line("MODIFIED" if before else "ADDED", event.body) if after else b""

    async def _emit(self, line: bytes) -> None:
        """Sends a line, as the faults would have it."""
        if self._fault("cut") is not None:
            await self.answering.chunk(line[:len(line) // 2])
            raise Cut
        if self._fault("swap") is not None and not self.swapped:
            self.swapped = line
            return
        line, self.swapped = line + self.swapped, b""
        if line and self._fault("twice") is not None:
            line *= 2
        if line:
            await self.answering.chunk(line)
