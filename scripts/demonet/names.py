"""Names and addresses of the demo network. Other tools rely on them; nothing else belongs here."""

from __future__ import annotations

import os
from dataclasses import dataclass

CLIENT = "pm-client"
EDGE = "pm-edge"
SWITCH = "pm-switch"  # only the bridge that joins the edge's south port and the two clusters
OSE1 = "pm-ose1"
OSE2 = "pm-ose2"
OSE3 = "pm-ose3"  # not always there, see SPARE_CLUSTER
NAMESPACES = (CLIENT, EDGE, SWITCH, OSE1, OSE2, OSE3)

VIP = "198.51.100.10"
EDGE_NORTH = "198.51.100.1"
EDGE_SOUTH = "203.0.113.1"
CLIENT_ADDRESS = "198.51.100.2"
CLIENT_RANGE = "198.18.0.0/15"  # all local in pm-client: many clients, spoofed sources
SOURCE_POOL = "203.0.113.64/28"
ADMIN_PORT = 8089
HEALTH_PORT = 1936

EDGE_ROUTES = ("app1.ch", "app1.localhost")  # on both clusters
PASSTHROUGH = "secure.ch"  # on both clusters, port 443 alone
# Every router host would serve these, too: Routes for them can be added while the demo runs.
SPARE = ("*.demo.ch", "*.localhost")
API_PORT = 6443


@dataclass(frozen=True)
class Cluster:
    """One stand-in for an OpenShift cluster: a namespace, its router hosts and the names that it serves."""

    name: str
    namespace: str
    hosts: tuple[str, ...]
    api: str  # address of its API server
    only: tuple[str, ...]  # names, exact or wildcard, that not every cluster serves
    colour: str

    @property
    def terminated(self) -> tuple[str, ...]:
        """Names for which the router itself speaks TLS."""
        return EDGE_ROUTES + self.only + SPARE


CLUSTERS = (
    Cluster("ose1", OSE1, ("203.0.113.11", "203.0.113.12"), "203.0.113.10", ("only1.ch", "*.wild.ch"), "#1f6feb"),
    Cluster("ose2", OSE2, ("203.0.113.21", "203.0.113.22"), "203.0.113.20", ("only2.ch",), "#d9480f"),
)
HOSTS = tuple(address for cluster in CLUSTERS for address in cluster.hosts)
# Built, but not told to pointsman: the successor of ose1. One Route of ose1 has been forgotten there.
SPARE_CLUSTER = Cluster("ose3", OSE3, ("203.0.113.31", "203.0.113.32"), "203.0.113.30", CLUSTERS[0].only, "#2b8a3e")
FORGOTTEN = "*.wild.ch"
ALL_CLUSTERS = (*CLUSTERS, SPARE_CLUSTER)


def cluster_of(host: str) -> Cluster:
    """The cluster of a router host's address."""
    return next(cluster for cluster in ALL_CLUSTERS if host in cluster.hosts)


def worker_core() -> int:
    """The core that the poll-mode worker has for itself."""
    return int(os.environ.get("POINTSMAN_WORKER_CORE", "0"))


def other_cores() -> str:
    """The cores of everything else, as taskset takes them."""
    rest = [str(core) for core in range(os.cpu_count() or 1) if core != worker_core()]
    return ",".join(rest) or str(worker_core())
