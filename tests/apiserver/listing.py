"""LIST: whole or in pages, of one consistent moment."""

from __future__ import annotations

import asyncio
import base64
import bisect
import json
from dataclasses import dataclass

from .answers import ApiError, Reply, bad_request, bad_version, encode, expired_continue, too_large_version
from .labels import Match, selector
from .store import Collection, Kind, Snapshot, Store

FUTURE_PATIENCE = 3.0  # a list waits so long for a version that may yet come
MATCHES = ("Exact", "NotOlderThan")


@dataclass(frozen=True)
class Scope:
    """Which objects a request is about."""

    namespace: str  # "": all
    match: Match | None

    @staticmethod
    def of(namespace: str, query: dict[str, str]) -> Scope:
        """From path and query."""
        return Scope(namespace, selector(query.get("labelSelector", ""), query.get("fieldSelector", "")))

    def has(self, key: str, body: bytes) -> bool:
        """Is the object one of them?"""
        if not body or self.namespace and not key.startswith(self.namespace + "/"):
            return False
        return self.match is None or self.match(json.loads(body))


def number(query: dict[str, str], name: str) -> int:
    """A count in the query; 0 without."""
    try:
        return int(query.get(name) or "0")
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{query[name]}": invalid syntax') from None


def version(query: dict[str, str]) -> int | None:
    """The resourceVersion asked for; None: unset."""
    text = query.get("resourceVersion", "")
    if not text:
        return None
    if not text.isdecimal():
        raise bad_version(text)
    return int(text)


def continue_token(revision: int, start: str) -> str:
    """Opaque to clients. Version -1: the rest of the list as it is at the time of the request."""
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start + "\0"}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token(token: str) -> tuple[int, str]:
    """(revision, first key)"""
    try:
        value = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(value["rv"]), str(value["start"])
    except (ValueError, KeyError, TypeError):
        raise bad_request("continue key is not valid: illegal base64 data or unknown version") from None


async def _wait_for(store: Store, wanted: int) -> None:
    """A version from the future: it may come yet."""
    limit = asyncio.get_running_loop().time() + FUTURE_PATIENCE
    while store.revision < wanted:
        if asyncio.get_running_loop().time() > limit:
            raise too_large_version(wanted, store.revision)
        await asyncio.sleep(0.02)


async def _moment(store: Store, collection: Collection, query: dict[str, str]) -> tuple[Snapshot, str, bool]:
    """What to list, from which key on ("": all), and whether the list is consistent."""
    wanted, match = version(query), query.get("resourceVersionMatch", "")
    if match and (match not in MATCHES or wanted is None):
        raise ApiError(422, "Invalid", 'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
                       "resourceVersionMatch is forbidden unless resourceVersion is provided")
    if token := query.get("continue"):
        if wanted:
            raise bad_request("specifying resource version is not allowed when using continue")
        revision, start = read_token(token)
        if revision < 0:
            return collection.snapshot(store.revision), start, False
        snapshot = collection.snapshot_of(revision)
        if snapshot is None:
            raise expired_continue(continue_token(-1, start.rstrip("\0")))
        return snapshot, start, True
    if wanted and (match == "Exact" or not match and number(query, "limit")) and wanted < store.revision:
        snapshot = collection.snapshot_of(wanted)
        if snapshot is None:
            raise ApiError(410, "Expired", "The resourceVersion for the provided list is too old.")
        return snapshot, "", True
    if wanted:
        await _wait_for(store, wanted)
    return collection.snapshot(store.revision), "", True


def _select(snapshot: Snapshot, start: str, scope: Scope, limit: int) -> tuple[list[bytes], int]:
    """One page's objects and the place in the snapshot behind them."""
    place = bisect.bisect_left(snapshot.keys, max(start, scope.namespace + "/" if scope.namespace else ""))
    if scope.match is None:
        end = len(snapshot.keys)
        if scope.namespace:
            end = bisect.bisect_left(snapshot.keys, scope.namespace + "0")  # "0" follows "/"
        end = min(end, place + limit) if limit else end
        return snapshot.bodies[place:max(end, place)], max(end, place)
    found: list[bytes] = []
    while place < len(snapshot.keys) and not (limit and len(found) == limit):
        if scope.has(snapshot.keys[place], snapshot.bodies[place]):
            found.append(snapshot.bodies[place])
        place += 1
    return found, place


def _left(snapshot: Snapshot, place: int, scope: Scope) -> int:
    """How many objects follow."""
    if scope.match is None and not scope.namespace:
        return len(snapshot.keys) - place
    return sum(scope.has(snapshot.keys[i], snapshot.bodies[i]) for i in range(place, len(snapshot.keys)))


def list_reply(kind: Kind, items: list[bytes], metadata: dict) -> Reply:
    """A list in the form of its kind."""
    if kind.custom:
        return Reply(200, b'{"apiVersion":"%s","items":[%s],"kind":"%sList","metadata":%s}' % (
            kind.api.encode(), b",".join(items), kind.name.encode(), encode(metadata)))
    # The items of a built-in kind do not say what they are.
    start = len(encode({"kind": kind.name, "apiVersion": kind.api})) - 1
    return Reply(200, b'{"kind":"%sList","apiVersion":"%s","metadata":%s,"items":[%s]}\n' % (
        kind.name.encode(), kind.api.encode(), encode(metadata), b",".join(b"{" + item[start + 1:] for item in items)))


async def list_objects(store: Store, collection: Collection, scope: Scope, query: dict[str, str]) -> Reply:
    """The answer to a LIST."""
    limit = number(query, "limit")
    snapshot, start, consistent = await _moment(store, collection, query)
    items, place = _select(snapshot, start, scope, limit)
    # The list of a CRD's objects says also that nothing follows.
    metadata: dict = {"continue": ""} if collection.kind.custom else {}
    if limit and (left := _left(snapshot, place, scope)):
        metadata["continue"] = continue_token(snapshot.revision if consistent else -1, snapshot.keys[place - 1])
        if scope.match is None:
            metadata["remainingItemCount"] = left
    metadata["resourceVersion"] = str(snapshot.revision)
    return list_reply(collection.kind, items, metadata)
