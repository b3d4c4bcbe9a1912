"""Puts the parts together and owns the connections: the API over TCP, with TLS if a certificate is given, and the
trusted Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import ssl
from dataclasses import dataclass, field
from typing import Any

from . import objects
from .answers import ApiError
from .control import Control
from .faults import Faults
from .http1 import Answering, Cut, Request, read_request
from .rest import Rest
from .routers import Router, Routers
from .store import KINDS, Store


@dataclass
class Settings:
    """How the server was started."""

    control: str
    listen: str
    certificate: str
    domain: str
    minor: int
    bookmark_seconds: float
    tokens: dict[str, Any] = field(default_factory=dict)


class Server:
    """One stand-in."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store()
        self.routers = Routers(self.store, [Router("default", settings.domain)])
        self.store.changed = self.routers.changed
        self.faults = Faults()
        self.rest = Rest(self.store, self.faults, settings)
        self.control = Control(self)
        self.connections: set[asyncio.StreamWriter] = set()  # over TCP
        self.watches: set[Answering] = set()  # requests over TCP that are being answered
        self._listener: asyncio.Server | None = None

    def seed(self, first: dict) -> None:
        """The objects that are there from the beginning."""
        for kind in KINDS:
            for given in first.get(kind.plural, ()):
                namespace = given["metadata"]["namespace"]
                item = objects.created(kind, objects.admit_shape(kind, given, namespace, ""), self.settings.domain)
                self.store.put(kind, f'{namespace}/{item["metadata"]["name"]}', item)

    async def serve(self) -> None:
        """Until SIGTERM."""
        gc.freeze()  # the first objects live long and have no cycles
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.settings.control)
        await self.listen_or_not()
        local = await asyncio.start_unix_server(lambda r, w: self._connection(r, w, True), self.settings.control)
        over = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
        await over.wait()
        local.close()
        self._close()

    async def listen_or_not(self) -> None:
        """Listens unless the server shall be down."""
        if self.faults.get("down") is not None:
            self._close()
        elif self._listener is None and self.settings.listen:
            address, _, port = self.settings.listen.rpartition(":")
            context = None
            if self.settings.certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.settings.certificate)
            self._listener = await asyncio.start_server(lambda r, w: self._connection(r, w, False), address, int(port),
                                                        ssl=context, backlog=256)

    def _close(self) -> None:
        if self._listener:
            self._listener.close()
            self._listener = None
        self.reset_connections()

    def reset_connections(self) -> None:
        """Ends every connection over TCP at once."""
        for writer in list(self.connections):
            writer.transport.abort()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, local: bool) -> None:
        if not local:
            self.connections.add(writer)
        try:
            while request := await read_request(reader, local):
                if not await self._until_gone(reader, self._serve(request, writer)) or not request.keeps_alive:
                    break
        except (Cut, ConnectionError, ssl.SSLError):
            writer.transport.abort()
        except asyncio.CancelledError:
            pass  # the process ends
        finally:
            self.connections.discard(writer)
            writer.close()

    async def _serve(self, request: Request, writer: asyncio.StreamWriter) -> None:
        answering = Answering(request, writer, self.faults)
        if not request.local:
            self.watches.add(answering)
        try:
            if request.local and request.path.startswith("/standin"):
                try:
                    reply = await self.control.serve(request)
                except ApiError as error:
                    reply = error.reply()
                await answering.whole(reply)
            else:
                await self.rest.serve(request, answering)
        finally:
            self.watches.discard(answering)

    @staticmethod
    async def _until_gone(reader: asyncio.StreamReader, answer: Any) -> bool:
        """Runs `answer`; False if the client went away before its end."""
        task = asyncio.ensure_future(answer)
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                return False
            task.result()
            return not gone.done()
        finally:
            for one in (task, gone):
                one.cancel()
            await asyncio.gather(task, gone, return_exceptions=True)
