"""The admin API: what each address answers, who may call it, and what a bad request gets: a reason, and no effect."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from typing import Any, Iterator

from demonet import names, netns
from demonet.balancer import CONTROL
from demonet.client import fetch
from demonet.supervisor import await_true
from rig import Rig
from test_control import cluster_body
from traffic import Held

CLUSTERS = "/api/v1/clusters"
KEY = "5f2b1c7e"
BODY_MAX = 16 << 20
ALLOWED = "lb.example.com"  # in admin.allowed_hosts of the tests that need a name

GOOD = {"source": "static", "hosts": [{"name": "r1", "address": "203.0.113.11"}],
        "routes": [{"host": "new.ch", "weight": 50}]}
PUSH = {"routes": {"app1": {"url": "pushed.ch", "weight": 10}},
        "routerHosts": {"r1": {"name": "r1", "hostIP": "203.0.113.21", "httpPort": 80, "httpsPort": 443}}}


def state(rig: Rig) -> dict[str, Any]:
    """All that writes can change, and the revision that each of them raises."""
    listed = rig.get(CLUSTERS)
    return {"revision": listed["revision"],
            "clusters": {cluster["name"]: rig.get(f"{CLUSTERS}/{cluster['name']}") for cluster in listed["clusters"]}}


@contextlib.contextmanager
def unchanged(rig: Rig) -> Iterator[None]:
    """Nothing of what happens inside may have an effect, on the saved state either."""
    assert rig.config
    path = f"{rig.config['paths']['state']}/clusters.state"

    def saved() -> bytes:
        with open(path, "rb") as file:
            return file.read()
    before = state(rig), saved()
    yield
    assert (state(rig), saved()) == before


def assert_problem(answer: tuple[int, Any], status: int, *words: str) -> dict:
    """The answer is an error of this status whose text has all the words."""
    assert answer[0] == status and isinstance(answer[1], dict), answer
    assert answer[1]["status"] == status and answer[1]["detail"], answer
    for word in words:
        assert word in json.dumps(answer[1]), (word, answer)
    return answer[1]


def put(rig: Rig, name: str, body: Any, **more: Any) -> tuple[int, Any]:
    """PUT of a cluster."""
    return rig.api("PUT", f"{CLUSTERS}/{name}", body, **more)


# --- reading ---

def test_index_lists_every_address(rig: Rig) -> None:
    """GET /api/v1 has a line for each address, with its role; those without a name in them answer."""
    rig.start()
    status, text = rig.api("GET", "/api/v1")
    assert status == 200
    lines = [line.split(None, 3) for line in text.decode().splitlines() if "/api/" in line]
    assert {(method, path) for method, path, *_ in lines} >= {
        ("GET", "/api/v1/status"), ("GET", CLUSTERS), ("GET", "/api/v1/hosts"), ("GET", "/api/v1/routes"),
        ("PUT", f"{CLUSTERS}/{{cluster}}"), ("DELETE", f"{CLUSTERS}/{{cluster}}"), ("POST", "/api/cluster/{key}")}
    for method, path, role, *_ in lines:
        assert role in ("none", "viewer", "operator", "admin", "push"), (path, role)
        if method == "GET" and path not in ("/api/v1/diff", "/api/v1/explain", "/api/v1/stream"):
            path = path.replace("{cluster}", "ose1")
            assert "{" in path or rig.api("GET", path)[0] == 200, path


def test_status(rig: Rig) -> None:
    """Both programs, revisions, VIPs, ports, buffers, counters."""
    rig.start()
    status = rig.status()
    assert status["control"]["pid"] == rig.programs.pid(CONTROL)
    assert status["dataplane"]["state"] == "ready" and status["dataplane"]["pid"] == rig.programs.pid("dataplane")
    assert status["applied_revision"] == status["control"]["revision"] >= 1
    assert [(vip["address"], vip["port"], vip["held"]) for vip in status["vips"]] == [
        (names.VIP, 80, True), (names.VIP, 443, True)]
    assert [(port["interface"], port["link_up"]) for port in status["ports"]] == [("north", True), ("south", True)]
    assert 0 < status["mbufs"]["available"] <= status["mbufs"]["total"]
    assert status["state_file"]["good"] and os.path.exists(status["state_file"]["path"])
    before = status["counters"]["connections_spliced"]
    assert fetch("app1.ch").status == 200
    assert rig.status()["counters"]["connections_spliced"] == before + 1


def test_hosts_and_routes(rig: Rig) -> None:
    """Connections, health and its reason per host; weight and connections per route and cluster."""
    rig.start()
    before = {(route["host"], share["cluster"]): share for route in rig.get("/api/v1/routes")["routes"]
              for share in route["clusters"]}
    assert before["app1.ch", "ose1"]["weight"] == 10 and before["app1.ch", "ose2"]["weight"] == 80
    assert not before["secure.ch", "ose1"]["http"] and before["secure.ch", "ose1"]["https"]
    assert ("only1.ch", "ose2") not in before and ("*.wild.ch", "ose1") in before
    hosts = rig.hosts()
    held = [Held("only1.ch") for _ in range(3)]
    seen = rig.hosts()
    for address in ("203.0.113.11", "203.0.113.12"):
        assert seen[address]["cluster"] == "ose1" and seen[address]["state"] == "active"
        assert seen[address]["health"]["state"] == "up" and seen[address]["health"]["reason"] == "status 200"
    assert sum(seen[address]["active"] - hosts[address]["active"] for address in seen) == 3
    assert sum(seen[address]["total"] - hosts[address]["total"] for address in seen) == 3
    share = next(share for route in rig.get("/api/v1/routes")["routes"] if route["host"] == "only1.ch"
                 for share in route["clusters"])
    assert share["active"] == before["only1.ch", "ose1"]["active"] + 3
    assert share["total"] == before["only1.ch", "ose1"]["total"] + 3
    for connection in held:
        connection.close()
    rig.host_stop("203.0.113.12")
    await_true(lambda: not rig.hosts()["203.0.113.12"]["healthy"], 6, "the stopped host is shown unhealthy")
    assert rig.hosts()["203.0.113.12"]["health"]["result"] == "refused"


def test_unknown_addresses_and_methods(rig: Rig) -> None:
    """404 and 405 with what is allowed; nothing happens."""
    rig.start()
    with unchanged(rig):
        for path in ("/nowhere", "/api/v1/status/", "/api/v2/status", f"{CLUSTERS}/", f"{CLUSTERS}/ose1/hosts",
                     "/api/v1/clusters/../status", "/api/cluster/"):
            assert_problem(rig.api("GET", path), 404)
        assert_problem(rig.api("GET", f"{CLUSTERS}/nobody"), 404, "nobody")
        assert_problem(rig.api("DELETE", f"{CLUSTERS}/nobody"), 404, "nobody")
        for method, path in (("POST", "/api/v1/status"), ("DELETE", "/api/v1/hosts"), ("POST", f"{CLUSTERS}/ose1"),
                             ("GET", f"/api/cluster/{KEY}"), ("PUT", "/")):
            assert_problem(rig.api(method, path), 405)


# --- writing ---

def test_put_and_delete(rig: Rig) -> None:
    """A new cluster is 201 and serves, its replacement is 200, a removed one is gone; applied when it is answered."""
    rig.start()
    body = GOOD | {"routes": [{"host": "only2.ch", "weight": 100}],
                   "hosts": [{"name": "r22", "address": "203.0.113.22"}]}
    assert rig.api("DELETE", f"{CLUSTERS}/ose2?force=true")[0] == 200
    assert fetch("only2.ch").status == 404
    status, answer = put(rig, "new", body)
    assert status == 201 and answer["applied"], answer
    await_true(lambda: rig.hosts()["203.0.113.22"]["healthy"], 5, "the new host is checked at once")
    await_true(lambda: fetch("only2.ch").field("router") == "203.0.113.22", 2, "it serves")
    status, answer = put(rig, "new", body | {"routes": []})
    assert status == 200 and answer["applied"], answer
    assert fetch("only2.ch").status == 404
    shown = rig.get(f"{CLUSTERS}/new")
    assert put(rig, "new", shown)[0] == 200 and rig.get(f"{CLUSTERS}/new") == shown, "what GET shows is what PUT takes"
    status, answer = rig.api("DELETE", f"{CLUSTERS}/new")
    assert status == 200 and answer["applied"], answer
    assert_problem(rig.api("GET", f"{CLUSTERS}/new"), 404)


BAD_BODIES: list[tuple[str, Any]] = [
    # what the answer must name, the body
    ("empty", b""),
    ("line 1", b"{"),
    ("line 1", b"\xff\xfe{}"),
    ("object", b"[]"),
    ("object", b"null"),
    ("$", b'{"source": "static", "source": "push"}'),
    ("$", b"[" * 100_000),
    ("$.source", {}),
    ("$.source", GOOD | {"source": "magic"}),
    ("$.source", GOOD | {"source": 1}),
    ("sorce", GOOD | {"sorce": "static"}),
    ("$.name", GOOD | {"name": "other"}),
    ("$.default_weight", GOOD | {"default_weight": 101}),
    ("$.hosts", GOOD | {"hosts": {}}),
    ("$.hosts[0]", GOOD | {"hosts": ["203.0.113.11"]}),
    ("$.hosts[0].address", GOOD | {"hosts": [{"name": "r1"}]}),
    ("$.hosts[0].address", GOOD | {"hosts": [{"name": "r1", "address": "203.0.113.256"}]}),
    ("$.hosts[0].address", GOOD | {"hosts": [{"name": "r1", "address": "127.0.0.1"}]}),
    ("$.hosts[0].address", GOOD | {"hosts": [{"name": "r1", "address": names.VIP}]}),
    ("$.hosts[0].address", GOOD | {"hosts": [{"name": "r1", "address": "203.0.113.65"}]}),
    ("$.hosts[0].http_port", GOOD | {"hosts": [{"name": "r1", "address": "203.0.113.11", "http_port": 65536}]}),
    ("$.hosts[1].address", GOOD | {"hosts": [{"name": "r1", "address": "203.0.113.11"},
                                             {"name": "r2", "address": "203.0.113.11"}]}),
    ("$.hosts[1].name", GOOD | {"hosts": [{"name": "r1", "address": "203.0.113.11"},
                                          {"name": "r1", "address": "203.0.113.12"}]}),
    ("$.routes[0].host", GOOD | {"routes": [{"weight": 1}]}),
    ("$.routes[0].host", GOOD | {"routes": [{"host": "no name.ch"}]}),
    ("$.routes[0].host", GOOD | {"routes": [{"host": "a" * 254}]}),
    ("$.routes[0].host", GOOD | {"routes": [{"host": "a.*.ch"}]}),
    ("$.routes[0].weight", GOOD | {"routes": [{"host": "new.ch", "weight": 101}]}),
    ("$.routes[0].weight", GOOD | {"routes": [{"host": "new.ch", "weight": -1}]}),
    ("$.routes[0].weight", GOOD | {"routes": [{"host": "new.ch", "weight": 1.5}]}),
    ("$.routes[0].weight", GOOD | {"routes": [{"host": "new.ch", "weight": "10"}]}),
    ("$.routes[0].http", GOOD | {"routes": [{"host": "new.ch", "http": 1}]}),
    ("$.routes[1].host", GOOD | {"routes": [{"host": "new.ch"}, {"host": "NEW.ch."}]}),
    ("$.health.path", GOOD | {"health": {"path": "healthz"}}),
    ("$.health.interval", GOOD | {"health": {"interval": 0}}),
    ("$.key", GOOD | {"key": "a"}),
]


def test_bad_bodies(rig: Rig) -> None:
    """400 names the field, and nothing of the body is applied, not even its right parts."""
    rig.start()
    headers = {"Content-Type": "application/json"}
    with unchanged(rig):
        for name in ("ose1", "new"):
            for field, body in BAD_BODIES:
                answer = assert_problem(put(rig, name, body, headers=headers), 400, field)
                assert answer["errors"][0]["reason"] and answer["errors"][0]["expected"], answer
    assert fetch("only1.ch").status == 200


def test_every_fault_of_a_body_is_named(rig: Rig) -> None:
    """All errors at once."""
    rig.start()
    body = {"source": "static", "hosts": [{"name": "", "address": "x", "http_port": -1}],
            "routes": [{"host": "a..b", "weight": 1000}, {}], "more": 1}
    answer = assert_problem(put(rig, "new", body), 400)
    assert {error["path"] for error in answer["errors"]} >= {
        "$.hosts[0].name", "$.hosts[0].address", "$.hosts[0].http_port", "$.routes[0].host", "$.routes[0].weight",
        "$.routes[1].host"}, answer


def test_bad_names(rig: Rig) -> None:
    """A name that a cluster cannot have."""
    rig.start()
    with unchanged(rig):
        for name in ("-x", ".", "a%20b", "a%2fb", "x" * 64, "%00", "%ff"):
            status, answer = put(rig, name, GOOD)
            assert status in (400, 404), (name, status, answer)


def test_content_type(rig: Rig) -> None:
    """Writes of our own API must say that they are JSON: a form of a web page cannot."""
    rig.start()
    content = json.dumps(GOOD).encode()
    with unchanged(rig):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                     "application/json-patch+json"):
            assert_problem(put(rig, "new", content, headers={"Content-Type": kind}), 415, "application/json")
        assert_problem(put(rig, "new", content), 415, "application/json")
    assert put(rig, "new", content, headers={"Content-Type": "Application/JSON; charset=utf-8"})[0] == 201


def test_too_large(rig: Rig) -> None:
    """A body beyond the limit is refused before it is read to its end."""
    rig.start()
    with unchanged(rig):
        answer = raw(rig, b"PUT /api/v1/clusters/new HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                          b"Content-Length: %d\r\n\r\n" % (BODY_MAX + 1))
        assert answer.startswith(b"HTTP/1.1 413 "), answer[:100]
        headers = {"Content-Type": "application/json"}
        large = b'{"source": "static", "routes": [' + b" " * (BODY_MAX - 40)
        assert_problem(put(rig, "new", large, headers=headers), 400)


def raw(rig: Rig, sent: bytes, timeout: float = 10) -> bytes:
    """What the admin API answers to bytes, to the end of the connection."""
    rig.dirty = True
    with netns.inside(names.EDGE):
        sock = socket.create_connection(("127.0.0.1", names.ADMIN_PORT), timeout)
    received = b""
    with sock, contextlib.suppress(OSError):  # it may be closed on us at any moment
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        while data := sock.recv(65536):
            received += data
    return received


def test_broken_requests(rig: Rig) -> None:
    """What is no HTTP, or ends in the middle, has no effect and stops nobody else."""
    rig.start()
    head = b"PUT /api/v1/clusters/ose1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with unchanged(rig):
        for sent in (b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 1000,
                     b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     head + b"Content-Length: 100\r\n\r\n{\"source\":", head + b"Content-Length: -1\r\n\r\n{}",
                     head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
                     head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"):
            answer = raw(rig, sent, timeout=0.5)
            assert not answer.startswith(b"HTTP/1.1 2"), (sent[:50], answer[:100])
        with netns.inside(names.EDGE):
            idle = [socket.create_connection(("127.0.0.1", names.ADMIN_PORT), 5) for _ in range(100)]
        for sock in idle:
            sock.sendall(head)
        assert rig.status()["control"]["pid"] == rig.programs.pid(CONTROL), "idle connections keep nobody out"
        for sock in idle:
            sock.close()


# --- who may call ---

def test_host_field(rig: Rig) -> None:
    """A Host that is neither the listen address nor allowed is refused: a page of elsewhere may point its name here."""
    rig.start({"admin": {"allowed_hosts": [ALLOWED]}})
    for host in ("127.0.0.1:8089", "127.0.0.1", "localhost:8089", f"{ALLOWED}:8089", ALLOWED.upper()):
        assert rig.api("GET", CLUSTERS, headers={"Host": host})[0] == 200, host
    with unchanged(rig):
        for host in ("evil.example.com", "127.0.0.1.evil.example.com:8089", f"x.{ALLOWED}", names.EDGE_NORTH, "",
                     "[::1]"):
            assert_problem(rig.api("GET", CLUSTERS, headers={"Host": host}), 403, "allowed_hosts")
            assert_problem(put(rig, "new", GOOD, headers={"Host": host}), 403, "allowed_hosts")
        for host in ("evil.example.com", ""):
            status, _ = rig.api("POST", f"/api/cluster/{KEY}", PUSH, headers={"Host": host})
            assert status == 403


def test_origin_field(rig: Rig) -> None:
    """A page of another origin is refused, on reading too."""
    rig.start()
    for origin in ("http://localhost:8089", "http://127.0.0.1:8089"):
        assert rig.api("GET", CLUSTERS, headers={"Origin": origin})[0] == 200, origin
    with unchanged(rig):
        for origin in ("http://evil.example.com", "null", "https://localhost.evil.example.com", "file://localhost"):
            assert_problem(rig.api("GET", CLUSTERS, headers={"Origin": origin}), 403, "Origin")
            assert_problem(put(rig, "new", GOOD, headers={"Origin": origin}), 403, "Origin")


def from_namespace(rig: Rig, namespace: str, *arguments: str) -> tuple[int, str]:
    """A call of the API on the edge's own address from another namespace: status (0: no answer) and body."""
    rig.dirty = True
    done = rig.run(namespace, "curl", "-s", "-m", "5", "-w", "\n%{http_code}", *arguments, check=False)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def test_listen_beyond_loopback(rig: Rig) -> None:
    """admin.allow_from says who may call; a push is governed by push_from of its cluster."""
    admin = {"listen": f"{names.EDGE_NORTH}:8089", "allow_from": [f"{names.CLIENT_ADDRESS}/32"]}
    rig.start({"admin": admin}, wait=False)
    url = f"http://{names.EDGE_NORTH}:8089"
    token = ("-H", f"Authorization: Bearer {rig.token('admin')}")
    await_true(lambda: from_namespace(rig, names.CLIENT, *token, f"{url}/api/v1/status")[0] == 200, 10,
               "the API is there")
    assert from_namespace(rig, names.CLIENT, *token, f"{url}{CLUSTERS}")[0] == 200
    assert from_namespace(rig, names.CLIENT, f"{url}{CLUSTERS}")[0] == 401
    assert from_namespace(rig, names.OSE1, *token, f"{url}{CLUSTERS}")[0] == 0, "a stranger is answered"
    assert "is neither in admin.allow_from" in rig.log(CONTROL)
    json_type = ("-H", "Content-Type: application/json", *token)
    cluster = json.dumps({"source": "push", "key": KEY, "push_from": ["203.0.113.11/32"]})
    assert from_namespace(rig, names.CLIENT, "-X", "PUT", *json_type, "-d", cluster, f"{url}{CLUSTERS}/ose3")[0] == 201
    push = ("-X", "POST", "-d", json.dumps(PUSH), f"{url}/api/cluster/{KEY}")
    status, body = from_namespace(rig, names.CLIENT, *push)
    assert status == 403 and "push_from" in body, body
    assert from_namespace(rig, names.OSE2, *push)[0] == 0
    assert from_namespace(rig, names.OSE1, *push)[0] == 201
    # Who may push may do nothing else.
    status, body = from_namespace(rig, names.OSE1, *token, f"{url}{CLUSTERS}")
    assert status == 403 and "allow_from" in body, body
    assert from_namespace(rig, names.OSE1, "-X", "PUT", *json_type, "-d", cluster, f"{url}{CLUSTERS}/ose3")[0] == 403


