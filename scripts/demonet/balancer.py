"""pointsman in the demo network: its configuration and its two programs, started inside pm-edge."""

from __future__ import annotations

import json
import os

from . import apis, names
from .apis import WEIGHTS
from .client import fetch
from .supervisor import Programs, Service, await_true

DATAPLANE = "dataplane"
CONTROL = "control"
HUGEPAGES = int(os.environ.get("POINTSMAN_HUGEPAGES", "512"))  # of 2 MB, as scripts/lib.sh reserves them

def _routes(index: int, cluster: names.Cluster) -> list[dict]:
    routes = [{"host": host, "weight": WEIGHTS[host][index]} for host in names.EDGE_ROUTES]
    routes += [{"host": host} for host in cluster.only]
    routes.append({"host": names.PASSTHROUGH, "weight": WEIGHTS[names.PASSTHROUGH][index], "http": False})
    return routes


def _cluster(index: int, cluster: names.Cluster) -> dict:
    hosts = [{"name": f"router-{address.rsplit('.', 1)[1]}", "address": address} for address in cluster.hosts]
    return {"name": cluster.name, "source": "static", "hosts": hosts, "routes": _routes(index, cluster)}


def watched_cluster(run_dir: str, cluster: names.Cluster) -> dict:
    """The same from the cluster's API: an address, a token and an authority are all that pointsman is told."""
    watch = {"server": f"https://{cluster.api}:{names.API_PORT}", "token_file": apis.token_file(run_dir, cluster),
             "ca_file": f"{run_dir}/certs/ca.pem"}
    return {"name": cluster.name, "source": "watch", "watch": watch}


def configuration(run_dir: str, build: str, idle: str = "sleep", watch: bool = False) -> dict:
    """The configuration file of both programs as it is used in the demo network; with `watch` the clusters come from
    their APIs, else they stand in the file."""
    static = [_cluster(index, cluster) for index, cluster in enumerate(names.CLUSTERS)]
    watched = [watched_cluster(run_dir, cluster) for cluster in names.CLUSTERS]
    return {
        "ports": [{"interface": "north"}, {"interface": "south"}],
        "listeners": [
            {"name": "http", "mode": "http", "addresses": [names.VIP], "port": 80},
            {"name": "https", "mode": "tls", "addresses": [names.VIP], "port": 443},
        ],
        "source_pool": {"prefixes": [names.SOURCE_POOL]},
        "dataplane": {
            # The main thread beside everything else, the one worker alone.
            "lcores": f"0@{names.other_cores().split(',', maxsplit=1)[0]},1@{names.worker_core()}",
            "idle": idle,
            "memory_mb": HUGEPAGES * 2,
            "xdp_program": f"{build}/dataplane/xdp_filter.bpf.o",
        },
        # Who can reach loopback of the edge's namespace is root here, or comes through the demo's forwarder.
        "admin": {"listen": f"127.0.0.1:{names.ADMIN_PORT}", "allowed_hosts": ["localhost"], "loopback": "admin"},
        "paths": {"run": f"{run_dir}/pointsman", "state": f"{run_dir}/state"},
        "clusters": watched if watch else static,
    }


def write_configuration(run_dir: str, content: dict) -> str:
    """Writes the configuration file and makes the folders that it names; returns its path."""
    for directory in content["paths"].values():
        os.makedirs(directory, exist_ok=True)
    path = f"{run_dir}/pointsman.json"
    with open(path, "w", encoding="ascii") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    return path


def services(build: str, config_path: str) -> list[Service]:
    """The two programs. EAL puts the dataplane's threads on their cores itself."""
    return [
        Service(DATAPLANE, [f"{build}/dataplane/pointsman-dataplane", "--config", config_path], names.EDGE),
        Service(CONTROL, [f"{build}/control/pointsman-control", "--config", config_path], names.EDGE,
                names.other_cores()),
    ]


def await_serving(seconds: float) -> None:
    """Waits until both clusters answer through the balancer."""
    await_true(lambda: all(fetch(name, timeout=1).status == 200 for name in ("only1.ch", "only2.ch")), seconds,
               "both clusters answer through the balancer")


def log_tail(run_dir: str, name: str, lines: int = 5) -> str:
    """The last lines of a program's log."""
    try:
        with open(f"{run_dir}/logs/{name}.log", encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:]).rstrip()
    except FileNotFoundError:
        return ""


def unsteady(programs: Programs) -> list[str]:
    """The programs that do not run or had to be started again."""
    return [name for name, state in programs.status().items() if not state["pid"] or state["starts"] > 1]
