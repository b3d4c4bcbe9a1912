"""Clusters known by their APIs: pointsman watches a stand-in API server in each cluster of the demo network.

A test begins with `watched = begin(rig, one=[...], two=[...])`: the stand-ins have these Routes (each cluster one more,
STEADY), a Pod for each router host, and a pointsman that has just been started for the first time has listed them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Iterator

from demonet import apis, balancer, names
from demonet.apis import client as api_client, samples
from demonet.balancer import CONTROL, DATAPLANE
from demonet.client import fetch
from demonet.supervisor import ProgramError, Service, await_true
from rig import Rig, merged
from traffic import Load

VISIBLE = 1.0  # seconds from a change in a cluster until every new connection heeds it
RECOVERY = 5.0  # seconds from the end of a fault until the cluster's state is known again
STEADY = ("steady1.demo.ch", "steady2.demo.ch")  # one host name on each cluster that no test touches
START = 15.0
OSE1, OSE2 = names.CLUSTERS


def name(number: int | str) -> str:
    """A host name that the router hosts of both clusters serve."""
    return f"r{number}.demo.ch"


def route(host: str, **more: Any) -> dict:
    """A Route with the name that belongs to its host; samples.route has the rest."""
    return samples.route(apis.route_name(host), host, **more)


def routes(count: int, first: int = 0, **more: Any) -> list[dict]:
    """Routes for the names `first` and on."""
    return [route(name(number), **more) for number in range(first, first + count)]


def pods(cluster: names.Cluster) -> list[dict]:
    """A router Pod for each router host."""
    return [samples.pod(pod_name(address), address) for address in cluster.hosts]


def pod_name(address: str) -> str:
    """The Pod on a router host."""
    return f"router-default-{address.rsplit('.', 1)[1]}"


@dataclass
class Watched:
    """Both clusters and pointsman's view of them."""

    rig: Rig
    one: api_client.Standin
    two: api_client.Standin
    config: dict

    # --- what pointsman shows ---

    def route(self, host: str) -> dict[str, dict]:
        """cluster -> what GET /api/v1/routes says of a host name there; {}: unknown."""
        offset = 0
        while True:
            page = self.rig.get(f"/api/v1/routes?limit=1000&offset={offset}")
            for found in page["routes"]:
                if found["host"] == host:
                    return {share["cluster"]: share for share in found["clusters"]}
            offset += 1000
            if offset >= page["total"]:
                return {}

    def weights(self) -> dict[str, dict[str, int]]:
        """host name -> cluster -> effective weight; up to 1000 names."""
        return {found["host"]: {share["cluster"]: share["weight"] for share in found["clusters"]}
                for found in self.rig.get("/api/v1/routes?limit=1000")["routes"]}

    def hosts_known(self, host: str) -> set[str]:
        """The clusters that serve a host name."""
        return set(self.route(host))

    def cluster(self, which: str = "ose1") -> dict:
        """A cluster in GET /api/v1/clusters."""
        return next(one for one in self.rig.get("/api/v1/clusters")["clusters"] if one["name"] == which)

    def words(self, which: str = "ose1") -> str:
        """Everything that a cluster's entry says of its watches, as text to search in."""
        return json.dumps(self.cluster(which))

    def held(self) -> str:
        """What is held, as text to search in."""
        return json.dumps(self.rig.get("/api/v1/held"))

    # --- waiting ---

    def await_words(self, text: str, which: str = "ose1", seconds: float = RECOVERY) -> None:
        """Waits until the cluster's entry says something."""
        await_true(lambda: text in self.words(which), seconds, f"the API says {text!r} of {which}")

    def await_weights(self, host: str, seconds: float = VISIBLE, **weights: int) -> None:
        """Waits until a host name has these weights (ose1=10, ose2=80) and no others, and the workers know."""
        def shown() -> dict[str, int]:
            return {cluster: share["weight"] for cluster, share in self.route(host).items()}
        await_true(lambda: shown() == weights and self.applied(), seconds, f"{host} has {weights}")

    def applied(self) -> bool:
        """Do the workers have what control has?"""
        status = self.rig.status()
        return status["dataplane"]["state"] == "ready" and status["applied_revision"] == status["control"]["revision"]

    def await_applied(self, seconds: float = VISIBLE) -> None:
        """Waits for that."""
        await_true(self.applied, seconds, "the workers have the last revision")

    def await_served(self, host: str, cluster: str, seconds: float = VISIBLE) -> None:
        """Waits until a new connection for a host name reaches a cluster."""
        await_true(lambda: fetch(host).field("cluster") == cluster, seconds, f"{cluster} serves {host}", 0.02)

    def await_unknown(self, host: str, seconds: float = VISIBLE) -> None:
        """Waits until a host name is unknown."""
        await_true(lambda: fetch(host).status == 404, seconds, f"{host} is unknown", 0.02)

    def proves_live(self, seconds: float = RECOVERY, api: api_client.Standin | None = None) -> None:
        """A new Route of ose1 (or of `api`'s cluster) becomes visible in this time."""
        api = api or self.one
        host = name(f"live-{time.monotonic_ns()}")
        api.create(route(host))
        self.await_served(host, "ose1" if api is self.one else "ose2", seconds)

    @contextlib.contextmanager
    def unharmed(self, *more: str) -> Iterator[None]:
        """Load on a name of each cluster, and on `more`, for the length of a block: no request may fail."""
        with contextlib.ExitStack() as stack:
            loads = [stack.enter_context(Load(host, threads=2, seed=number, rate=100))
                     for number, host in enumerate((*STEADY, *more))]
            yield
        for load in loads:
            assert load.result.requests and not load.result.errors, (load.name, load.result)

    def shares(self, host: str, count: int = 100) -> Counter[str]:
        """Which cluster how many new connections reach; whatever is not served counts as its status."""
        answers = [fetch(host) for _ in range(count)]
        return Counter(answer.field("cluster") or str(answer.status) for answer in answers)

    # --- doing ---

    def restart_control(self, number: int = signal.SIGTERM) -> None:
        """Ends control and starts it again at once; its state file stays."""
        self.rig.programs.stop(CONTROL, number)
        self.rig.programs.start(CONTROL)

    def restart_control_behind(self, held_up: api_client.Standin, host: str) -> None:
        """Control is started again while one API answers nothing; that one is let go when `host` is known."""
        with held_up.fault("hang"):
            self.restart_control()
            await_true(lambda: self.route(host), START, f"{host} is known")
            time.sleep(0.5)  # nothing more is expected to happen: there is no event to wait for

    def override(self, host: str, cluster: str, weight: int | None) -> None:
        """The operator's weight; None removes it."""
        path = f"/api/v1/routes/{host}/clusters/{cluster}/weight"
        done = self.rig.api("DELETE", path) if weight is None else self.rig.api("PUT", path, {"weight": weight})
        assert done[0] in (200, 201, 204), done

    def confirm(self, cluster: str = "ose1") -> None:
        """Lets go what is held."""
        done = self.rig.api("POST", f"/api/v1/clusters/{cluster}/held/confirm")
        assert done[0] in (200, 202, 204), done

    def set_cluster(self, cluster: str, **values: Any) -> None:
        """PATCH of state, new_routes, default_weight, also where routes are left without any cluster."""
        done = self.rig.api("PATCH", f"/api/v1/clusters/{cluster}?force=true", values)
        assert done[0] in (200, 204), done


