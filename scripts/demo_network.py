#!/usr/bin/env python3
"""The demo network and its router hosts by hand, without the balancer: as root, scripts/demo_network.py up | down.

scripts/demo and the end-to-end tests use the same parts; this is their entry point and a tool for development.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from demonet import apis, app, balancer, check, forward, names, network, routers, routes  # noqa: E402
from demonet.supervisor import ENTRY, ProgramError, Programs, Service, Supervisor  # noqa: E402

FORWARDS = (("http", 8080, names.CLIENT, names.VIP, 80), ("https", 8443, names.CLIENT, names.VIP, 443),
            ("admin", 8089, names.EDGE, "127.0.0.1", names.ADMIN_PORT))


def up(run_dir: str) -> None:
    """Network, applications and router hosts; returns when every router host is healthy."""
    for other in glob.glob("/run/pointsman-*/supervisor.sock"):
        Programs(os.path.dirname(other)).end()  # it would start its programs again in our namespaces
    down(run_dir)
    network.up()
    programs = Programs(run_dir)
    programs.launch()
    for service in routers.prepare(run_dir):
        programs.add(service)
    routers.await_healthy(names.HOSTS)


def down(run_dir: str) -> None:
    """Ends all programs, removes the network and what stands in the run directory, but for the caller's own `host`."""
    Programs(run_dir).end()
    network.down()
    for entry in os.scandir(run_dir) if os.path.isdir(run_dir) else ():
        if entry.name == "host":
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
    if os.path.isdir(run_dir) and not os.listdir(run_dir):
        os.rmdir(run_dir)


def add_spare(run_dir: str) -> None:
    """The spare cluster with its API server; returns when all of it is ready. pointsman is not told of it."""
    cluster = names.SPARE_CLUSTER
    programs = Programs(run_dir)
    network.add_cluster(cluster)
    for service in (*routers.prepare(run_dir, (cluster,)), apis.prepare_spare(run_dir)):
        programs.add(service)
    routers.await_healthy(cluster.hosts)
    apis.await_answering(run_dir, (cluster,))


def _start_forwards(run_dir: str, programs: Programs) -> None:
    """One process per namespace; ports.json tells which ports it became."""
    ports: dict[str, int] = {}
    for name, wanted, *_ in FORWARDS:
        ports[name] = forward.free_port(wanted, set(ports.values()))
    for namespace in (names.CLIENT, names.EDGE):
        legs = [str(forward.Forward(ports[name], address, target))
                for name, _, inside, address, target in FORWARDS if inside == namespace]
        programs.add(Service(f"forward-{namespace}", [sys.executable, ENTRY, "forward", namespace, *legs],
                             cores=names.other_cores()))
    with open(f"{run_dir}/ports.json", "w", encoding="ascii") as file:
        json.dump(ports, file)


def _stamp(build: str) -> str:
    """Changes whenever a program or a part of the demo does."""
    here = os.path.dirname(os.path.abspath(__file__))
    paths = sorted(glob.glob(f"{here}/demonet/*.py") + glob.glob(f"{here}/../tests/apiserver/*.py"))
    paths += [service.argv[0] for service in balancer.services(build, "")]
    return "\n".join(f"{path} {os.stat(path).st_mtime_ns}" for path in paths)


def start_all(run_dir: str, build: str) -> None:
    """The whole demo, the clusters known by their APIs; returns when a request has gone through it."""
    up(run_dir)
    programs = Programs(run_dir)
    for service in apis.prepare(run_dir):
        programs.add(service)
    apis.await_answering(run_dir)
    add_spare(run_dir)
    config = balancer.write_configuration(run_dir, balancer.configuration(run_dir, build, watch=True))
    for service in balancer.services(build, config):
        programs.add(service)
    _start_forwards(run_dir, programs)
    try:
        balancer.await_serving(30)
    except ProgramError as error:
        logs = [f"--- {name}\n{balancer.log_tail(run_dir, name)}" for name in balancer.unsteady(programs)]
        raise ProgramError("\n".join([str(error), *logs])) from error
    with open(f"{run_dir}/stamp", "w", encoding="utf-8") as file:
        file.write(_stamp(build))


def current(run_dir: str, build: str) -> bool:
    """Does the demo run, and as it is built now?"""
    try:
        with open(f"{run_dir}/stamp", encoding="utf-8") as file:
            return file.read() == _stamp(build) and all(state["pid"] for state in Programs(run_dir).status().values())
    except OSError:
        return False


