"""scripts/demo route: adds, annotates, deletes and lists Routes in the demo's clusters while it runs, as `oc` would."""

from __future__ import annotations

import argparse

from . import apis, names
from .apis import NAMESPACE, client, samples

CLUSTERS = {cluster.name: cluster for cluster in names.ALL_CLUSTERS}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line behind `route`."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="list|add|annotate|delete")
    show = commands.add_parser("list", help="show the Routes of all clusters")
    show.add_argument("cluster", nargs="?", choices=CLUSTERS, metavar="CLUSTER")
    add = commands.add_parser("add", help="add a Route; every router serves names under " + ", ".join(names.SPARE))
    annotate = commands.add_parser("annotate", help=f"set KEY=VALUE, or remove KEY-; such as {samples.WEIGHT}=20")
    delete = commands.add_parser("delete", help="delete a Route")
    for command in (add, annotate, delete):
        command.add_argument("cluster", choices=CLUSTERS, metavar="CLUSTER", help=" or ".join(CLUSTERS))
        command.add_argument("host", metavar="HOST", help="its host name, such as app1.ch")
        command.add_argument("--namespace", default=NAMESPACE)
    add.add_argument("--weight", type=int, help=f"the annotation {samples.WEIGHT}")
    annotate.add_argument("annotations", nargs="+", metavar="KEY=VALUE|KEY-")


def _line(cluster: str, item: dict) -> str:
    entries = (item.get("status") or {}).get("ingress") or []
    words = [condition.get("reason") or "admitted" for entry in entries for condition in entry["conditions"]]
    notes = item["metadata"].get("annotations") or {}
    host = samples.host_of(item)
    return (f"{cluster:8} {item['metadata']['namespace']:10} {host:28} {', '.join(words) or 'not admitted':14}"
            f" {' '.join(f'{key}={value}' for key, value in notes.items())}").rstrip()


def show(run_dir: str, only: str | None) -> None:
    """A line per Route."""
    for name, cluster in CLUSTERS.items():
        if only in (None, name):
            for item in apis.standin(run_dir, cluster).routes():
                print(_line(name, item))


def _find(api: client.Standin, host: str, namespace: str) -> str:
    """The name of the Route that has this host."""
    for item in api.routes():
        if samples.host_of(item) == host and item["metadata"]["namespace"] == namespace:
            return item["metadata"]["name"]
    raise client.StandinError(f"no Route in namespace {namespace} has the host {host}: see scripts/demo route list")


def _annotate(api: client.Standin, name: str, namespace: str, annotations: list[str]) -> None:
    for text in annotations:
        key, equal, value = text.partition("=")
        if not equal and not key.endswith("-"):
            raise client.StandinError(f"{text}: expected KEY=VALUE, or KEY- to remove it")
        api.annotate(name, key if equal else key[:-1], value if equal else None, namespace)


def run(run_dir: str, given: argparse.Namespace) -> None:
    """One command; the lines it prints are the state after it."""
    if given.action == "list":
        show(run_dir, given.cluster)
        return
    api = apis.standin(run_dir, CLUSTERS[given.cluster])
    if given.action == "add":
        item = samples.route(apis.route_name(given.host), given.host, given.namespace, given.weight)
        print(_line(given.cluster, api.create(item)))
        return
    name = _find(api, given.host, given.namespace)
    if given.action == "delete":
        api.delete_route(name, given.namespace)
    else:
        _annotate(api, name, given.namespace, given.annotations)
        print(_line(given.cluster, next(item for item in api.routes() if item["metadata"]["name"] == name
                                        and item["metadata"]["namespace"] == given.namespace)))