def _start_api(rig: Rig, service: Service, seed: dict, run_dir: str, cluster: names.Cluster) -> api_client.Standin:
    """A stand-in with these objects and no others."""
    if service.name in rig.programs.status():
        rig.programs.stop(service.name, signal.SIGKILL)
    with open(f"{run_dir}/apis/{cluster.name}.seed.json", "w", encoding="ascii") as file:
        json.dump(seed, file)
    rig.programs.add(service)
    api = apis.standin(run_dir, cluster)
    await_true(api.state, START, f"the API server of {cluster.name} answers")
    return api


def _start_pointsman(rig: Rig, config: dict) -> None:
    """Control without any state. The dataplane goes on if it has the same configuration, clusters aside."""
    def without_clusters(of: dict | None) -> dict:
        return {key: value for key, value in (of or {}).items() if key != "clusters"}
    if not rig.programs.pid(DATAPLANE) or without_clusters(rig.config) != without_clusters(config):
        rig.start({"clusters": config["clusters"]}, fresh=True, wait=False)
        return
    rig.programs.stop(CONTROL, signal.SIGKILL)
    shutil.rmtree(config["paths"]["state"], ignore_errors=True)
    balancer.write_configuration(rig.run_dir, config)
    rig.programs.start(CONTROL)
    rig.config = config


def begin(rig: Rig, one: list[dict] | None = None, two: list[dict] | None = None, settings: dict | None = None,
          start: bool = True, bookmark_seconds: float = 60.0) -> Watched:
    """See above. `settings` are merged into the clusters of the configuration: {"ose2": {"state": "staged"}}. Without
    `start` nothing is waited for, and control is not started."""
    run_dir = rig.run_dir
    config = merged(rig.default_config(), {"clusters": [
        merged(balancer.watched_cluster(run_dir, cluster), (settings or {}).get(cluster.name, {}))
        for cluster in names.CLUSTERS]})
    services = {service.name: service for service in apis.prepare(run_dir, bookmark_seconds)}
    handles: list[api_client.Standin] = []
    for cluster, more, steady in zip(names.CLUSTERS, (one, two), STEADY):
        seed = {"routes": [route(steady, created=apis.BORN), *(more or [])], "pods": pods(cluster)}
        handles.append(_start_api(rig, services[f"api-{cluster.name}"], seed, run_dir, cluster))
        rig.defer(handles[-1].close)
    watched = Watched(rig, handles[0], handles[1], config)
    for cluster in names.CLUSTERS:
        rig.defer(_stop, rig, f"api-{cluster.name}")
    if start:
        _start_pointsman(rig, config)
        await_ready(watched)
    else:
        _start_pointsman_later(rig, config)
    return watched


def _stop(rig: Rig, program: str) -> None:
    with contextlib.suppress(ProgramError):
        rig.programs.stop(program, signal.SIGKILL)


def _start_pointsman_later(rig: Rig, config: dict) -> None:
    """Everything as in _start_pointsman, but control stands still; restart_control starts it."""
    _start_pointsman(rig, config)
    rig.programs.stop(CONTROL, signal.SIGKILL)
    shutil.rmtree(config["paths"]["state"], ignore_errors=True)
    os.makedirs(config["paths"]["state"], exist_ok=True)


def await_ready(watched: Watched, seconds: float = START) -> None:
    """All router hosts are healthy, and both clusters answer."""
    def ready() -> bool:
        hosts = watched.rig.hosts()
        return set(hosts) == set(names.HOSTS) and all(host["healthy"] for host in hosts.values())
    await_true(ready, seconds, "all router hosts are known and healthy")
    watched.await_applied(seconds)
    for host in STEADY:
        await_true(lambda host=host: fetch(host, timeout=1).status == 200, seconds, f"{host} is served")
