"""What keeps the programs from starting gets one clear line and a status that is not 0; what runs already goes on."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
from typing import Any

from demonet import balancer, names, netns
from demonet.balancer import CONTROL, DATAPLANE
from demonet.client import fetch
from demonet.supervisor import ProgramError, await_true
from foreign_xdp import foreign_xdp
from rig import Rig, merged

ERROR = "<3>"  # how the line of an error begins

# A configuration with one fault per line: the path that must be named.
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("$.ports[0].interface", {"ports": [{"interface": "no/such name"}, {"interface": "south"}]}),
    ("$.listeners[0].port", {"listeners": [{"name": "http", "mode": "http", "addresses": [names.VIP], "port": 70000}]}),
    ("$.source_pool.prefixes[0]", {"source_pool": {"prefixes": ["203.0.113.65/28"]}}),
    ("$.dataplane.idle", {"dataplane": {"idle": "doze"}}),
    ("$.timeouts.head", {"timeouts": {"head": -1}}),
    ("$.limits.head_bytes", {"limits": {"head_bytes": "16k"}}),
    ("$.admin.listen", {"admin": {"listen": "0.0.0.0:8089"}}),
    ("$.paths.run", {"paths": {"run": "run"}}),
    ("$.clusters[0].routes[0].weight", {"clusters": [{"name": "ose1", "source": "static", "hosts": [],
                                                      "routes": [{"host": "app1.ch", "weight": 101}]}]}),
    ("$", {"liseners": []}),
]


def program_path(rig: Rig, name: str) -> str:
    """The binary of DATAPLANE or CONTROL."""
    return f"{rig.build}/{name}/pointsman-{name}"


def write(rig: Rig, config: dict, stem: str) -> str:
    """A configuration file beside that of the running pointsman, with directories of its own to run in."""
    for directory in config["paths"].values():
        if directory.startswith("/"):
            os.makedirs(directory, exist_ok=True)
    path = f"{rig.run_dir}/{stem}.json"
    with open(path, "w", encoding="ascii") as file:
        json.dump(config, file)
    return path


def run(rig: Rig, *argv: str, timeout: float = 30) -> subprocess.CompletedProcess:
    """A program in pm-edge until it ends by itself."""
    try:
        return rig.run(names.EDGE, *argv, check=False, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"{' '.join(argv)} does not end: {error.stderr!r}") from error


def errors_of(done: subprocess.CompletedProcess) -> list[str]:
    """The lines that a program has for its operator when it refuses to start; its status must say so too."""
    lines = [line for line in done.stderr.splitlines() if line.startswith(ERROR)]
    assert done.returncode not in (0, 126, 127) and done.returncode > 0, (done.returncode, done.stderr)
    return lines


def refusal(rig: Rig, name: str, config_path: str, *prefix: str, timeout: float = 30) -> str:
    """The one line with which DATAPLANE or CONTROL refuses to start."""
    lines = errors_of(run(rig, *prefix, program_path(rig, name), "--config", config_path, timeout=timeout))
    assert len(lines) == 1, lines
    return lines[0]


def assert_says(line: str, *words: str) -> None:
    """Every word (a regular expression) stands in the line."""
    for word in words:
        assert re.search(word, line), f"{word!r} is not in {line!r}"


def as_nobody(rig: Rig, name: str) -> list[str]:
    """The command line of a program under an account without any privilege, from a place that it may read."""
    path = f"{rig.run_dir}/pointsman-{name}"
    shutil.copy(program_path(rig, name), path)
    os.chmod(path, 0o755)
    return ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", path]


def check(rig: Rig, path: str) -> list[str]:
    """What --check says of a configuration with faults, without any privilege."""
    done = run(rig, *as_nobody(rig, CONTROL), "--check", path)
    assert done.returncode == 1 and not done.stdout, (done.returncode, done.stdout)
    return done.stderr.splitlines()


def test_check_reports_every_fault(rig: Rig) -> None:
    """--check needs neither root nor hugepages and lists all faults, each with path, reason and expected form."""
    config = rig.default_config()
    for _, difference in FAULTS:
        config = merged(config, difference)
    path = write(rig, config, "faulty")
    lines = check(rig, path)
    for fault, _ in FAULTS:
        own = [line for line in lines if line.startswith(f"{fault}: ")]
        assert len(own) == 1 and "; expected " in own[0], (fault, lines)
    assert len(lines) == len(FAULTS) + 1 and f"{len(FAULTS)} errors" in lines[-1], lines
    for name in (CONTROL, DATAPLANE):
        started = errors_of(run(rig, program_path(rig, name), "--config", path))
        assert any("$.listeners[0].port: " in line for line in started), started


def test_check_accepts_the_demo(rig: Rig) -> None:
    """The demo's own configuration is right."""
    path = write(rig, rig.default_config(), "right")
    done = run(rig, *as_nobody(rig, CONTROL), "--check", path)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert_says(done.stdout, "right.json", "2 clusters")


