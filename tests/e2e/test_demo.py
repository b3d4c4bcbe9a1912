"""scripts/demo as a newcomer uses it: up, what it prints, check, down, and a machine as it was before."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import time
from typing import Any

from demonet import names
from demonet.supervisor import Programs
from rig import ROOT, Rig

DEMO = f"{ROOT}/scripts/demo"
RUN = "/run/pointsman-demo"
UP_SECONDS = 400  # the first one builds
CHECK_SECONDS = 30
HINTS_MAX = 15  # lines
HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"


def demo(*arguments: str, timeout: float = UP_SECONDS) -> subprocess.CompletedProcess:
    """scripts/demo, from the repository as the README has it, on all cores."""
    every_core = ["taskset", "-c", f"0-{(os.cpu_count() or 1) - 1}"]
    return subprocess.run([*every_core, DEMO, *arguments], cwd=ROOT, capture_output=True, text=True, check=False,
                          timeout=timeout, stdin=subprocess.DEVNULL)


def machine() -> dict[str, Any]:
    """What `up` changes and `down` must put back."""
    with open(HUGEPAGES, encoding="ascii") as pages, open("/proc/mounts", encoding="ascii") as mounts:
        return {
            "hugepages": pages.read(),
            "mounts": [line for line in mounts if "hugetlbfs" in line],
            "namespaces": [name for name in names.NAMESPACES if os.path.exists(f"/run/netns/{name}")],
            "run": os.path.exists(RUN),
            "policy": os.path.exists("/usr/sbin/policy-rc.d"),
            "sysctl": subprocess.run(["sysctl", "-a", "-r", r"^net\.ipv4\.(ip_forward|ip_local_port_range)$"],
                                     capture_output=True, text=True, check=True).stdout,
            "links": subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout,
        }


def pids() -> dict[str, int]:
    """The demo's programs."""
    return {name: state["pid"] for name, state in Programs(RUN).status().items()}


def ports() -> dict[str, int]:
    """The machine's ports that lead into the demo."""
    with open(f"{RUN}/ports.json", encoding="ascii") as file:
        return json.load(file)


def shell(command: str) -> subprocess.CompletedProcess:
    """A line that `up` has printed, in a shell, without sudo: we are root."""
    return subprocess.run(["bash", "-c", command.replace("sudo ", "")], cwd=ROOT, capture_output=True, text=True,
                          check=False, timeout=60)


def commands(printed: str) -> list[str]:
    """The commands among the lines that `up` prints."""
    lines = re.findall(r"^  (\S.*)$", printed, re.M)
    return [re.sub(r"  +\(.*\)$", "", line) for line in lines]


def without_rig(rig: Rig) -> None:
    """The tests' own network makes room for the demo's, and is made again after the test."""
    rig.dirty = True
    rig.tear_down()
    rig.defer(rig.set_up)
    rig.defer(demo, "down")


def test_up_check_down(rig: Rig) -> None:
    """What a newcomer does, in that order."""
    without_rig(rig)
    before = machine()
    assert demo("check").returncode == 1 and "up" in demo("check").stderr

    done = demo()
    assert done.returncode == 0, done.stderr
    hints = done.stdout[done.stdout.index("In a browser"):]
    assert len(hints.splitlines()) <= HINTS_MAX, hints
    assert RUN in hints and os.path.isdir(f"{RUN}/logs") and os.path.isdir(f"{RUN}/pids")
    expected = {"app1.localhost": r"^cluster=ose[12] router=203\.0\.113\.\d+ host=app1\.localhost$",
                "only1.ch": r"^cluster=ose1 .* host=only1\.ch$", "secure.ch": r"^cluster=ose[12] .* host=secure\.ch$",
                "api/v1/hosts": r'"hosts"', "only2.ch": r"^cluster=ose2 .* host=only2\.ch$"}
    curls = [line for line in commands(hints) if "curl" in line]
    assert len(curls) == len(expected), hints
    for line, (word, pattern) in zip(curls, expected.items()):
        seen = shell(line)
        assert word in line and seen.returncode == 0 and re.search(pattern, seen.stdout, re.M), (line, seen)
    page = shell(f"curl -s -H 'Accept: text/html' http://app1.localhost:{ports()['http']}/")
    assert "<!doctype html>" in page.stdout and "ose" in page.stdout, page

    running = pids()
    done = demo("up")
    assert done.returncode == 0 and "already up" in done.stdout and pids() == running, done

    begun = time.monotonic()
    done = demo("check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - begun < CHECK_SECONDS
    lines = done.stdout.splitlines()
    assert len(lines) > 8 and all(re.match(r"ok +.*: expected .*, seen ", line) for line in lines[:-1]), lines

    done = demo("down")
    assert done.returncode == 0, done.stderr
    assert machine() == before
    assert all(not os.path.exists(f"/proc/{pid}") for pid in running.values())
    done = demo("down")
    assert done.returncode == 0 and "nothing to do" in done.stdout


def test_check_says_what_is_wrong(rig: Rig) -> None:
    """up mends what was stopped; check fails with what was expected and seen; a taken port moves to the next one."""
    without_rig(rig)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # taken already: as good
            stack.enter_context(socket.create_server(("127.0.0.1", 8080)))
        done = demo("up")
    assert done.returncode == 0, done.stderr
    port = ports()["http"]
    assert port != 8080 and f"http://app1.localhost:{port}/" in done.stdout, done.stdout
    Programs(RUN).stop("dataplane")
    done = demo("up")
    assert done.returncode == 0 and "already up" not in done.stdout, done.stdout
    page = shell(f"curl -s -H 'Host: only2.ch' http://127.0.0.1:{ports()['http']}/")
    assert "cluster=ose2" in page.stdout, "up has not mended it"
    assert shell(f"curl -sf -X DELETE 'http://127.0.0.1:{ports()['admin']}/api/v1/clusters/ose2?force=true'").returncode == 0
    done = demo("check")
    assert done.returncode == 1, done.stdout
    assert re.search(r"^FAIL HTTP only2\.ch: expected ose2, seen", done.stdout, re.M), done.stdout
    assert re.search(r"^ok   HTTP only1\.ch: expected ose1, seen ose1$", done.stdout, re.M), done.stdout


def test_needs_are_named_at_once(_: Rig) -> None:
    """Everything that is missing is said together, each with its mend, before anything is changed."""
    before = machine()
    done = subprocess.run(["taskset", "-c", "0", DEMO, "up"], capture_output=True, text=True, check=False, timeout=60,
                          env=os.environ | {"POINTSMAN_HUGEPAGES": "100000000"})
    assert done.returncode == 1 and not done.stdout, done
    assert "2 cores are needed" in done.stderr and "MB of free memory are needed" in done.stderr, done.stderr
    assert machine() == before


def test_unknown_command(_: Rig) -> None:
    """A word that is no command."""
    done = demo("upp")
    assert done.returncode == 1 and "upp" in done.stderr and "down" in done.stderr
