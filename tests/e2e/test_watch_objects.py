"""What Routes and Pods can look like and how they change: hosts, paths, claims, admission, readiness, odd objects."""

from __future__ import annotations

import json
import time

from demonet import names
from demonet.apis import samples
from demonet.client import fetch
from demonet.supervisor import await_true
from rig import Rig
from traffic import Held
from watched import OSE1, STEADY, VISIBLE, Watched, begin, name, pod_name, route, routes

APP = name("app")
FIRST, SECOND = OSE1.hosts
OLD = "2026-01-01T00:00:00Z"


def test_host_changed_in_place(rig: Rig) -> None:
    """The old name goes, the new one comes, and neither takes another Route along."""
    watched = begin(rig, [route(APP), route(name(1))])
    with watched.unharmed(name(1)):
        watched.one.patch_route("rapp-demo-ch", {"spec": {"host": name("other")}})
        watched.await_served(name("other"), "ose1")
        watched.await_unknown(APP)


def test_paths_of_a_host(rig: Rig) -> None:
    """A host name stays until its last Route is gone; of several annotations the oldest Route's counts."""
    old = samples.route("old", APP, weight=30, created=OLD)
    watched = begin(rig, [old, samples.route("path", APP, path="/a", weight=60)])
    watched.await_weights(APP, ose1=30)
    assert watched.route(APP)["ose1"]["warning"]
    with watched.unharmed(APP):
        watched.one.delete_route("old")
        watched.await_weights(APP, ose1=60)
        watched.one.create(samples.route("root", APP))
        watched.one.delete_route("path")
        watched.await_weights(APP, ose1=100)
    watched.one.delete_route("root")
    watched.await_unknown(APP)


def test_loser_takes_over(rig: Rig) -> None:
    """The winner of a host is deleted; the loser is known by the change of its status alone."""
    watched = begin(rig, [samples.route("winner", APP, weight=10, created=OLD)])
    watched.one.create(samples.route("loser", APP, "other", weight=20))
    watched.proves_live()
    watched.await_weights(APP, ose1=10)
    watched.one.delete_route("winner")
    watched.await_weights(APP, ose1=20)
    assert watched.route(APP)["ose1"]["namespace"] == "other"
    watched.await_served(APP, "ose1")


def test_ports(rig: Rig) -> None:
    """One cluster serves a name on port 80 alone, the other on 443 alone: each port goes to who serves it."""
    watched = begin(rig, [route(APP, termination="")], [route(APP, insecure="")])
    shares = watched.route(APP)
    assert (shares["ose1"]["http"], shares["ose1"]["https"]) == (True, False)
    assert (shares["ose2"]["http"], shares["ose2"]["https"]) == (False, True)
    assert watched.shares(APP, 10) == {"ose1": 10}
    assert {fetch(APP, tls=rig.tls).field("cluster") for _ in range(10)} == {"ose2"}
    watched.two.patch_route("rapp-demo-ch", {"spec": {"tls": {"insecureEdgeTerminationPolicy": "Redirect"}}})
    await_true(lambda: watched.route(APP)["ose2"]["http"], VISIBLE, "redirects are served on port 80")


def test_wildcard_and_exact(rig: Rig) -> None:
    """The exact name of one cluster wins over the wildcard of another; a wildcard stands for one label."""
    watched = begin(rig, [route("*.demo.ch")], [route(name("exact"))])
    assert watched.shares(name("exact"), 10) == {"ose2": 10}
    assert watched.shares(name("any"), 10) == {"ose1": 10}
    assert fetch("a.b.demo.ch").status == 404 and fetch("demo.ch").status == 404
    watched.two.delete_route("rexact-demo-ch")
    watched.await_served(name("exact"), "ose1")


def test_admission(rig: Rig) -> None:
    """Not admitted any more: gone. Another router's word does not count, and a Route without status is not served."""
    watched = begin(rig, [route(APP), route(name(1))])
    watched.one.settings(routers_working=False)
    entry = {"routerName": "default", "host": APP, "conditions": [{"type": "Admitted", "status": "False"}]}
    foreign = {"routerName": "other", "host": APP, "conditions": [{"type": "Admitted", "status": "True"}]}
    for entries in ([entry], [foreign], [entry, foreign], []):
        watched.one.patch_route("rapp-demo-ch", {"status": {"ingress": entries}}, part="status")
        watched.await_unknown(APP)
        admitted = entry | {"conditions": [{"type": "Admitted", "status": "True"}]}
        watched.one.patch_route("rapp-demo-ch", {"status": {"ingress": [foreign, admitted]}}, part="status")
        watched.await_served(APP, "ose1")
    watched.one.create(route(name("bare")))
    time.sleep(0.3)
    assert fetch(name("bare")).status == 404, "no router has admitted it yet"
    watched.one.settings(routers_working=True)
    watched.await_served(name("bare"), "ose1")


