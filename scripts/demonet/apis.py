"""The API servers of the demo's clusters: stand-ins (tests/apiserver) with a Route for each name that a cluster serves
and a router Pod for each of its router hosts. TLS by the demo's authority, a token for each cluster."""

from __future__ import annotations

import json
import os
import sys

from . import names
from .certificates import make_certificate
from .supervisor import Service, await_true

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{_ROOT}/tests")

from apiserver import client, samples  # noqa: E402  pylint: disable=wrong-import-position

# ose1, ose2; the spare cluster's Routes have none
WEIGHTS: dict[str, tuple[int | None, ...]] = {
    "app1.ch": (10, 80, None), "app1.localhost": (10, 80, None), names.PASSTHROUGH: (50, 50, None)}
NAMESPACE = "shop"
BORN = "2026-01-02T03:04:05Z"  # of everything that is there from the beginning


def control_socket(run_dir: str, cluster: names.Cluster) -> str:
    """Where the stand-in is administered."""
    return f"{run_dir}/apis/{cluster.name}.sock"


def token_file(run_dir: str, cluster: names.Cluster) -> str:
    """The token with which pointsman reads."""
    return f"{run_dir}/apis/{cluster.name}.token"


def standin(run_dir: str, cluster: names.Cluster) -> client.Standin:
    """The administration of a cluster's API server that runs."""
    return client.Standin(control_socket(run_dir, cluster))


def route_name(host: str) -> str:
    """The name of the Route for a host: app1-ch"""
    return host.lower().replace("*.", "any.").replace(".", "-")


def route(host: str, weight: int | None = None) -> dict:
    """A Route as the demo has them."""
    if host == names.PASSTHROUGH:
        return samples.route(route_name(host), host, NAMESPACE, weight, "passthrough", created=BORN)
    return samples.route(route_name(host), host, NAMESPACE, weight, created=BORN)


def pods(cluster: names.Cluster) -> list[dict]:
    """A router Pod for each router host."""
    return [samples.pod(f"router-default-{address.rsplit('.', 1)[1]}", address) for address in cluster.hosts]


def first_objects(index: int, cluster: names.Cluster) -> dict:
    """What the cluster has when the demo begins."""
    hosts = [*names.EDGE_ROUTES, *cluster.only, names.PASSTHROUGH]
    if cluster is names.SPARE_CLUSTER:
        hosts.remove(names.FORGOTTEN)
    routes = [route(host, WEIGHTS[host][index] if host in WEIGHTS else None) for host in hosts]
    return {"routes": routes, "pods": pods(cluster)}


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def service(run_dir: str, cluster: names.Cluster, seed: dict, bookmark_seconds: float = 60.0) -> Service:
    """Writes certificate, token and the first objects of one cluster; returns its program."""
    base = f"{run_dir}/apis/{cluster.name}"
    token = f"token-of-{cluster.name}"
    os.makedirs(f"{run_dir}/apis", mode=0o700, exist_ok=True)
    certificate = make_certificate(f"{run_dir}/certs", f"{cluster.name}-api", f"/O={cluster.name}/CN=api",
                                   (cluster.api, f"api.{cluster.name}.demo.ch"))
    _write(token_file(run_dir, cluster), token + "\n")
    _write(f"{base}.tokens.json", json.dumps(
        {token: {"user": "system:serviceaccount:pointsman:pointsman", "role": "reader"}}))
    _write(f"{base}.seed.json", json.dumps(seed))
    argv = client.command(control_socket(run_dir, cluster), "--listen", f"{cluster.api}:{names.API_PORT}",
                          "--certificate", certificate, "--tokens", f"{base}.tokens.json",
                          "--seed", f"{base}.seed.json", "--domain", f"apps.{cluster.name}.demo.ch",
                          "--bookmark-seconds", str(bookmark_seconds))
    return Service(f"api-{cluster.name}", argv, cluster.namespace, names.other_cores())


def prepare(run_dir: str, bookmark_seconds: float = 60.0) -> list[Service]:
    """The programs of the demo's clusters, with everything that they read."""
    return [service(run_dir, cluster, first_objects(index, cluster), bookmark_seconds)
            for index, cluster in enumerate(names.CLUSTERS)]


def prepare_spare(run_dir: str) -> Service:
    """The same for the spare cluster."""
    cluster = names.SPARE_CLUSTER
    return service(run_dir, cluster, first_objects(names.ALL_CLUSTERS.index(cluster), cluster))


def await_answering(run_dir: str, clusters: tuple[names.Cluster, ...] = names.CLUSTERS, seconds: float = 15.0) -> None:
    """Waits until every API server answers."""
    for cluster in clusters:
        api = standin(run_dir, cluster)
        await_true(api.state, seconds, f"the API server of {cluster.name} answers")
        api.close()
