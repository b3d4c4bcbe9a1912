"""The stand-in API server checks what is written to it, and who may read and write, as real ones were seen to."""

from __future__ import annotations

import ssl
import tempfile
import time
from typing import Any

from api_client import ROUTES, TOKENS, Api, Connection, api, assert_like, assert_status, recorded, types
from apiserver.client import pod_path, route_path
from apiserver.samples import pod, route
from demonet import certificates
from rig import Rig


# --- what is written ---

def test_host_is_immutable(_: Rig) -> None:
    """A host is changed only by who may: else 422."""
    with api() as standin:
        standin.create(route("web", "www.shop.test"))
        patch = {"spec": {"host": "other.shop.test"}}
        path, content = route_path("shop", "web"), "application/merge-patch+json"
        assert_status(standin.write("PATCH", path, patch, content=content), 422, "Invalid", "field is immutable")
        changed = standin.write("PATCH", path, patch, "admin", content)
        assert changed.status == 200 and changed.json["spec"]["host"] == "other.shop.test"
        assert changed.json["status"]["ingress"][0]["host"] == "other.shop.test", "the router follows"


def test_host_names(_: Rig) -> None:
    """Upper case, underscores and too long names are 422."""
    with api() as standin:
        for host in ("Www.shop.test", "w_w.shop.test", "www..test", "-a.test", "a" * 64 + ".test",
                     ".".join(["a" * 60] * 5)):
            answer = standin.write("POST", route_path("shop"), route("web", host))
            assert_status(answer, 422, "Invalid", "spec.host")
            assert answer.json["details"]["causes"][0]["field"] == "spec.host"
        assert standin.state()["objects"]["routes"] == 0


def test_bad_routes(_: Rig) -> None:
    """The other rules of a Route: 422 that names the field."""
    no_backend = route("web", "www.shop.test")
    del no_backend["spec"]["to"]
    heavy = route("web", "www.shop.test")
    heavy["spec"]["to"]["weight"] = 257
    wild = route("web")
    wild["spec"]["wildcardPolicy"] = "Subdomain"
    allowed = route("web", "www.shop.test", termination="passthrough")
    allowed["spec"]["tls"]["insecureEdgeTerminationPolicy"] = "Allow"
    wrong = {"spec.path": route("web", "www.shop.test", termination="passthrough", path="/a"),
             "spec.path: Invalid value: \"a\"": route("web", "www.shop.test", path="a"),
             "spec.tls.termination": route("web", "www.shop.test", termination="other"),
             "spec.tls.insecureEdgeTerminationPolicy": allowed,
             "spec.to.name": no_backend, "spec.to.weight": heavy, "spec.wildcardPolicy": wild}
    with api() as standin:
        for field, item in wrong.items():
            assert_status(standin.write("POST", route_path("shop"), item), 422, "Invalid", field)
        assert_status(standin.write("POST", route_path("shop"), "text"), 400, "BadRequest")
        assert_status(standin.write("POST", route_path("other"), route("web", "a.test")), 400, "BadRequest")
        bad = route("web", "a.test")
        bad["metadata"]["labels"] = {"a": 1}
        assert_status(standin.write("POST", route_path("shop"), bad), 400, "BadRequest", "labels")


def test_defaults(_: Rig) -> None:
    """Generated host names, weights and terminations."""
    with api("--domain", "apps.c1.test") as standin:
        item = standin.create(route("my.web"))
        assert item["spec"]["host"] == "my-web-shop.apps.c1.test"
        assert item["metadata"]["annotations"]["openshift.io/host.generated"] == "true"
        item = standin.create(route("front", subdomain="front"))
        assert "host" not in item["spec"] and item["status"]["ingress"][0]["host"] == "front.apps.c1.test"
        bare = route("bare", "bare.test")
        bare["spec"] = {"host": "bare.test", "to": {"name": "x"}, "tls": {}}
        item = standin.create(bare)
        assert item["spec"]["to"] == {"name": "x", "kind": "Service", "weight": 100}
        assert item["spec"]["tls"]["termination"] == "edge" and item["spec"]["wildcardPolicy"] == "None"


def test_conflicts(_: Rig) -> None:
    """409 for a name that is taken and for a copy that is old; 404; what changes nothing is no event."""
    with api() as standin:
        old = standin.create(route("web", "www.shop.test"))
        assert_status(standin.write("POST", route_path("shop"), route("web", "a.test")), 409, "AlreadyExists")
        standin.weigh("web", 20)
        assert_status(standin.write("PUT", route_path("shop", "web"), old), 409, "Conflict", "has been modified")
        assert_status(standin.write("DELETE", route_path("shop", "no"), None), 404, "NotFound", '"no" not found')
        before = standin.revision
        standin.weigh("web", 20)
        assert standin.revision == before
        answer = standin.write("PATCH", route_path("shop", "web"), [], content="application/json-patch+json")
        assert_status(answer, 415, "UnsupportedMediaType")