# --- the plugin's push ---

def make_push_cluster(rig: Rig) -> None:
    """An empty cluster that waits for its plugin."""
    status, answer = put(rig, "ose3", {"source": "push", "key": KEY})
    assert status == 201, answer


def push(rig: Rig, body: Any, **more: Any) -> tuple[int, Any]:
    """The plugin's call."""
    return rig.api("POST", f"/api/cluster/{KEY}", body, **more)


def test_push(rig: Rig) -> None:
    """What a plugin pushes is 201, replaces what it pushed before, and serves."""
    rig.start()
    make_push_cluster(rig)
    body = {"routes": {"a": {"url": "only1.ch", "weight": 10}}, "routerHosts": PUSH["routerHosts"]}
    status, answer = push(rig, json.dumps(body).encode())
    assert status == 201, answer
    weights = {share["cluster"]: share["weight"] for route in rig.get("/api/v1/routes")["routes"]
               if route["host"] == "only1.ch" for share in route["clusters"]}
    assert weights == {"ose1": 100, "ose3": 10}
    before = state(rig)
    assert push(rig, body)[0] == 201
    assert state(rig) == before, "the same push again changes nothing"
    assert push(rig, {"routes": {}, "routerHosts": {}})[0] == 201
    shown = rig.get(f"{CLUSTERS}/ose3")
    assert len(shown["hosts"]) == 1 and len(shown["routes"]) == 1, "an empty push is held"
    assert rig.api("POST", f"{CLUSTERS}/ose3/held/confirm")[0] == 200
    shown = rig.get(f"{CLUSTERS}/ose3")
    assert shown["hosts"] == [] and shown["routes"] == []


