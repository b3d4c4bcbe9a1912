"""The objects, their versions and their history; knows nothing of HTTP and nothing of what a Route means.

One revision counts for all kinds, as in etcd. An object is kept as the bytes that go out, which costs a fraction of
the decoded form: a cluster of 100,000 Routes shall fit in a hundred megabytes.
"""

from __future__ import annotations

import asyncio
import bisect
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Callable, Iterator, NamedTuple

from .answers import encode

HISTORY_MAX = 5000  # events; more than the 75 s that a real cache keeps at the rate of any test
SNAPSHOTS_MAX = 16


@dataclass(frozen=True)
class Kind:
    """A kind of objects; `custom`: defined by a CRD, which a list shows in the order of its fields."""

    name: str
    plural: str
    group: str
    custom: bool

    @property
    def api(self) -> str:
        """Its apiVersion"""
        return f"{self.group}/v1" if self.group else "v1"


ROUTE = Kind("Route", "routes", "route.openshift.io", True)
POD = Kind("Pod", "pods", "", False)
KINDS = (ROUTE, POD)


class Event(NamedTuple):
    """One change."""

    revision: int
    type: str
    key: str
    body: bytes  # the object as it is now; of a deletion the last state with the deletion's version
    before: bytes  # b"": it was not there


class Snapshot(NamedTuple):
    """All objects of a kind as they were at one revision."""

    revision: int
    keys: list[str]
    bodies: list[bytes]


@dataclass
class Collection:
    """The objects of one kind."""

    kind: Kind
    objects: dict[str, bytes] = field(default_factory=dict)  # "namespace/name" -> body
    history: list[Event] = field(default_factory=list)
    dropped: int = 0  # how many events went out of the history; history[0] has this number
    oldest: int = 0  # the first revision from which a watch can begin
    awake: set[asyncio.Event] = field(default_factory=set)  # of the watches
    _snapshots: OrderedDict[int, Snapshot] = field(default_factory=OrderedDict)

    def add_event(self, event: Event) -> None:
        """One more; the eldest goes when there are too many."""
        self.history.append(event)
        if len(self.history) > 2 * HISTORY_MAX:
            self.forget(HISTORY_MAX)
        self.wake()

    def forget(self, keep: int) -> None:
        """Leaves only the last `keep` events: who is further behind has to list again."""
        count = len(self.history) - keep
        if count > 0:
            self.oldest = self.history[count - 1].revision
            del self.history[:count]
            self.dropped += count

    def wake(self) -> None:
        """There is something for the watches to see."""
        for one in self.awake:
            one.set()

    def number_after(self, revision: int) -> int:
        """The number of the first event behind a revision."""
        return self.dropped + bisect.bisect_right(self.history, revision, key=lambda event: event.revision)

    def snapshot(self, revision: int) -> Snapshot:
        """Everything as it is now, at this revision."""
        if revision not in self._snapshots:
            keys = sorted(self.objects)
            self._snapshots[revision] = Snapshot(revision, keys, [self.objects[key] for key in keys])
            if len(self._snapshots) > SNAPSHOTS_MAX:
                self._snapshots.popitem(last=False)
        return self._snapshots[revision]

    def snapshot_of(self, revision: int) -> Snapshot | None:
        """The one that a continue token stands for, if it is still there."""
        return self._snapshots.get(revision)

    def drop_snapshots(self) -> None:
        """etcd has compacted: lists that are half read cannot go on."""
        self._snapshots.clear()


class Store:
    """All collections. `changed` is called behind each change with the kind, the key and the object (None: gone)."""

    def __init__(self) -> None:
        self.revision = 200
        self.collections = {kind.plural: Collection(kind, oldest=self.revision) for kind in KINDS}
        self.changed: Callable[[Kind, str, dict | None], None] = lambda kind, key, item: None

    def get(self, kind: Kind, key: str) -> dict | None:
        """A decoded copy."""
        body = self.collections[kind.plural].objects.get(key)
        return json.loads(body) if body is not None else None

    def put(self, kind: Kind, key: str, item: dict) -> dict:
        """Writes an object; it gets the next version. Returns it."""
        collection = self.collections[kind.plural]
        before = collection.objects.get(key, b"")
        body = self._stamped(item)
        collection.objects[key] = body
        collection.add_event(Event(self.revision, "MODIFIED" if before else "ADDED", key, body, before))
        self.changed(kind, key, item)
        return json.loads(collection.objects[key])

    def delete(self, kind: Kind, key: str) -> dict:
        """Removes an object that is there; returns its last state."""
        collection = self.collections[kind.plural]
        before = collection.objects.pop(key)
        item = json.loads(before)
        body = self._stamped(item)
        collection.add_event(Event(self.revision, "DELETED", key, body, before))
        self.changed(kind, key, None)
        return item

    def _stamped(self, item: dict) -> bytes:
        self.revision += 1
        item["metadata"]["resourceVersion"] = str(self.revision)
        return encode(item)

    def bulk(self, kind: Kind, made: Iterator[tuple[str, bytes]]) -> int:
        """Takes over finished objects without events: watches have to be ended after this. Returns how many."""
        collection = self.collections[kind.plural]
        before = len(collection.objects)
        collection.objects.update(made)
        self.forget()
        return len(collection.objects) - before

    def forget(self) -> None:
        """No watch can begin at a version older than now."""
        self.revision += 1
        for collection in self.collections.values():
            collection.forget(0)
            collection.oldest = self.revision

    def compact(self) -> None:
        """The same, and half-read lists are gone, too."""
        self.forget()
        for collection in self.collections.values():
            collection.drop_snapshots()

    def restore(self, revision: int) -> None:
        """As from a backup: the counter goes back, the objects stay."""
        self.compact()
        self.revision = revision
        for collection in self.collections.values():
            collection.oldest = revision
            for key, body in collection.objects.items():
                item = json.loads(body)
                if int(item["metadata"]["resourceVersion"]) > revision:
                    item["metadata"]["resourceVersion"] = str(revision)
                    collection.objects[key] = encode(item)
