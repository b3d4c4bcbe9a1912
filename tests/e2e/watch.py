"""A client that looks at the VIP again and again while a test breaks something, and notes what it met and when."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass

from demonet import client, names, netns

SERVED = "served"
REFUSED = "refused"  # an RST, in answer to the SYN or later
SILENT = "silent"  # no answer within the patience
OTHER = "other"


@dataclass(frozen=True)
class Look:
    """One connection: when it began (monotonic), how long it took, what became of it."""

    begun: float
    seconds: float
    outcome: str
    detail: str = ""


class Watch:
    """Threads in pm-client that make one connection after the other, each with one request. A lost SYN is no silence:
    Linux repeats it after a second.

        with Watch("only1.ch") as watch: ...
        assert not watch.met(SILENT)
    """

    def __init__(self, name: str, patience: float = 1.5, pause: float = 0.05, threads: int = 5) -> None:
        self.name = name
        self.patience = patience
        self.pause = pause
        self.looks: list[Look] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(i * pause / threads,), daemon=True)
                         for i in range(threads)]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def met(self, outcome: str, since: float = 0.0) -> list[Look]:
        """The looks with this outcome that began at or after `since`."""
        return [look for look in self.looks if look.outcome == outcome and look.begun >= since]

    def _work(self, delay: float) -> None:
        netns.enter(names.CLIENT)
        self._over.wait(delay)  # spread evenly, so that somebody looks at every moment
        while not self._over.wait(self.pause):
            begun = time.monotonic()
            outcome, detail = self._look()
            self.looks.append(Look(begun, time.monotonic() - begun, outcome, detail))

    def _look(self) -> tuple[str, str]:
        try:
            answer = client.fetch(self.name, timeout=self.patience)
        except TimeoutError:
            return SILENT, ""
        except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
            return REFUSED, ""
        except (OSError, ValueError) as error:
            return OTHER, repr(error)
        return (SERVED, "") if answer.status == 200 else (OTHER, answer.text)


def seconds_to_reset(sock: socket.socket, patience: float = 5.0) -> float | None:
    """Says something on a connection again and again until it is reset; None: it was silent all the time."""
    begun = time.monotonic()
    with contextlib.suppress(TimeoutError):
        while time.monotonic() - begun < patience:
            sock.settimeout(0.05)
            try:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: nobody.ch\r\n\r\n")
                with contextlib.suppress(TimeoutError):
                    if not sock.recv(65536):
                        return None  # closed in good order is no reset
            except (ConnectionResetError, BrokenPipeError):
                return time.monotonic() - begun
    return None
