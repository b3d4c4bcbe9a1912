"""Keeps a set of programs running: a program that ends is started again after 200 ms, doubling to 5 s.

One daemon per run directory. It is told what to do through RUN/supervisor.sock, one JSON line per request; the class
Programs is its client. RUN/pids and RUN/logs hold a file per program. It knows nothing of what the programs do.
"""

from __future__ import annotations

import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field

# The command line of this package; the daemons of the demo are its subcommands.
ENTRY = f"{os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}/demo_network.py"

DELAY_FIRST = 0.2
DELAY_MAX = 5.0
STEADY = 10.0  # a program that ran this long starts again with the first delay
LOG_MAX = 8 << 20
END_PATIENCE = 5.0


@dataclass
class Service:
    """A program: its name here, how to start it, in which namespace ("": the machine's) and on which cores."""

    name: str
    argv: list[str]
    namespace: str = ""
    cores: str = ""

    def command(self) -> list[str]:
        """Each step replaces itself by the next, so the process keeps its pid."""
        enter = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        pin = ["taskset", "-c", self.cores] if self.cores else []
        return enter + pin + self.argv


@dataclass
class _Entry:
    service: Service
    process: subprocess.Popen | None = None
    handle: int = -1  # pidfd of the process
    wanted: bool = True
    delay: float = DELAY_FIRST
    due: float | None = None  # when to start it again
    started: float = 0.0
    starts: int = 0