def test_admission_ignored(rig: Rig) -> None:
    """Routers that write no status: each Route counts."""
    watched = begin(rig, settings={"ose1": {"watch": {"routes": {"admission": "ignore"}}}})
    watched.one.settings(routers_working=False)
    watched.one.create(route(APP))
    watched.await_served(APP, "ose1")


def test_subdomain(rig: Rig) -> None:
    """spec.host is empty: the full name stands in the status."""
    watched = begin(rig)
    watched.one.create(samples.route("front", subdomain="front"))
    host = f"front.apps.{OSE1.name}.demo.ch"
    await_true(lambda: watched.route(host), VISIBLE, f"{host} is known")


def test_route_made_anew(rig: Rig) -> None:
    """Deleted and made anew under the same name while the watch sleeps: the new one's host and weight count."""
    watched = begin(rig, [route(APP, weight=10), *routes(3)])
    with watched.unharmed(name(0)):
        with watched.one.fault("hang"):
            watched.one.delete_route("rapp-demo-ch")
            watched.one.create(samples.route("rapp-demo-ch", name("other"), weight=20))
            watched.one.act("restart")
        watched.await_weights(name("other"), 5, ose1=20)
        watched.await_unknown(APP)


def test_filters(rig: Rig) -> None:
    """Only the configured namespaces and labels count; a label that goes takes the Route along."""
    watched = begin(rig, [route(APP, labels={"edge": "yes"})], settings={"ose1": {"watch": {"routes": {
        "namespaces": ["shop", "more"], "label_selector": "edge=yes"}}}}, start=False)
    watched.restart_control()
    watched.await_served(APP, "ose1", 15)
    assert watched.route(STEADY[0]) == {}, "it has no label"
    watched.one.create(route(name(1), namespace="more", labels={"edge": "yes"}))
    watched.await_served(name(1), "ose1")
    watched.one.create(route(name(2), namespace="third", labels={"edge": "yes"}))
    watched.one.patch_route("rapp-demo-ch", {"metadata": {"labels": {"edge": None}}})
    watched.await_unknown(APP)
    assert watched.route(name(2)) == {}


# --- router hosts ---

def routers(count: int = 12) -> set[str]:
    """Which router hosts new connections to ose1 reach."""
    return {fetch(STEADY[0]).field("router") for _ in range(count)}


def await_routers(watched: Watched, *addresses: str, seconds: float = VISIBLE) -> None:
    """Waits until exactly these get new connections."""
    await_true(lambda: routers() == set(addresses), seconds, f"exactly {addresses} get new connections")
    assert watched.one


def await_draining(rig: Rig, address: str) -> None:
    """Waits until a router host gets no new connections. (That it gets none just now proves nothing: others may have
    fewer.)"""
    await_true(lambda: rig.hosts()[address]["state"] == "draining", VISIBLE, f"{address} drains")


def held_at(address: str) -> Held:
    """A kept-alive connection to this router host of ose1."""
    for _ in range(20):
        held = Held(STEADY[0])
        if held.router == address:
            return held
        held.close()
    raise AssertionError(f"none of 20 connections reached {address}")