def hints(run_dir: str) -> None:
    """What to try."""
    with open(f"{run_dir}/ports.json", encoding="ascii") as file:
        ports = json.load(file)
    here = os.path.dirname(os.path.abspath(__file__))
    if not os.path.relpath(here).startswith(".."):
        here = os.path.relpath(here)
    program = os.path.normpath(f"{here}/../build/control/cli/pointsman")
    spare = names.SPARE_CLUSTER
    print(f"""\
In a browser: http://app1.localhost:{ports['http']}/ and reload: 10 of 90 times cluster ose1, 80 times ose2
  curl http://app1.localhost:{ports['http']}/
  curl -H 'Host: only1.ch' http://127.0.0.1:{ports['http']}/
  curl --cacert {run_dir}/certs/ca.pem --connect-to ::127.0.0.1:{ports['https']} https://secure.ch/
  curl http://127.0.0.1:{ports['admin']}/api/v1/hosts
  sudo ip netns exec {names.CLIENT} curl -H 'Host: only2.ch' http://{names.VIP}/
  sudo {here}/demo_network.py --run {run_dir} stop router-203.0.113.11   (and start)
  sudo ip netns exec {names.EDGE} {program} cluster add ose3 --api https://{spare.api}:{names.API_PORT} \\
    --token-file {apis.token_file(run_dir, spare)} --ca {run_dir}/certs/ca.pem --state staged   (then: diff ose1 ose3)
  sudo {here}/demo route add ose1 hello.localhost   (then in a browser; route -h: annotate, delete, list)
  sudo {here}/demo check
  sudo {here}/demo down
Logs, pid files, configuration and certificates are in {run_dir}""")


def status(run_dir: str) -> None:
    """A line per program."""
    for name, state in Programs(run_dir).status().items():
        how = f"pid {state['pid']}" if state["pid"] else ("starting" if state["wanted"] else "stopped")
        print(f"{name:24} {how}, started {state['starts']} times")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--run", default="/run/pointsman-net", help="where pid files, logs and certificates go")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="make the network and start the router hosts")
    commands.add_parser("down", help="remove everything")
    commands.add_parser("status", help="list the programs")
    for command in ("start", "stop"):
        commands.add_parser(command, help=f"{command} one program, such as router-203.0.113.11").add_argument("name")
    for command, text in (("start-all", "up, and the balancer too"),
                          ("current", "exit 0 if start-all need do nothing")):
        commands.add_parser(command, help=text).add_argument("build", help="the build directory")
    commands.add_parser("hints", help="what to try")
    routes.add_arguments(commands.add_parser("route", help="add, annotate, delete or list Routes"))
    commands.add_parser("check", help="the checks of scripts/demo check")
    commands.add_parser("supervise", help="(internal) the supervisor").add_argument("directory")
    serve = commands.add_parser("app", help="(internal) the program behind /bytes and /sha256")
    serve.add_argument("address")
    serve.add_argument("port", type=int)
    leg = commands.add_parser("forward", help="(internal) forwards ports of the machine into a namespace")
    leg.add_argument("namespace")
    leg.add_argument("legs", nargs="+", type=forward.Forward.parse, metavar="PORT=ADDRESS:TARGET")
    return parser.parse_args()


def run(given: argparse.Namespace) -> int:
    """Runs one command."""
    simple = {"up": up, "down": down, "status": status, "hints": hints}
    if given.command in simple:
        simple[given.command](given.run)
    elif given.command in ("start", "stop"):
        getattr(Programs(given.run), given.command)(given.name)
    elif given.command == "start-all":
        start_all(given.run, given.build)
    elif given.command == "current":
        return 0 if current(given.run, given.build) else 1
    elif given.command == "check":
        return 1 if check.run(given.run) else 0
    elif given.command == "route":
        routes.run(given.run, given)
    elif given.command == "supervise":
        Supervisor(given.directory).serve()
    elif given.command == "app":
        app.serve(given.address, given.port)
    elif given.command == "forward":
        forward.serve(given.namespace, given.legs)
    return 0


def main() -> int:
    """Errors are for people: the cause, and no traceback."""
    try:
        return run(arguments())
    except (network.NetworkError, ProgramError, OSError) as error:
        print(f"demo_network: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