def test_push_to_the_wrong_cluster(rig: Rig) -> None:
    """An unknown key and one of a cluster with another source are refused alike; no source takes what is another's."""
    rig.start()
    make_push_cluster(rig)
    with unchanged(rig):
        assert_problem(rig.api("POST", "/api/cluster/other", PUSH), 403, "other", "push_from", "127.0.0.1")
        assert_problem(rig.api("POST", "/api/cluster/ose1", PUSH), 403, "ose1", "push_from", "127.0.0.1")
        assert_problem(put(rig, "ose3", GOOD), 409, "ose3", "push")
        assert_problem(put(rig, "ose3", {"source": "push", "key": KEY, "routes": GOOD["routes"]}), 409, "push")
        assert_problem(put(rig, "ose1", {"source": "push", "key": "x"}), 409, "ose1", "static")
        assert_problem(put(rig, "ose4", {"source": "push", "key": KEY}), 400, "$.key", "ose3")


def test_push_from(rig: Rig) -> None:
    """Only from the cluster's own addresses; others do not learn whether there is such a cluster."""
    rig.start()
    status, answer = put(rig, "ose3", {"source": "push", "key": KEY, "push_from": ["203.0.113.11/32"]})
    assert status == 201, answer
    with unchanged(rig):
        status, refused = push(rig, PUSH)
        assert_problem((status, refused), 403, "127.0.0.1", "push_from")
        status, unknown = rig.api("POST", "/api/cluster/nobody", PUSH)
        assert (status, unknown["detail"]) == (403, refused["detail"].replace(KEY, "nobody")), unknown


