"""Makes and removes the namespaces, links, addresses and routes of the demo network; starts no programs.

    pm-client --(edge)--------(north)-- pm-edge --(south)--------(edge)-- pm-switch --(ose1)-- pm-ose1
    198.51.100.2/24      198.51.100.1/24, VIP   203.0.113.1/24            bridge      (ose2)-- pm-ose2

A spare cluster, pm-ose3, is joined to the bridge in the same way when add_cluster() is told so.

The edge's ports are ends of veth pairs, as AF_XDP wants them. The bridge has a namespace of its own, so that it is
neither in the edge's tables nor in those of a router host.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time

from . import names
from .supervisor import await_end

# Checksums and segments must be complete on the wire: an XDP program sees frames as the sender left them.
OFFLOADS = ("tx", "rx", "sg", "tso", "gso", "gro")

SYSCTLS = (
    "net.ipv6.conf.all.disable_ipv6=1",
    "net.ipv6.conf.default.disable_ipv6=1",
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.default.rp_filter=0",
    "net.ipv4.conf.all.send_redirects=0",
    "net.ipv4.conf.default.send_redirects=0",
    "net.ipv4.conf.all.arp_announce=2",  # ask with an address of the link, whatever the packet's source is
    "net.ipv4.ip_local_port_range=1024 65535",
    "net.ipv4.tcp_max_syn_backlog=16384",
    "net.core.somaxconn=16384",
)


class NetworkError(Exception):
    """A command that sets up the network failed; the text says which and why."""


def run(*argv: str, check: bool = True) -> str:
    """Runs one command and returns what it printed."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise NetworkError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def existing() -> list[str]:
    """Which of our namespaces exist."""
    return [name for name in names.NAMESPACES if os.path.exists(f"/run/netns/{name}")]


def _ip(namespace: str, command: str) -> None:
    run("ip", "-n", namespace, *command.split())


def _namespace(name: str) -> None:
    run("ip", "netns", "add", name)
    run("ip", "netns", "exec", name, "sysctl", "-qw", *SYSCTLS)
    _ip(name, "link set lo up")


def _plain_frames(namespace: str, device: str) -> None:
    argv = ["ip", "netns", "exec", namespace, "ethtool", "-K", device]
    for offload in OFFLOADS:
        argv += [offload, "off"]
    run(*argv)


def _link(end: tuple[str, str], peer: tuple[str, str]) -> None:
    """A veth pair of one queue each; an end is (namespace, device)."""
    queues = "numtxqueues 1 numrxqueues 1"
    run(*f"ip link add {end[1]} netns {end[0]} {queues} type veth "
        f"peer name {peer[1]} netns {peer[0]} {queues}".split())
    for namespace, device in (end, peer):
        _plain_frames(namespace, device)
        _ip(namespace, f"link set {device} up")


def _switch() -> None:
    _ip(names.SWITCH, "link add bridge type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
    _plain_frames(names.SWITCH, "bridge")
    _ip(names.SWITCH, "link set edge master bridge")
    _ip(names.SWITCH, "link set bridge up")


def _addresses() -> None:
    _ip(names.CLIENT, f"addr add {names.CLIENT_ADDRESS}/24 dev edge")
    _ip(names.CLIENT, f"route add local {names.CLIENT_RANGE} dev lo")
    _ip(names.CLIENT, f"route add default via {names.EDGE_NORTH}")
    _ip(names.EDGE, f"addr add {names.EDGE_NORTH}/24 dev north")
    _ip(names.EDGE, f"addr add {names.VIP}/32 dev north")
    _ip(names.EDGE, f"addr add {names.EDGE_SOUTH}/24 dev south")
    _ip(names.EDGE, f"route add default via {names.CLIENT_ADDRESS}")
    # Local, so that Linux answers ARP for the addresses from which the balancer speaks to the router hosts.
    _ip(names.EDGE, f"route add local {names.SOURCE_POOL} dev lo")
    run("ip", "netns", "exec", names.EDGE, "sysctl", "-qw", "net.ipv4.ip_forward=1")


def add_cluster(cluster: names.Cluster) -> None:
    """The namespace of a cluster with its addresses, joined to the bridge. One that is there stays as it is."""
    if cluster.namespace in existing():
        return
    _namespace(cluster.namespace)
    _link((cluster.namespace, "eth0"), (names.SWITCH, cluster.name))
    _ip(names.SWITCH, f"link set {cluster.name} master bridge")
    for host in (*cluster.hosts, cluster.api):
        _ip(cluster.namespace, f"addr add {host}/24 dev eth0")
    _ip(cluster.namespace, f"route add default via {names.EDGE_SOUTH}")


def up() -> None:
    """Makes the network; anything left of an earlier one is removed first."""
    down()
    for name in (names.CLIENT, names.EDGE, names.SWITCH):
        _namespace(name)
    _link((names.EDGE, "north"), (names.CLIENT, "edge"))
    _link((names.EDGE, "south"), (names.SWITCH, "edge"))
    _switch()
    _addresses()
    for cluster in names.CLUSTERS:
        add_cluster(cluster)


def processes() -> list[int]:
    """The processes that live in our namespaces, this one aside."""
    pids: list[int] = []
    for name in existing():
        pids += [int(pid) for pid in run("ip", "netns", "pids", name, check=False).split()]
    return [pid for pid in pids if pid != os.getpid()]


def end_processes(patience: float = 3.0) -> None:
    """Ends what still runs in our namespaces: asked first, killed after `patience` seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        pids = processes()
        for pid in pids:
            try:
                os.kill(pid, number)
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        limit = time.monotonic() + patience
        for pid in pids:
            await_end(pid, limit - time.monotonic())


def down() -> None:
    """Removes the namespaces with everything in them; nothing to do is fine."""
    if not existing():
        return
    end_processes()
    for name in existing():
        run("ip", "netns", "delete", name)