def test_claims(_: Rig) -> None:
    """The oldest Route wins a host; only its namespace may use it, each path once; a loser follows when it goes."""
    def admitted(item: dict) -> str:
        condition = item["status"]["ingress"][0]["conditions"][0]
        return condition["status"] + condition.get("reason", "")
    def made(day: int, name: str, namespace: str = "shop", **more: Any) -> str:
        return admitted(standin.create(route(name, "www.shop.test", namespace, created=f"2026-01-{day:02}T00:00:00Z",
                                             **more)))
    with api() as standin:
        assert made(2, "web") == "True"
        assert made(3, "web", "thief") == "FalseHostAlreadyClaimed"
        assert made(4, "path", path="/a") == "True"
        assert made(5, "same", path="/a") == "FalseHostAlreadyClaimed"
        assert made(6, "secure", termination="passthrough") == "FalseHostAlreadyClaimed"
        other = [item for item in standin.routes() if item["metadata"]["namespace"] == "thief"][0]
        watch = standin.watch()
        for name in ("web", "path", "same", "secure"):
            standin.delete_route(name)
        last = [event for event in watch.events(6) if event["object"]["metadata"]["namespace"] == "thief"]
        assert types(last) == ["MODIFIED"] and admitted(last[0]["object"]) == "True", last
        assert last[0]["object"]["spec"] == other["spec"], "only its status is different"
        assert made(1, "older") == "True"
        assert [admitted(item) for item in standin.routes() if item["metadata"]["namespace"] == "thief"] == \
            ["FalseHostAlreadyClaimed"]
        watch.close()


def test_pods_terminate(_: Rig) -> None:
    """A Pod with a grace period stays, with a deletionTimestamp, until it is deleted without."""
    with api() as standin:
        standin.create(pod("router-a", "203.0.113.11"))
        watch = standin.watch(path=pod_path("openshift-ingress"))
        standin.delete_pod("router-a", grace=None)
        standin.delete_pod("router-a")
        events = watch.events(2)
        assert types(events) == ["MODIFIED", "DELETED"]
        assert events[0]["object"]["metadata"]["deletionTimestamp"] and events[0]["object"]["kind"] == "Pod"
        watch.close()


# --- who may ---

def test_tokens(_: Rig) -> None:
    """A bad token is 401, none at all is 403 as system:anonymous."""
    with api() as standin:
        answer = standin.get(ROUTES, token="bad")
        assert_status(answer, 401, "Unauthorized", "Unauthorized")
        assert_like(answer, "unauthorized-401")
        assert_status(standin.get(ROUTES, token=""), 403, "Forbidden", 'User "system:anonymous" cannot list')
        assert standin.get(ROUTES).status == 200


def test_pods_of_all_namespaces(_: Rig) -> None:
    """With a Role the pods of its namespace can be listed, those of the cluster cannot."""
    with api() as standin:
        standin.settings(tokens={"reader": {"user": "system:serviceaccount:lb-system:lb", "role": "reader"}})
        answer = standin.get("/api/v1/pods")
        assert answer.json == recorded("forbidden-403").json
        assert_like(answer, "forbidden-403")
        assert_status(standin.get(pod_path("shop")), 403, "Forbidden", 'in the namespace "shop"')
        assert standin.get(pod_path("openshift-ingress")).status == 200
        assert_status(standin.write("POST", route_path("shop"), route("a", "a.test"), "reader"), 403, "Forbidden")


def test_token_runs_out(_: Rig) -> None:
    """A token is taken 60 s after its end; a watch that was opened before goes on."""
    with api() as standin:
        def expire(seconds_ago: float) -> None:
            standin.settings(tokens={"reader": TOKENS["reader"] | {"expires": time.time() - seconds_ago}})
        expire(50)
        watch = standin.watch()
        expire(70)
        assert_status(standin.get(ROUTES), 401, "Unauthorized")
        standin.create(route("web", "www.shop.test"))
        assert types(watch.events(1))[:1] == ["ADDED"]
        watch.close()


def test_tls(_: Rig) -> None:
    """TLS with the given certificate; a client that does not know the authority refuses it."""
    with tempfile.TemporaryDirectory() as directory:
        certificates.make_authority(directory)
        certificate = certificates.make_certificate(directory, "api", "/CN=api", ("127.0.0.1", "api.c1.test"))
        with Api(directory, "--certificate", certificate) as standin:
            trusting = ssl.create_default_context(cafile=f"{directory}/ca.pem")
            assert Connection(standin.port, trusting).ask("GET", ROUTES).whole().status == 200
            try:
                Connection(standin.port, ssl.create_default_context()).ask("GET", ROUTES)
                raise AssertionError("a server that nobody vouches for was trusted")
            except ssl.SSLCertVerificationError:
                pass
