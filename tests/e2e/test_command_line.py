"""The program `pointsman` as an operator uses it: drains that are waited for, changes that somebody else has made
meanwhile, the status as a check, the live view on a terminal. A whole migration is in test_migration.py."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from typing import Any

import traffic
from demonet import names
from demonet.balancer import DATAPLANE
from demonet.supervisor import await_true
from rig import Rig

DONE, FAILED, LATE = 0, 1, 2  # exit statuses


def pointsman(rig: Rig, *words: str, status: int = DONE, timeout: float = 90) -> str:
    """What a command prints; its exit status must be this one."""
    rig.dirty = True
    done = rig.run(names.EDGE, f"{rig.build}/control/cli/pointsman", *words, check=False, timeout=timeout)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def answer(rig: Rig, *words: str) -> Any:
    """The API's answer to a command."""
    return json.loads(pointsman(rig, *words, "--json"))


def test_a_drain_whose_time_is_over(rig: Rig) -> None:
    """Exit status 2, and the connection is gone; a drain that is called off ends with 1."""
    rig.start()
    held = traffic.Held("only1.ch")
    rig.defer(held.close)
    host = f"ose1/router-{held.router.rsplit('.', 1)[1]}"
    late = pointsman(rig, "host", "drain", host, "--timeout", "2s", "--wait", status=LATE)
    assert "were left (1) were closed" in late, late
    assert "draining" in pointsman(rig, "hosts", "-c", "ose1")
    pointsman(rig, "host", "enable", host, "--wait")
    again = traffic.Held("only1.ch")
    rig.defer(again.close)
    host = f"ose1/router-{again.router.rsplit('.', 1)[1]}"
    drain = ["ip", "netns", "exec", names.EDGE, f"{rig.build}/control/cli/pointsman", "host", "drain", host, "--wait"]
    with subprocess.Popen(drain, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        await_true(lambda: "draining" in pointsman(rig, "hosts", "-c", "ose1"), 5, "it drains")
        pointsman(rig, "host", "enable", host)
        _, errors = waiting.communicate(timeout=20)
    assert waiting.returncode == FAILED and "somebody has called the drain off" in errors, errors


def test_another_one_was_faster(rig: Rig) -> None:
    """--if-revision refuses, and says who did what meanwhile."""
    rig.start()
    revision = answer(rig, "status")["control"]["revision"]
    pointsman(rig, "route", "weight", "app1.ch", "ose1", "33.33", "--reason", "CHG7", "--wait")
    refused = pointsman(rig, "rollback", "app1.ch", "--if-revision", str(revision), status=FAILED)
    assert "Changed since" in refused and "33.33" in refused, refused
    pointsman(rig, "rollback", "app1.ch", "--if-revision", str(revision + 1), "--wait")


def test_plans_change_nothing(rig: Rig) -> None:
    """--plan of every command that changes something says what would change, in words, and does nothing."""
    rig.start()
    backup = f"{rig.run_dir}/plans.json"
    pointsman(rig, "export", backup)
    cluster = f"{rig.run_dir}/plans-cluster.json"
    with open(cluster, "w", encoding="utf-8") as file:
        json.dump({"source": "static", "state": "staged", "hosts": [], "routes": [{"host": "app1.ch"}]}, file)
    pointsman(rig, "shift", "app1.ch", "--to", "ose2", "--percent", "40%", "--wait")
    saved = re.search(r"as id (\d+)", pointsman(rig, "revision", "save", "plans"))
    assert saved
    held = traffic.Held("only1.ch")
    rig.defer(held.close)
    revision = answer(rig, "status")["control"]["revision"]
    plans: list[tuple[str, int, str]] = [  # words, exit status, a part of what is said
        ("cluster add new --file " + cluster, DONE, "cluster new would be added: staged, source static"),
        ("cluster set ose1 default_weight=50", DONE, "cluster ose1: default_weight 100 -> 50"),
        ("cluster set ose1 health.interval=2000", DONE, "cluster ose1: health.interval"),
        ("cluster set ose1 state=offline", FAILED, "--force does it all the same"),
        ("cluster set ose1 state=offline --force", DONE, 'cluster ose1: state "active" -> "offline"'),
        ("cluster drain ose1", FAILED, "Refused: cluster ose1: 2 routes are served nowhere else"),
        ("cluster drain ose1 --force --timeout 2h", DONE, "cluster ose1: what is left after 2h is closed"),
        ("cluster offline ose2 --close --force", DONE, "cluster ose2: its connections are closed at once"),
        ("cluster enable ose1", DONE, "Nothing would change"),
        ("cluster activate ose1", DONE, "Nothing would change"),
        ("cluster remove ose1", FAILED, "cluster ose1 would be removed"),
        ("host drain ose1/router-11", DONE, "router host ose1/router-11: enabled -> draining"),
        ("host disable ose1/router-11 --close", DONE, "enabled -> disabled"),
        ("host enable ose1/router-11", DONE, "Nothing would change"),
        ("route weight app1.ch ose1 7", DONE, "1 route\n"),
        ("route weight app1.ch ose1 default", DONE, "1 route\n"),
        ("shift app1.ch --from ose1 --to ose2 --percent 50", DONE, "ose1 50%, ose2 50%"),
        ("shift --all --from ose1 --to ose2 --percent 50", DONE, "ose1 50%, ose2 50%"),
        ("rollback app1.ch", DONE, "ose1 11.11%, ose2 88.89%"),
        ("held confirm ose1", DONE, "0 held deletions would be carried out"),
        ("revision save more", DONE, "more would be saved"),
        (f"revision rollback {saved[1]}", DONE, "Nothing would change"),
        (f"revision remove {saved[1]}", DONE, "would be removed"),
        ("import " + backup, DONE, "Would change:"),
        ("reload", DONE, "The configuration is the same as before"),
        ("token create new --role viewer", DONE, "Token new with role viewer would be made"),
        ("conns close --route only1.ch", DONE, "1 connection would be closed"),
    ]
    for words, status, said in plans:
        printed = pointsman(rig, *words.split(), "--plan", status=status)
        assert said in printed and "Done" not in printed, (words, printed)
        assert answer(rig, "status")["control"]["revision"] == revision, words
    assert held.ask().status == 200
    assert [one["name"] for one in answer(rig, "revision", "list")["revisions"] if one["name"]] == ["plans"]


def test_status_is_a_check(rig: Rig) -> None:
    """Exit status 1 while something is red, also of --json."""
    rig.start()
    pointsman(rig, "status")
    rig.programs.stop(DATAPLANE)
    await_true(lambda: rig.status()["dataplane"]["state"] == "absent", 10, "control has noticed")
    assert "dataplane    absent" in pointsman(rig, "status", status=FAILED)
    red = json.loads(pointsman(rig, "status", "--json", status=FAILED))
    assert red["dataplane"]["state"] == "absent", red
    rig.programs.start(DATAPLANE)
    rig.await_ready()
    pointsman(rig, "status")


def test_events_are_chosen(rig: Rig) -> None:
    """--since leaves out what was there, --kind what is something else."""
    rig.start()
    last = answer(rig, "events")["last"]
    pointsman(rig, "route", "weight", "app1.ch", "ose1", "44.44", "--wait")
    pointsman(rig, "route", "weight", "app1.ch", "ose1", "default", "--wait")
    chosen = ["events", "--since", str(last), "--kind", "weight_set"]
    assert [event["kind"] for event in answer(rig, *chosen)["events"]] == ["weight_set"]
    assert "44.44" in pointsman(rig, *chosen)


class Screen:
    """A command on a terminal of its own, with what it has written to it."""

    def __init__(self, rows: int, columns: int, *argv: str) -> None:
        self.written = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm", LC_ALL="C.UTF-8")
            os.execvp(argv[0], argv)
        self.resize(rows, columns)

    def resize(self, rows: int, columns: int) -> None:
        """As a terminal's window does."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self) -> bytes:
        """All that was written up to now; b"" at the end."""
        while select.select([self.fd], [], [], 0)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # the other side is closed
                break
            self.written += data
        return self.written

    def await_text(self, text: bytes, seconds: float = 10) -> None:
        """Waits until it was written."""
        await_true(lambda: text in self.read(), seconds, f"{text!r} is on the screen")

    def end(self) -> int:
        """Waits for the end; the exit status."""
        def ended() -> bool:
            self.read()
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        await_true(ended, 10, "the command ends")
        self.read()
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_top_gives_the_terminal_back(rig: Rig) -> None:
    """80 x 24, another size, keys; after q and after a signal the screen, the cursor and the input are as before."""
    rig.start()
    command = ["ip", "netns", "exec", names.EDGE, f"{rig.build}/control/cli/pointsman", "top"]
    for number in (0, signal.SIGTERM):
        screen = Screen(24, 80, *command)
        screen.await_text(b"dataplane ready")
        with traffic.Load("app1.ch", threads=2, rate=200):
            screen.await_text(b"PLANNED/REAL")
            screen.await_text(b"ose1/router-11")
            os.write(screen.fd, b"s")
            screen.await_text(b"sort (new)")
            os.write(screen.fd, b"\033[6~\033[5~p")
            screen.await_text(b"PAUSED")
            screen.resize(40, 132)
            screen.await_text(b"\033[40;1H")  # the last row of the new size
            screen.resize(10, 40)
            screen.await_text(b"\033[10;1H")
        if number:
            os.kill(screen.pid, number)
        else:
            os.write(screen.fd, b"q")
        assert screen.end() == -number
        assert screen.written.rstrip().endswith(b"\033[?25h\033[?1049l"), screen.written[-80:]


def test_watch_and_completion(rig: Rig) -> None:
    """A line each second into a pipe; names for the shell."""
    rig.start()
    done = rig.run(names.EDGE, "timeout", "-s", "INT", "3", f"{rig.build}/control/cli/pointsman", "watch", "app1.ch",
                   check=False)
    lines = done.stdout.splitlines()
    assert 2 <= len(lines) <= 4 and all(re.match(r"\d\d:\d\d:\d\d  ose1 11.11% planned", line) for line in lines), lines
    assert pointsman(rig, "completion", "names", "clusters").split() == ["ose1", "ose2"]
    assert "ose1/router-11" in pointsman(rig, "completion", "names", "hosts", "ose1/").split()
    assert pointsman(rig, "completion", "names", "routes", "only").split() == ["only1.ch", "only2.ch"]
