"""Control is killed at random moments while Routes change and traffic runs."""

from __future__ import annotations

import random
import signal
import threading
import time

from demonet import names
from demonet.apis import samples
from demonet.supervisor import await_true
from rig import Rig
from scale import scale
from watched import STEADY, Watched, await_ready, begin, name, route, routes

NAMES = 12
DELETIONS = 8  # in a minute from one cluster: more would be held


class Changes(threading.Thread):
    """Adds, weighs and deletes Routes of both clusters at random, up to 50 times a second. The first four names always
    stay on ose1 with a weight, and never are so many deleted that they would be held."""

    def __init__(self, watched: Watched) -> None:
        super().__init__(daemon=True)
        self.apis = [type(api)(api.control) for api in (watched.one, watched.two)]
        self.chance = random.Random(7)
        self.over = threading.Event()
        self.made = 0
        self.deleted: tuple[list[float], list[float]] = ([], [])  # when, per cluster
        self.failed: list[str] = []

    def run(self) -> None:
        try:
            while not self.over.wait(0.02):
                self._change(self.chance.choice((0, 1)), self.chance.randrange(NAMES))
                self.made += 1
        except Exception as error:  # pylint: disable=broad-exception-caught
            self.failed.append(repr(error))

    def _change(self, cluster: int, number: int) -> None:
        api = self.apis[cluster]
        item = route(name(number), weight=self.chance.randint(1, 100))
        there = [one for one in api.routes() if one["metadata"]["name"] == item["metadata"]["name"]]
        steady = cluster == 0 and number < 4
        if not there:
            api.create(item)
        elif not steady and self.chance.random() < 0.1 and self._may_delete(cluster):
            api.delete_route(item["metadata"]["name"])
        else:
            api.weigh(item["metadata"]["name"], self.chance.randint(1, 100))

    def _may_delete(self, cluster: int) -> bool:
        now = time.monotonic()
        if sum(now - when < 61 for when in self.deleted[cluster]) >= DELETIONS:
            return False
        self.deleted[cluster].append(now)
        return True

    def stop(self) -> None:
        """No change after this."""
        self.over.set()
        self.join()
        for api in self.apis:
            api.close()


def truth(watched: Watched) -> dict[str, dict[str, int]]:
    """host name -> cluster -> weight, as the clusters have it."""
    result: dict[str, dict[str, int]] = {}
    for cluster, api in zip(names.CLUSTERS, (watched.one, watched.two)):
        for item in api.routes():
            weight = int((item["metadata"].get("annotations") or {}).get(samples.WEIGHT, 100))
            result.setdefault(samples.host_of(item), {})[cluster.name] = weight
    return result


def test_killed_at_random(rig: Rig) -> None:
    """kill -9 again and again, during changes and load: no failed request, and at last the state is the clusters'."""
    watched = begin(rig, routes(NAMES, weight=50), routes(NAMES, weight=50))
    chance = random.Random(11)
    changes = Changes(watched)
    with watched.unharmed(*(name(number) for number in range(4))):
        changes.start()
        for _ in range(int(scale("control_kills_in_changes"))):
            time.sleep(chance.random() * 0.5)
            watched.restart_control(signal.SIGKILL)
        changes.stop()
        await_ready(watched)
        await_true(lambda: watched.weights() == truth(watched), 5, "the state is that of the clusters")
    assert not changes.failed and changes.made > 20, (changes.failed, changes.made)
    assert all(host in watched.weights() for host in STEADY)
