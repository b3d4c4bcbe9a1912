"""What can stand between client and router hosts in the demo network, and how each is started and stopped.

One at a time: each has the worker's core for itself. All lead to the nginx of one cluster (servers.py). `direct` is
the kernel's forwarding in pm-edge. For `testpmd io`, which passes every frame from one port to the other and back as
it is, client and server are neighbours with addresses of their own, as on one wire.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Callable

from demonet import balancer, client, names, network
from demonet.supervisor import ProgramError, Programs, Service, await_true

from . import servers

HOST = "only1.ch"  # only the first cluster has it
CLUSTER = names.CLUSTERS[0]
UNKNOWN = "nobody.ch"

WIRE_CLIENT = "192.0.2.2"
WIRE_SERVER = "192.0.2.11"

START_SECONDS = 30.0
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"

HAPROXY = """\
global
    maxconn 8000
    nbthread 1
    user haproxy
    group haproxy

defaults
    mode tcp
    balance leastconn
    timeout connect 5s
    timeout client 300s
    timeout server 300s

frontend http
    bind {vip}:80 backlog 16384
    tcp-request inspect-delay 10s
    tcp-request content accept if HTTP
    tcp-request content reject
    use_backend %[req.hdr(host),field(1,:),lower,map({dir}/hosts.map)] \
if {{ req.hdr(host),field(1,:),lower,map({dir}/hosts.map) -m found }}
"""

NGINX = """\
load_module {module};
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 8192; }}
stream {{
    upstream routers {{
        least_conn;
{servers}
    }}
    server {{
        listen {vip}:80 backlog=16384;
        ssl_preread on;
        proxy_pass routers;
    }}
}}
"""


@dataclass(frozen=True)
class Place:
    """Where a bench runs: directories, the worker's core, and the core of everything else."""

    run_dir: str
    build: str
    worker_core: int
    load_core: int


@dataclass(frozen=True)
class Variant:
    """One way from client to server. `peeks`: it reads the host name and refuses an unknown one."""

    name: str
    address: str
    services: list[Service] = field(default_factory=list)
    peeks: bool = False


def _directory(place: Place, name: str) -> str:
    path = f"{place.run_dir}/variants/{name}"
    os.makedirs(path, exist_ok=True)
    return path


def _write(path: str, text: str) -> str:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def direct(_: Place) -> Variant:
    """Linux forwards in pm-edge; the client knows the router host."""
    return Variant("direct", CLUSTER.hosts[0])


def testpmd(place: Place) -> Variant:
    """DPDK's own test program between the same two AF_XDP ports, with the driver's settings as pointsman has them."""
    argv = ["dpdk-testpmd", "--lcores", f"0@{place.load_core},1@{place.worker_core}", "--in-memory", "--no-pci",
            "--no-telemetry", "--socket-mem", str(balancer.HUGEPAGES)]
    for number, port in enumerate(("north", "south")):
        argv += ["--vdev", f"net_af_xdp{number},iface={port},start_queue=0,queue_count=1,busy_budget=0"]
    # It ends at the end of its standard input unless it is to print statistics now and then.
    argv += ["--", "--forward-mode=io", "--rxd=2048", "--txd=2048", "--total-num-mbufs=16384", "--disable-link-check",
             "--stats-period=1000000"]
    return Variant("testpmd io", WIRE_SERVER, [Service("testpmd", argv, names.EDGE)])


def pointsman(place: Place) -> Variant:
    """With the demo's configuration, its worker polling all the time."""
    config = balancer.configuration(place.run_dir, place.build, idle="poll")
    services = balancer.services(place.build, balancer.write_configuration(place.run_dir, config))
    return Variant("pointsman", names.VIP, services, peeks=True)


def haproxy(place: Place) -> Variant:
    """TCP mode: waits for the request's head, chooses by its Host field, then passes bytes on."""
    directory = _directory(place, "haproxy")
    hosts = {host: cluster.name for cluster in names.CLUSTERS for host in cluster.terminated if "*" not in host}
    _write(f"{directory}/hosts.map", "".join(f"{host} {cluster}\n" for host, cluster in hosts.items()))
    text = HAPROXY.format(vip=names.VIP, dir=directory)
    for cluster in names.CLUSTERS:
        text += f"\nbackend {cluster.name}\n"
        text += "".join(f"    server router-{host} {host}:80\n" for host in cluster.hosts)
    path = _write(f"{directory}/haproxy.cfg", text)
    return Variant("HAProxy (TCP, peek)", names.VIP,
                   [Service("haproxy", ["haproxy", "-db", "-f", path], names.EDGE, str(place.worker_core))], peeks=True)


def nginx(place: Place) -> Variant:
    """Its stream module with ssl_preread, which looks for TLS and finds none."""
    directory = _directory(place, "nginx")
    path = _write(f"{directory}/nginx.conf", NGINX.format(
        module=STREAM_MODULE, dir=directory, vip=names.VIP,
        servers="\n".join(f"        server {host}:80;" for host in CLUSTER.hosts)))
    return Variant("nginx stream", names.VIP, [Service(
        "nginx-stream", ["nginx", "-e", f"{directory}/error.log", "-c", path], names.EDGE, str(place.worker_core))])


ALL: tuple[Callable[[Place], Variant], ...] = (direct, testpmd, pointsman, haproxy, nginx)


def lay_wire() -> None:
    """Gives client and server the addresses that make them neighbours; they go with the namespaces."""
    network.run("ip", "-n", names.CLIENT, "addr", "add", f"{WIRE_CLIENT}/24", "dev", "edge")
    network.run("ip", "-n", CLUSTER.namespace, "addr", "add", f"{WIRE_SERVER}/24", "dev", "eth0")


def _answer(variant: Variant, host: str) -> client.Answer:
    with client.connect(80, address=variant.address, timeout=2) as sock:
        return client.request(sock, host)


def _serves(variant: Variant) -> bool:
    answer = _answer(variant, HOST)
    return answer.status == 200 and answer.body.decode() == servers.BODY


def _refuses(variant: Variant, host: str) -> bool:
    try:
        return _answer(variant, host).status != 200
    except OSError:
        return True


def logs(variant: Variant, programs: Programs) -> str:
    """The ends of what its programs have logged."""
    return "\n".join(f"--- {service.name}\n{balancer.log_tail(programs.run_dir, service.name)}"
                     for service in variant.services)


def start(variant: Variant, programs: Programs) -> None:
    """Returns when a request has gone through it, and been looked at if it peeks."""
    for service in variant.services:
        programs.add(service)
    try:
        await_true(lambda: _serves(variant), START_SECONDS, f"{variant.name} answers")
        if variant.peeks and not _refuses(variant, UNKNOWN):
            raise ProgramError(f"{variant.name} let the unknown name {UNKNOWN} through: it does not peek")
    except ProgramError as error:
        raise ProgramError(f"{error}\n{logs(variant, programs)}") from error


def pids(variant: Variant, programs: Programs) -> list[int | None]:
    """Its processes; others than before mean that one has ended and was started again."""
    status = programs.status()
    return [status[service.name]["pid"] for service in variant.services]


def stop(variant: Variant, programs: Programs) -> None:
    """Ends its programs, the last started first; the ports are the kernel's again."""
    for service in reversed(variant.services):
        programs.stop(service.name)
    for port in ("north", "south"):
        link = json.loads(network.run("ip", "-n", names.EDGE, "-j", "link", "show", port))[0]
        if "xdp" in link:
            raise ProgramError(f"{variant.name} left its XDP program on {port}")