def ready_status(ready: bool, address: str = SECOND) -> dict:
    """A Pod's status."""
    return {"status": {"phase": "Running", "hostIP": address, "podIP": address,
                       "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}}


def test_readiness(rig: Rig) -> None:
    """An unready router gets no new connection and keeps its old ones; ready again, it is used again."""
    watched = begin(rig)
    await_true(lambda: routers() == {FIRST, SECOND}, 5, "both router hosts are used")
    held = held_at(SECOND)
    with watched.unharmed():
        watched.one.patch_pod(pod_name(SECOND), ready_status(False), part="status")
        await_draining(rig, SECOND)
        await_routers(watched, FIRST)
        assert rig.hosts()[SECOND]["active"] == 1
        assert held.ask().status == 200
        watched.one.patch_pod(pod_name(SECOND), ready_status(True), part="status")
        await_routers(watched, FIRST, SECOND, seconds=5)
    held.close()


def test_terminating(rig: Rig) -> None:
    """A Pod with a deletionTimestamp drains while it is there; its host is listed until the last connection ends."""
    watched = begin(rig)
    held = held_at(SECOND)
    with watched.unharmed():
        watched.one.delete_pod(pod_name(SECOND), grace=None)
        await_draining(rig, SECOND)
        await_routers(watched, FIRST)
        assert held.ask().status == 200
        watched.one.delete_pod(pod_name(SECOND))
        watched.proves_live()
        assert rig.hosts()[SECOND]["active"] == 1, "it keeps its counters"
        assert held.ask().status == 200
        held.close()
        await_true(lambda: SECOND not in rig.hosts(), 5, "the router host is gone with its last connection")


def test_rollout_on_one_node(rig: Rig) -> None:
    """A new Pod on the same address before the old one is deleted: the router host does not even blink."""
    watched = begin(rig)
    with watched.unharmed():
        watched.one.create(samples.pod("router-default-new", SECOND))
        await_true(lambda: rig.hosts()[SECOND]["pods"] == 2, VISIBLE, "two pods are counted")
        watched.one.delete_pod(pod_name(SECOND), grace=None)
        watched.one.delete_pod(pod_name(SECOND))
        await_true(lambda: rig.hosts()[SECOND]["pods"] == 1, VISIBLE, "one pod is left")
        assert rig.hosts()[SECOND]["state"] == "active" and routers() == {FIRST, SECOND}


def test_pod_without_an_address(rig: Rig) -> None:
    """hostIP is empty until the kubelet has started it; a label that goes takes the router host along."""
    watched = begin(rig)
    with watched.unharmed():
        watched.one.patch_pod(pod_name(SECOND), {"metadata": {"labels": {samples.ROUTER_LABEL: None}}})
        await_routers(watched, FIRST)
        await_true(lambda: SECOND not in rig.hosts(), 5, "without its label it is no router host")
        watched.one.create(samples.pod("router-default-new", ""))
        watched.proves_live()
        assert set(rig.hosts()) == {FIRST, *names.CLUSTERS[1].hosts}
        watched.one.patch_pod("router-default-new", ready_status(True), part="status")
        await_routers(watched, FIRST, SECOND, seconds=5)


def test_proxy_protocol(rig: Rig) -> None:
    """A router that expects PROXY protocol is misconfigured: not used, and shown with what to do."""
    watched = begin(rig)
    with watched.unharmed():
        watched.one.delete_pod(pod_name(SECOND))
        watched.one.create(samples.pod("router-default-proxy", SECOND, proxy=True))
        await_true(lambda: rig.hosts().get(SECOND, {}).get("state") == "misconfigured", 5, "it is misconfigured")
        assert "IngressController" in rig.hosts()[SECOND]["why"]
        assert routers() == {FIRST}


# --- odd objects ---

def line(kind: str, item: object) -> str:
    """A line of a watch."""
    return json.dumps({"type": kind, "object": item}) + "\n"


def test_odd_objects(rig: Rig) -> None:
    """What cannot be read is left out with a warning that names it; everything else goes on."""
    watched = begin(rig, [route(APP)])
    revision = str(watched.one.state()["revision"])
    odd = {"kind": "Route", "apiVersion": "route.openshift.io/v1",
           "metadata": {"name": "odd", "namespace": "shop", "uid": "odd-uid", "resourceVersion": revision}}
    status = {"ingress": [{"routerName": "default", "host": "a b\u0000c", "conditions": [
        {"type": "Admitted", "status": "True"}]}]}
    objects = [odd, odd | {"spec": []}, odd | {"spec": {"host": 5}}, odd | {"spec": {"host": "a b"}, "status": status},
               odd | {"spec": {"host": "x.ch"}, "status": {"ingress": {"a": 1}}}]
    with watched.unharmed(APP):
        for item in objects:
            watched.one.act("inject", resource="routes", text=line("MODIFIED", item))
            watched.await_words("shop/odd", seconds=VISIBLE)
        watched.proves_live(VISIBLE)
        watched.one.act("inject", resource="routes", text=line("DELETED", odd))
        await_true(lambda: "shop/odd" not in watched.words(), VISIBLE, "the warning goes with the object")


def test_long_line(rig: Rig) -> None:
    """A line of 1.2 MB in many small reads."""
    watched = begin(rig, [route(APP)])
    item = next(one for one in watched.one.routes() if one["metadata"]["name"] == "rapp-demo-ch")
    item["metadata"] |= {"resourceVersion": str(watched.one.state()["revision"]),
                         "annotations": {"pointsman.io/weight": "33", "long": "€" * 400_000}}
    text = json.dumps({"type": "MODIFIED", "object": item}, ensure_ascii=False) + "\n"
    assert len(text.encode()) > 1_200_000
    with watched.unharmed(), watched.one.fault("chunks", bytes=5000):
        watched.one.act("inject", resource="routes", text=text)
        watched.await_weights(APP, 3, ose1=33)


def test_unknown_events(rig: Rig) -> None:
    """A bookmark has no name, and a new type of event is no reason to stop."""
    watched = begin(rig, [route(APP)], bookmark_seconds=0.2)
    lists = watched.one.state()["counts"]["list routes"]
    first = watched.one.state()["revision"]
    watched.one.act("inject", resource="routes", text=line("STRANGE", {"metadata": {"resourceVersion": str(first)}}))
    watched.proves_live()
    watched.one.create(samples.pod("other", "203.0.113.99", "default"))  # another kind: only a bookmark tells of it
    await_true(lambda: str(watched.one.state()["revision"]) in watched.words(), 3, "the bookmark's version is taken")
    assert watched.one.state()["revision"] > first and watched.one.state()["counts"]["list routes"] == lists