BAD_PUSHES: list[tuple[str, Any]] = [
    ("line 1", b"{"),
    ("$.routes", {"routerHosts": PUSH["routerHosts"]}),
    ("$.routerHosts", {"routes": PUSH["routes"]}),
    ("$.routes", PUSH | {"routes": []}),
    ("url", PUSH | {"routes": {"a": {"weight": 1}}}),
    ("url", PUSH | {"routes": {"a": {"url": "http://app1.ch/", "weight": 1}}}),
    ("weight", PUSH | {"routes": {"a": {"url": "a.ch", "weight": 101}}}),
    ("hostIP", PUSH | {"routerHosts": {"r1": {"name": "r1", "hostIP": "r1.example.com"}}}),
    ("hostIP", PUSH | {"routerHosts": {"r1": {"name": "r1"}}}),
    ("httpPort", PUSH | {"routerHosts": {"r1": {"name": "r1", "hostIP": "203.0.113.21", "httpPort": 70000}}}),
    ("address", PUSH | {"routerHosts": {"r1": {"name": "r1", "hostIP": names.VIP}}}),
]


def test_bad_pushes(rig: Rig) -> None:
    """400 names the field and leaves what was pushed before."""
    rig.start()
    make_push_cluster(rig)
    assert push(rig, PUSH)[0] == 201
    with unchanged(rig):
        for field, body in BAD_PUSHES:
            assert_problem(push(rig, body), 400, field)


# --- the disk ---

def test_what_cannot_be_saved_is_not_applied(rig: Rig) -> None:
    """A full disk: 507, nothing changed; when there is room again, all is well."""
    directory = f"{rig.run_dir}/small-disk"
    os.makedirs(directory, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", directory], check=True)
    rig.defer(subprocess.run, ["umount", directory])
    rig.defer(rig.stop)
    rig.start({"paths": {"state": f"{directory}/state"}}, fresh=True)
    with open(f"{directory}/filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 512):
            pass
    body = cluster_body(rig, "ose1", {"app1.ch": 99})
    with unchanged(rig):
        assert_problem(put(rig, "ose1", body), 507, "No space left")
        assert_problem(put(rig, "new", GOOD), 507)
        assert_problem(rig.api("DELETE", f"{CLUSTERS}/ose2?force=true"), 507)
    assert fetch("only2.ch").status == 200
    status = rig.status()["state_file"]
    assert not status["good"] and "No space left" in status["detail"], status
    os.unlink(f"{directory}/filler")
    assert put(rig, "ose1", body)[0] == 200
    assert rig.status()["state_file"]["good"]
