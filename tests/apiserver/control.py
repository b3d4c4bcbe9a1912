"""What tests ask of the stand-in itself, over its Unix socket, under /standin/:

    GET    /standin                      revision, objects, open connections, counts of requests, faults
    PUT    /standin/faults/NAME {...}    switches a fault on (faults.py); DELETE switches it off, NAME "all": every one
    POST   /standin/restart              every connection is reset, and no history is left: each watch gets a 410
    POST   /standin/compact              no history and no half-read lists are left; connections stay
    POST   /standin/restore {"revision": N}
                                         a backup is restored: the version goes back to N; connections are reset
    POST   /standin/cut                  every connection is reset
    POST   /standin/inject {"resource": "routes", "text": "..."}
                                         these bytes into every watch of the resource
    POST   /standin/load {"count": N}    that many Routes at once (bulk.py); connections are reset, no history is left
    PUT    /standin/settings {...}       tokens, minor, bookmark_seconds, routers_working
"""

from __future__ import annotations

import gc
from typing import Any

from . import bulk
from .answers import Reply, bad_request, encode, page_not_found
from .faults import NAMES
from .http1 import Request
from .store import ROUTE

SETTINGS = ("tokens", "minor", "bookmark_seconds")


class Control:
    """Serves /standin/ for a Server."""

    def __init__(self, server: Any) -> None:
        self.server = server

    async def serve(self, request: Request) -> Reply:
        """One request."""
        try:
            body = request.json() if request.body else {}
        except ValueError as error:
            raise bad_request(str(error)) from None
        words = request.path.strip("/").split("/")[1:]
        if request.method == "GET" and not words:
            return Reply(200, encode(self._state()))
        if len(words) == 2 and words[0] == "faults":
            return await self._fault(request.method, words[1], body)
        if words == ["settings"]:
            return self._settings(body)
        action = getattr(self, f"_do_{words[0]}", None) if len(words) == 1 and request.method == "POST" else None
        if action is None:
            return page_not_found()
        await action(body)
        return Reply(200, encode(self._state()))

    def _state(self) -> dict:
        server = self.server
        collections = server.store.collections
        return {"revision": server.store.revision, "connections": len(server.connections),
                "objects": {plural: len(collection.objects) for plural, collection in collections.items()},
                "watches": {plural: len(collection.awake) for plural, collection in collections.items()},
                "counts": server.rest.counts, "faults": server.faults.all()}

    async def _fault(self, method: str, name: str, body: dict) -> Reply:
        if name not in (*NAMES, "all"):
            raise bad_request(f"no fault {name}: expected one of {', '.join(NAMES)}")
        if method == "PUT":
            self.server.faults.set(name, body)
        else:
            self.server.faults.clear(name)
        for collection in self.server.store.collections.values():
            collection.wake()
        await self.server.listen_or_not()
        return Reply(200, encode(self._state()))

    def _settings(self, body: dict) -> Reply:
        for key, value in body.items():
            if key == "routers_working":
                self.server.routers.working = value
                if value:
                    self.server.routers.look_at_all()
            elif key in SETTINGS:
                setattr(self.server.settings, key, value)
            else:
                raise bad_request(f"no setting {key}: expected {', '.join((*SETTINGS, 'routers_working'))}")
        return Reply(200, encode(self._state()))

    async def _do_restart(self, _: dict) -> None:
        self.server.store.forget()
        self.server.reset_connections()

    async def _do_compact(self, _: dict) -> None:
        self.server.store.compact()

    async def _do_restore(self, body: dict) -> None:
        self.server.store.restore(int(body["revision"]))
        self.server.reset_connections()

    async def _do_cut(self, _: dict) -> None:
        self.server.reset_connections()

    async def _do_inject(self, body: dict) -> None:
        for answering in list(self.server.watches):
            if answering.resource == body["resource"] and answering.on == "watch":
                await answering.chunk(body["text"].encode("utf-8", "surrogatepass"))

    async def _do_load(self, body: dict) -> None:
        server = self.server
        server.store.bulk(ROUTE, bulk.routes(body["count"], body.get("first", 0), body.get("namespaces", 100),
                                             body.get("domain", "bulk.test"), body.get("weight"),
                                             server.routers.routers[0]))
        gc.freeze()  # they live long and have no cycles
        server.reset_connections()