def test_check_of_no_json(rig: Rig) -> None:
    """What is no JSON is named with line and column; so is a file that is not there."""
    path = f"{rig.run_dir}/broken.json"
    with open(path, "w", encoding="ascii") as file:
        file.write('{\n  "ports": [,]\n}\n')
    assert_says(check(rig, path)[0], "broken.json", "line 2", "column")
    assert_says(check(rig, f"{rig.run_dir}/nowhere.json")[0], "nowhere.json", "No such file")


def test_admin_listen_needs_allow_from(rig: Rig) -> None:
    """An admin address that is not loopback is refused unless admin.allow_from lists who may."""
    config = merged(rig.default_config(), {"admin": {"listen": f"{names.EDGE_NORTH}:8089"}})
    line = refusal(rig, CONTROL, write(rig, config, "open"))
    assert_says(line, r"\$\.admin\.listen", "allow_from")


def test_missing_interface(rig: Rig) -> None:
    """A port that the machine does not have."""
    rig.stop()
    config = merged(rig.default_config(), {"ports": [{"interface": "north"}, {"interface": "nowhere0"}]})
    assert_says(refusal(rig, DATAPLANE, write(rig, config, "interface")), "nowhere0", "ip link")


def test_pool_is_no_local_route(rig: Rig) -> None:
    """A source pool for which Linux would not answer ARP: the line has the command that mends it."""
    rig.stop()
    config = merged(rig.default_config(), {"source_pool": {"prefixes": ["203.0.113.128/28"]}})
    assert_says(refusal(rig, DATAPLANE, write(rig, config, "pool")), "203.0.113.128/28", "ip route add local")


def test_no_hugepages(rig: Rig) -> None:
    """No hugetlbfs, and fewer hugepages than wanted (after 10 s of waiting for a predecessor's)."""
    rig.stop()
    path = write(rig, rig.default_config(), "hugepages")
    line = refusal(rig, DATAPLANE, path, "unshare", "--mount", "sh", "-c", 'umount -a -t hugetlbfs && exec "$@"', "sh")
    assert_says(line, "hugetlbfs", "mount -t hugetlbfs")
    config = merged(rig.default_config(), {"dataplane": {"memory_mb": 1 << 20}})
    line = refusal(rig, DATAPLANE, write(rig, config, "memory"))
    assert_says(line, "hugepages", "memory_mb", "nr_hugepages")


def test_not_root(rig: Rig) -> None:
    """Both programs say what they need root for."""
    rig.stop()
    path = write(rig, rig.default_config(), "nobody")
    for name in (DATAPLANE, CONTROL):
        lines = errors_of(run(rig, *as_nobody(rig, name), "--config", path))
        assert len(lines) == 1, lines
        assert_says(lines[0], "root", "sudo")


