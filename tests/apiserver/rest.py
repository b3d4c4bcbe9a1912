"""The API itself: which request is about what, and the writes."""

from __future__ import annotations

import re
from typing import Any

from . import access, objects
from .answers import ApiError, Reply, bad_request, conflict, encode, expired_continue, not_found, page_not_found
from .access import User
from .faults import Faults, error_reply
from .http1 import Answering, Request
from .listing import Scope, continue_token, list_objects, list_reply, number
from .store import KINDS, POD, Collection, Kind, Store
from .watching import Watching

PATH = re.compile(r"/(?:api|apis/(?P<group>[^/]+))/v1/(?:namespaces/(?P<namespace>[^/]+)/)?"
                  r"(?P<plural>[a-z]+)(?:/(?P<name>[^/]+)(?:/(?P<part>status))?)?")
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}
MERGE_PATCH = "application/merge-patch+json"
HEALTH_PATHS = ("healthz", "livez", "readyz")


class Rest:
    """Answers requests out of the store."""

    def __init__(self, store: Store, faults: Faults, settings: Any) -> None:
        self.store = store
        self.faults = faults
        self.settings = settings
        self.counts: dict[str, int] = {}  # "list routes" -> requests

    async def serve(self, request: Request, answering: Answering) -> None:
        """Answers one request."""
        try:
            reply = await self._answer(request, answering)
        except ApiError as error:
            reply = error.reply()
        if reply:
            await answering.whole(reply)

    async def _answer(self, request: Request, answering: Answering) -> Reply | None:
        """None: a watch, which was answered already."""
        if request.path.strip("/") in HEALTH_PATHS:
            return self.faults.answer("", "all") or Reply(200, b"ok", "text/plain; charset=utf-8")
        if request.path == "/version":
            minor = self.settings.minor
            return Reply(200, encode({"major": "1", "minor": str(minor), "gitVersion": f"v1.{minor}.0"}))
        user = access.user_of(request, self.settings.tokens)
        found = PATH.fullmatch(request.path)
        kind = next((kind for kind in KINDS if found and kind.plural == found["plural"]
                     and kind.group == (found["group"] or "")), None)
        if kind is None or found is None:
            return page_not_found()
        namespace, name = found["namespace"] or "", found["name"] or ""
        answering.resource = kind.plural
        if request.method == "GET" and not name:
            return await self._read_many(request, answering, user, kind, namespace)
        return self._one(request, user, kind, namespace, name, found["part"] or "")

    # --- many objects ---

    async def _read_many(self, request: Request, answering: Answering, user: User, kind: Kind,
                         namespace: str) -> Reply | None:
        verb = "watch" if request.query.get("watch") in ("1", "true") else "list"
        answering.on = verb
        self.counts[f"{verb} {kind.plural}"] = self.counts.get(f"{verb} {kind.plural}", 0) + 1
        if not request.local:
            await self.faults.pass_hang(kind.plural, verb)
            if wrong := self.faults.answer(kind.plural, verb):
                return wrong
        access.demand(user, verb, kind, namespace)
        scope = Scope.of(namespace, request.query)
        collection = self.store.collections[kind.plural]
        if verb == "watch":
            await Watching(self.store, collection, scope, request.query, answering, self.settings.minor,
                           self.settings.bookmark_seconds).run()
            return None
        reply = await list_objects(self.store, collection, scope, request.query)
        return reply if request.local else await self._spoil(request, answering, kind, reply)

    async def _spoil(self, request: Request, answering: Answering, kind: Kind, reply: Reply) -> Reply:
        """The faults of lists."""
        if self.faults.get("empty", kind.plural) is not None:
            return list_reply(kind, [], {"resourceVersion": str(self.store.revision)})
        page = self.faults.get("page", kind.plural)
        if not page or not request.query.get("continue"):
            return reply
        if not page["code"]:
            await answering.half(reply)
        if page["code"] == 410:
            return expired_continue(continue_token(-1, "")).reply()
        return error_reply(page["code"])

    # --- one object ---

    def _one(self, request: Request, user: User, kind: Kind, namespace: str, name: str, part: str) -> Reply:
        verb = VERBS.get(request.method)
        if not verb or not namespace or bool(name) == (verb == "create"):
            if verb == "delete" and namespace:
                return self._delete_many(request, user, kind, namespace)
            raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        if not request.local and (wrong := self.faults.answer(kind.plural, "write")):
            return wrong
        access.demand(user, verb, kind, namespace, name)
        if verb == "create":
            return Reply(201, encode(self._create(request, kind, namespace)))
        key = f"{namespace}/{name}"
        old = self.store.get(kind, key)
        if old is None:
            raise not_found(kind.plural, kind.group, name)
        if verb == "get":
            return Reply(200, encode(old))
        if verb == "delete":
            return Reply(200, encode(self._delete(request, kind, key, old)))
        new = self._body(request, kind, namespace, name) if verb == "update" else self._patched(request, old)
        return Reply(200, encode(self._update(kind, key, old, new, part, user)))

    @staticmethod
    def _decoded(request: Request) -> Any:
        try:
            return request.json()
        except ValueError as error:
            raise bad_request(f"the object provided is unrecognized (must be of type JSON): {error}") from None

    def _body(self, request: Request, kind: Kind, namespace: str, name: str) -> dict:
        return objects.admit_shape(kind, self._decoded(request), namespace, name)

    def _patched(self, request: Request, old: dict) -> dict:
        if request.headers.get("content-type", "").partition(";")[0] != MERGE_PATCH:
            raise ApiError(415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted "
                           f"media types include: {MERGE_PATCH}")
        return objects.merged(old, self._decoded(request))

    def _create(self, request: Request, kind: Kind, namespace: str) -> dict:
        given = self._body(request, kind, namespace, "")
        key = f'{namespace}/{given["metadata"]["name"]}'
        if key in self.store.collections[kind.plural].objects:
            raise conflict(kind.plural, kind.group, given["metadata"]["name"], True)
        return self.store.put(kind, key, objects.created(kind, given, self.settings.domain))

    def _update(self, kind: Kind, key: str, old: dict, new: dict, part: str, user: User) -> dict:
        metadata = old["metadata"]
        based_on = new["metadata"].get("resourceVersion")
        if based_on and based_on != metadata["resourceVersion"]:
            raise conflict(kind.plural, kind.group, metadata["name"], False)
        changeable = user.may("custom-host", kind, metadata["namespace"])
        result = objects.updated(kind, old, new, part, self.settings.domain, changeable)
        # What changes nothing is no event.
        return old if result == old else self.store.put(kind, key, result)

    def _delete(self, request: Request, kind: Kind, key: str, old: dict) -> dict:
        """A Pod that has a grace period stays, terminating, until it is deleted with none."""
        options = self._decoded(request) if request.body else {}
        grace = options.get("gracePeriodSeconds") if isinstance(options, dict) else None
        if grace is None:
            grace = number(request.query, "gracePeriodSeconds") if "gracePeriodSeconds" in request.query else \
                old["spec"].get("terminationGracePeriodSeconds", 0)
        if kind is not POD or not grace:
            return self.store.delete(kind, key)
        if not old["metadata"].get("deletionTimestamp"):
            old["metadata"] |= {"deletionTimestamp": objects.timestamp(), "deletionGracePeriodSeconds": grace}
            return self.store.put(kind, key, old)
        return old

    def _delete_many(self, request: Request, user: User, kind: Kind, namespace: str) -> Reply:
        access.demand(user, "deletecollection", kind, namespace)
        scope = Scope.of(namespace, request.query)
        collection: Collection = self.store.collections[kind.plural]
        keys = [key for key, body in collection.objects.items() if scope.has(key, body)]
        gone = [encode(self.store.delete(kind, key)) for key in keys]
        return list_reply(kind, gone, {"resourceVersion": str(self.store.revision)})