@dataclass
class Supervisor:
    """The daemon. Single-threaded: everything happens between two waits of the selector."""

    run_dir: str
    entries: dict[str, _Entry] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    ending: bool = False

    def serve(self) -> None:
        """Runs until told to end."""
        for part in ("pids", "logs"):
            os.makedirs(f"{self.run_dir}/{part}", exist_ok=True)
        path = f"{self.run_dir}/supervisor.sock"
        if os.path.exists(path):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen(16)
            os.dup2(2, 1)  # the launcher waits for the end of our standard output
            self.selector.register(listener, selectors.EVENT_READ)
            while not self.ending:
                self._turn(listener)
            self._end_all()
        os.unlink(path)

    def _turn(self, listener: socket.socket) -> None:
        dues = [entry.due for entry in self.entries.values() if entry.due is not None]
        wait = max(0.0, min(dues) - time.monotonic()) if dues else None
        for key, _ in self.selector.select(wait):
            if key.data:
                self._ended(self.entries[key.data])
            else:
                self._request(listener)
        now = time.monotonic()
        for entry in self.entries.values():
            if entry.due is not None and entry.due <= now:
                self._start(entry)

    def _request(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(2)
            try:
                request = json.loads(connection.makefile().readline())
                reply = getattr(self, "do_" + request.pop("do"))(**request)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                reply = {"error": repr(error)}
            try:
                connection.sendall(json.dumps(reply).encode() + b"\n")
            except OSError:
                pass  # the client went away; what it asked for is done

    def do_add(self, service: dict) -> dict:
        """Takes a program in and starts it; one that is already there gets the new description."""
        known = self.entries.setdefault(service["name"], _Entry(Service(**service)))
        known.service = Service(**service)
        return self.do_start(known.service.name)

    def do_start(self, name: str) -> dict:
        """Wants it running: starts it at once if it is not."""
        entry = self.entries[name]
        entry.wanted, entry.delay = True, DELAY_FIRST
        if entry.process is None:
            self._start(entry)
        return self._state(entry)

    def do_stop(self, name: str, number: int = signal.SIGTERM) -> dict:
        """Wants it stopped and sends the signal; the caller awaits the end of the pid in the answer."""
        entry = self.entries[name]
        entry.wanted, entry.due = False, None
        return self.do_signal(name, number)

    def do_signal(self, name: str, number: int) -> dict:
        """Sends a signal; a program that it ends is started again if it is wanted."""
        entry = self.entries[name]
        if entry.process is not None:
            entry.process.send_signal(number)
        return self._state(entry)

    def do_status(self) -> list[dict]:
        """The state of every program, in the order of their addition."""
        return [self._state(entry) for entry in self.entries.values()]

    def do_end(self) -> dict:
        """Ends every program and then the daemon."""
        self.ending = True
        return {"pid": os.getpid()}

    def _state(self, entry: _Entry) -> dict:
        return {"name": entry.service.name, "pid": entry.process.pid if entry.process else None,
                "wanted": entry.wanted, "starts": entry.starts}

    def _start(self, entry: _Entry) -> None:
        entry.due = None
        name = entry.service.name
        with self._log(name) as log:
            entry.process = subprocess.Popen(entry.service.command(), stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=log, cwd="/", start_new_session=True)
        entry.handle = os.pidfd_open(entry.process.pid)
        entry.started = time.monotonic()
        entry.starts += 1
        self.selector.register(entry.handle, selectors.EVENT_READ, name)
        with open(f"{self.run_dir}/pids/{name}.pid", "w", encoding="ascii") as file:
            file.write(f"{entry.process.pid}\n")

    def _log(self, name: str):
        path = f"{self.run_dir}/logs/{name}.log"
        if os.path.exists(path) and os.path.getsize(path) > LOG_MAX:
            os.replace(path, path + ".1")
        return open(path, "ab")

    def _ended(self, entry: _Entry) -> None:
        assert entry.process
        self.selector.unregister(entry.handle)
        os.close(entry.handle)
        status = entry.process.wait()
        entry.process = None
        name = entry.service.name
        os.unlink(f"{self.run_dir}/pids/{name}.pid")
        if not entry.wanted:
            return
        now = time.monotonic()
        if now - entry.started > STEADY:
            entry.delay = DELAY_FIRST
        entry.due = now + entry.delay
        how = f"signal {-status}" if status < 0 else f"status {status}"
        print(f"{time.strftime('%H:%M:%S')} {name} ended with {how}; started again in {entry.delay:.1f} s", flush=True)
        entry.delay = min(DELAY_MAX, entry.delay * 2)

    def _end_all(self) -> None:
        """The last started ends first: what carries traffic goes before what it is carried to."""
        for entry in reversed(self.entries.values()):
            if entry.process is None:
                continue
            entry.wanted = False
            entry.process.terminate()
            entry.process.send_signal(signal.SIGCONT)
            if not select.select([entry.handle], [], [], END_PATIENCE)[0]:
                entry.process.kill()
            self._ended(entry)


class ProgramError(Exception):
    """The supervisor refused a request, or a program did not do what was asked."""


class NoSupervisor(OSError):
    """No daemon answers in this run directory."""


@dataclass
class Programs:
    """The client side: what runs under the supervisor of a run directory."""

    run_dir: str

    def ask(self, do: str, **arguments):
        """One request; returns the answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(10)
            try:
                connection.connect(f"{self.run_dir}/supervisor.sock")
            except (FileNotFoundError, ConnectionRefusedError) as error:
                raise NoSupervisor(f"nothing runs under {self.run_dir}") from error
            connection.sendall(json.dumps({"do": do, **arguments}).encode() + b"\n")
            reply = json.loads(connection.makefile().readline())
        if isinstance(reply, dict) and "error" in reply:
            raise ProgramError(f"{do} {arguments}: {reply['error']}")
        return reply

    def running(self) -> bool:
        """Is there a supervisor that answers?"""
        try:
            self.ask("status")
        except NoSupervisor:
            return False
        return True

    def launch(self) -> None:
        """Starts the daemon and returns when it answers."""
        os.makedirs(self.run_dir, mode=0o755, exist_ok=True)
        with open(f"{self.run_dir}/supervisor.log", "ab") as log:
            daemon = subprocess.Popen([sys.executable, ENTRY, "supervise", self.run_dir],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, cwd="/",
                                      start_new_session=True)
        assert daemon.stdout
        daemon.stdout.read()  # it closes its end of the pipe when its socket listens
        if not self.running():
            raise ProgramError(f"the supervisor did not start, see {self.run_dir}/supervisor.log")

    def add(self, service: Service) -> None:
        """Takes a program in and starts it."""
        self.ask("add", service=asdict(service))

    def start(self, name: str) -> None:
        """Starts a stopped program."""
        self.ask("start", name=name)

    def stop(self, name: str, number: int = signal.SIGTERM, patience: float = END_PATIENCE) -> None:
        """Stops a program and waits for its end; killed when it takes longer than `patience` seconds."""
        pid = self.ask("stop", name=name, number=number)["pid"]
        if pid and not await_end(pid, patience):
            self.ask("stop", name=name, number=signal.SIGKILL)
            await_end(pid, patience)

    def signal(self, name: str, number: int) -> None:
        """Sends a signal; the program is started again if that ends it."""
        self.ask("signal", name=name, number=number)

    def status(self) -> dict[str, dict]:
        """name -> {pid (None: not running), wanted, starts}"""
        return {state["name"]: state for state in self.ask("status")}

    def pid(self, name: str) -> int | None:
        """The process of a program that runs."""
        return self.status().get(name, {}).get("pid")

    def end(self) -> None:
        """Ends all programs and the supervisor; nothing to end is fine."""
        try:
            pid = self.ask("end")["pid"]
        except NoSupervisor:
            return
        await_end(pid, 60)


def await_end(pid: int, seconds: float) -> bool:
    """Waits until a process has ended; False when the time is over."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], max(0.0, seconds))[0])
    finally:
        os.close(handle)


def await_true(condition, seconds: float, what: str, interval: float = 0.05):
    """Asks again and again until `condition` answers something true, and returns that; OSError counts as no."""
    limit = time.monotonic() + seconds
    while True:
        try:
            if answer := condition():
                return answer
        except OSError:
            pass
        if time.monotonic() > limit:
            raise ProgramError(f"after {seconds:.0f} s still not: {what}")
        time.sleep(interval)