def test_second_instance(rig: Rig) -> None:
    """A second one of each program is refused with the pid of the first, which goes on."""
    rig.start()
    assert rig.config
    first = rig.programs.status()
    path = write(rig, rig.config, "second")
    for name in (DATAPLANE, CONTROL):
        line = refusal(rig, name, path)
        assert_says(line, "another", str(rig.programs.pid(name)), "stop it")
    elsewhere = {"paths": {"run": f"{rig.run_dir}/elsewhere", "state": f"{rig.run_dir}/elsewhere"}}
    path = write(rig, merged(rig.config, elsewhere), "elsewhere")
    lines = errors_of(run(rig, program_path(rig, DATAPLANE), "--config", path))
    assert len(lines) == 2, lines
    for line, port in zip(lines, ("north", "south")):
        assert_says(line, port, "another pointsman-dataplane", str(rig.programs.pid(DATAPLANE)), "stop that one")
    assert fetch("only1.ch").status == 200
    assert rig.programs.status() == first, "the first ones go on"


def test_foreign_xdp_program(rig: Rig) -> None:
    """Somebody else's XDP program on a port stays there and is named."""
    rig.stop()
    path = write(rig, rig.default_config(), "foreign")
    with foreign_xdp(names.EDGE, "south", "somebodys_prog"):
        line = refusal(rig, DATAPLANE, path)
    assert_says(line, "south", "somebodys_prog", "xdp off")


def test_dataplane_of_another_version(rig: Rig) -> None:
    """Control refuses a dataplane that speaks another version, and the dataplane goes on."""
    rig.start()
    assert rig.config
    rig.dirty = True
    run_file = f"{rig.config['paths']['run']}/dataplane.run"
    with open(run_file, encoding="ascii") as file:
        content = json.load(file)
    rig.programs.stop(CONTROL)
    with open(run_file, "w", encoding="ascii") as file:
        json.dump(content | {"version": content["version"] + 1}, file)
    path = write(rig, rig.config, "version")
    line = refusal(rig, CONTROL, path, timeout=5)
    assert_says(line, "version", "release|build")
    assert fetch("only1.ch").status == 200


def test_state_file_of_another_version(rig: Rig) -> None:
    """Control does not touch a state file that it cannot read, and says so."""
    rig.start()
    assert rig.config
    rig.dirty = True
    rig.programs.stop(CONTROL)
    path = f"{rig.config['paths']['state']}/clusters.state"
    with open(path, "rb") as file:
        before = file.read()
    other = re.sub(rb"^pointsman-state \d+ ", b"pointsman-state 99 ", before, count=1)
    assert other != before
    with open(path, "wb") as file:
        file.write(other)
    line = refusal(rig, CONTROL, write(rig, rig.config, "other"))
    assert_says(line, "clusters.state", "version 99")
    with open(path, "rb") as file:
        assert file.read() == other
    assert fetch("only1.ch").status == 200


def test_taken_admin_address(rig: Rig) -> None:
    """Somebody else listens on the admin address."""
    rig.stop()
    with netns.inside(names.EDGE):
        taken = socket.create_server(("127.0.0.1", names.ADMIN_PORT))
    with contextlib.closing(taken):
        line = refusal(rig, CONTROL, write(rig, rig.default_config(), "taken"))
    assert_says(line, r"127\.0\.0\.1:8089", "in use")


def test_programs_start_in_any_order(rig: Rig) -> None:
    """Control before the dataplane: it serves its API, says that there is none, and feeds it when it comes."""
    rig.stop()
    config = merged(rig.default_config(), {})
    shutil.rmtree(config["paths"]["state"], ignore_errors=True)
    path = balancer.write_configuration(rig.run_dir, config)
    dataplane, control = balancer.services(rig.build, path)
    rig.dirty = True
    rig.config = config
    rig.programs.add(control)
    await_true(lambda: "absent" in json.dumps(rig.status()), 5, "the status says that there is no dataplane")
    await_true(lambda: all(host["healthy"] for host in rig.hosts().values()), 5, "hosts are checked")
    rig.programs.add(dataplane)
    try:
        balancer.await_serving(10)
    except ProgramError as error:
        raise AssertionError(rig.log(DATAPLANE)) from error
