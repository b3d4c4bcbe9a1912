"""Every call of the admin API, as docs/openapi.yaml has it, by everybody and with everything that can be wrong: the
documented answer each time."""

from __future__ import annotations

import contextlib
import copy
import fcntl
import hashlib
import http.client
import json
import os
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from demonet import balancer, client, names, netns
from demonet.apis import samples
from demonet.supervisor import await_true
from openapi import ROOT, Answer, Document, Operation
from rig import Rig
from watched import OSE1, OSE2, begin, pod_name, route, routes

ROLES = ("none", "viewer", "operator", "admin")
EVERYBODY = ("none", "bad", *ROLES[1:])
UNKNOWN = {"cluster": "nobody", "host": "203.0.113.250", "route": "nobody.example", "name": "nobody", "id": "999999",
           "key": "nobody"}
KNOWN = {"cluster": "ose1", "host": "203.0.113.11", "route": "app1.ch", "name": "test-spare", "key": "K9"}
TOO_LARGE = 17 << 20
CLUSTER = {"source": "static", "state": "staged",
           "hosts": [{"name": "r1", "address": "203.0.113.11", "http_port": 80, "https_port": 443}],
           "routes": [{"host": "new.example"}]}
PUSHED = {"source": "push", "key": "K9", "push_from": ["127.0.0.0/8"]}

# A body that is right, by operation; those that are not here take none.
BODIES: dict[str, Any] = {
    "createToken": {"name": "more", "role": "viewer"},
    "patchCluster": {"default_weight": 50},
    "drainCluster": {"timeout": "1h", "force": True},
    "offlineCluster": {"close": False, "force": True},
    "shiftCluster": {"to": "ose2", "percent": 10},
    "probe": {"host": "app1.ch"},
    "drainHost": {"timeout": 3600},
    "disableHost": {"close": False},
    "putWeight": {"weight": 12.5},
    "shiftRoute": {"to": "ose2", "percent": 10},
    "closeConnections": {"client": "192.0.2.1"},
    "saveRevision": {"name": "by-test"},
    "putCluster": CLUSTER,
}
QUERIES = {"diff": "from=ose1&to=ose2", "explain": "host=app1.ch&from=198.51.100.2", "metrics": "routes=true",
           "listEvents": "limit=5", "listRoutes": "search=app&sort=active&limit=5", "listConnections": "cluster=ose1",
           "listUnknown": "limit=5", "listHosts": "cluster=ose1", "deleteCluster": "force=true"}
# Fields of watched and pushed clusters, their router hosts and routes that are there only at times.
WATCHED = {"absent_hosts", "age_seconds", "effective_share_https", "goes_by_itself", "held", "pods", "pushed_at", "warning",
           "weight_given", "weight_of_cluster", "why"}
# Not by this file's plain requests: a WebSocket, and what ends the caller's own identity.
STREAM = "stream"


def secret(role: str) -> str:
    """The token of a role."""
    return f"pm_{role:_<43}"


def tokens_file(rig: Rig) -> str:
    """A token for each role, and one to be removed."""
    path = f"{rig.run_dir}/openapi-tokens"
    lines = [json.dumps({"name": f"test-{role}", "role": "viewer" if role == "spare" else role, "id": f"{number:016x}",
                         "sha256": hashlib.sha256(secret(role).encode()).hexdigest(),
                         "created_at": "2026-01-31T08:00:00Z"})
             for number, role in enumerate((*ROLES[1:], "spare"), 1)]
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write("".join(f"{line}\n" for line in lines))
    return path


class Caller:
    """Calls of the API from ever new addresses of loopback, so that no wrong token stands in another call's way."""

    def __init__(self) -> None:
        self._number = 0

    def call(self, method: str, path: str, role: str = "admin", body: bytes | None = None,
             headers: dict[str, str] | None = None) -> Answer:
        """`role`: that of the token; "none": no token, "bad": a wrong one."""
        self._number += 1
        source = f"127.1.{self._number // 250}.{self._number % 250 + 1}"
        fields = {"Content-Type": "application/json"} if body is not None else {}
        if role != "none":
            fields["Authorization"] = f"Bearer {secret(role)}"
        fields.update(headers or {})
        connection = http.client.HTTPConnection("127.0.0.1", names.ADMIN_PORT, timeout=20, source_address=(source, 0))
        with netns.inside(names.EDGE):
            connection.connect()
        with contextlib.closing(connection):
            connection.request(method, path, body, fields)
            response = connection.getresponse()
            return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, response.read())

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """A call that must succeed."""
        answer = self.call(method, path, body=None if body is None else json.dumps(body).encode())
        assert answer.status in (200, 201), answer
        return json.loads(answer.body)


def closed(rig: Rig) -> Caller:
    """A pointsman that lets nobody in without a token."""
    admin = {"tokens": tokens_file(rig), "requests_per_second": 5000}
    rig.start({"admin": admin}, fresh=True)
    rig.dirty = True
    config = copy.deepcopy(rig.config)
    assert config
    config["admin"]["loopback"] = "none"
    balancer.write_configuration(rig.run_dir, config)
    assert rig.api("POST", "/api/v1/reload", {})[0] == 200
    caller = Caller()
    assert caller.call("GET", "/api/v1/status", "none").status == 401
    caller.json("PUT", "/api/v1/clusters/pushed", PUSHED)
    return caller


def address(operation: Operation, values: dict[str, str], dry_run: bool) -> str:
    """The path with its names and query."""
    path = operation.path
    for name in re.findall(r"{(\w+)}", path):
        path = path.replace(f"{{{name}}}", urllib.parse.quote(values[name], safe=""))
    query = [QUERIES[operation.name]] if operation.name in QUERIES else []
    if dry_run and any(one["name"] == "dry_run" for one in operation.parameters):
        query.append("dry_run=true")
    return path + ("?" + "&".join(query) if query else "")


def good_body(operation: Operation, caller: Caller) -> bytes | None:
    """A body that is right; None: it takes none."""
    if operation.name == "login":
        return json.dumps({"token": secret("viewer")}).encode()
    if operation.name == "import":
        return json.dumps(caller.json("GET", "/api/v1/export")).encode()
    if operation.name == "push":
        return json.dumps({"routerHosts": {}, "routes": {}}).encode()
    return json.dumps(BODIES[operation.name]).encode() if operation.name in BODIES else None


def known(caller: Caller) -> dict[str, str]:
    """Names of things that there are."""
    found = caller.json("GET", "/api/v1/revisions")["revisions"]
    if not found:
        caller.json("POST", "/api/v1/revisions", {"name": "first"})
        found = caller.json("GET", "/api/v1/revisions")["revisions"]
    return {**KNOWN, "id": str(found[0]["id"])}


def operations(document: Document) -> list[Operation]:
    """All that answer plain requests."""
    return [one for one in document.operations() if one.name != STREAM]


def test_document_and_server_have_the_same_addresses(rig: Rig) -> None:
    """What the server lists is what the document lists, with the same roles; nothing is open that should not be."""
    caller = closed(rig)
    listed = {}
    for line in caller.call("GET", "/api/v1").body.decode().splitlines():
        words = line.split()
        if len(words) >= 3 and words[1].startswith("/"):
            listed[words[0], re.sub(r"{\w+}", "{}", words[1])] = words[2]
    promised = {(one.method, re.sub(r"{\w+}", "{}", one.path)): one for one in Document().operations()}
    assert set(listed) == set(promised), set(listed) ^ set(promised)
    for key, role in listed.items():
        wanted = "push" if promised[key].spec.get("x-push") else promised[key].role
        assert role == wanted, (key, role, wanted)


@dataclass(frozen=True)
class Case:
    """A call with at most one thing wrong, and what may be answered to who may make it."""

    statuses: tuple[int, ...]
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def bodies(operation: Operation, path: str) -> list[Case]:
    """Bodies that are wrong: of the wrong form, of another type, too large. Where none is taken, any but {} is wrong: a
    dry_run in it must not be overlooked. That of a GET is nobody's business."""
    reads, plain = operation.method == "GET", {"Content-Type": "text/plain"}
    cases = [Case((200,) if reads else (400,), path, body) for body in (b'{"nonsense": 1}', b'{"broken', b"[]")]
    if not reads and not operation.takes_body:
        cases.append(Case((400,), path, b'{"dry_run": true}'))
    if operation.name != "push":  # a plugin may say what it likes
        cases.append(Case((200,) if reads else (415,), path, b"{}", plain))
    return [*cases, Case((413,), path, b"", {"Content-Length": str(TOO_LARGE)})]


def cases_of(operation: Operation, names_known: dict[str, str], good: bytes | None) -> list[Case]:
    """The call as it should be, and with each thing that can be wrong."""
    right = (409,) if operation.name == "rollbackRoute" else (200, 201)  # nothing was changed: nothing to roll back
    path, trial = address(operation, names_known, dry_run=False), address(operation, names_known, dry_run=True)
    cases = [Case(right, trial, good), *bodies(operation, path),
             Case((400,), f"{path}{'&' if '?' in path else '?'}nonsense=1", good)]
    if operation.method != "GET" and not operation.takes_body:
        cases.append(Case(right, trial, b"{}"))
    if any(one["name"] == "If-Match" for one in operation.parameters):
        cases.append(Case((412,), path, good, {"If-Match": '"999999"'}))
    if operation.name == "login":
        cases.append(Case((401,), path, b'{"token": "pm_wrong"}'))
    for name in re.findall(r"{(\w+)}", operation.path):
        if operation.name != "putCluster":  # makes it
            unknown = address(operation, {**names_known, name: UNKNOWN[name]}, dry_run=True)
            cases.append(Case((403,) if operation.name == "push" else (404,), unknown, good))
    return cases


def statuses_for(operation: Operation, role: str, case: Case) -> tuple[int, ...]:
    """Who has no right to a call is told that and nothing else."""
    if operation.role == "none":
        return case.statuses
    if role in ("none", "bad"):
        return (401,)
    return case.statuses if ROLES.index(role) >= ROLES.index(operation.role) else (403,)


def test_every_call_by_everybody_with_everything_wrong(rig: Rig) -> None:
    """{no token, a wrong one, viewer, operator, admin} x {right, wrong bodies, another type, too large, an unknown
    parameter, an old revision, unknown names}: the documented answer each time, and nothing is changed."""
    caller, document = closed(rig), Document()
    names_known = known(caller)
    assert caller.call("POST", "/api/cluster/K9", "none", b'{"routerHosts": {}, "routes": {}}').status == 201
    before, calls = caller.json("GET", "/api/v1/status")["control"]["revision"], 0
    for operation in operations(document):
        for case in cases_of(operation, names_known, good_body(operation, caller)):
            for role in EVERYBODY:
                answer = caller.call(operation.method, case.path, role, case.body, case.headers)
                wanted = statuses_for(operation, role, case)
                assert answer.status in wanted, f"{operation.name} by {role}: {wanted} expected of {case}: {answer}"
                assert answer.status != 401 or "www-authenticate" in answer.headers, (operation.name, answer)
                operation.check(answer)
                calls += 1
    print(f"     {calls} calls, each answered as documented")
    assert calls >= 2300, f"only {calls} calls were made"
    assert caller.json("GET", "/api/v1/status")["control"]["revision"] == before
    assert client.fetch("app1.ch").status == 200


def test_tokens_that_somebody_else_changes(rig: Rig) -> None:
    """While another program has the lock of the file of tokens, a change of it is answered 503; then it is made."""
    caller = closed(rig)
    by_name = {operation.name: operation for operation in operations(Document())}
    calls = [(by_name[name], address(by_name[name], KNOWN, dry_run=False), good_body(by_name[name], caller))
             for name in ("createToken", "removeToken")]
    with open(f"{rig.run_dir}/openapi-tokens.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for operation, path, body in calls:
            answer = caller.call(operation.method, path, "admin", body)
            operation.check(answer)
            assert answer.status == 503 and b"try again" in answer.body, (operation.name, answer)
    for operation, path, body in calls:
        answer = caller.call(operation.method, path, "admin", body)
        assert answer.status in (200, 201), (operation.name, answer)


def test_every_call_in_earnest(rig: Rig) -> None:
    """Each write once without dry_run, then again: documented answers, and the second time nothing changes."""
    caller, document = closed(rig), Document()
    by_name = {operation.name: operation for operation in operations(document)}
    order = ("patchCluster", "putWeight", "rollbackRoute", "shiftRoute", "rollbackRoute", "putWeight", "deleteWeight",
             "shiftCluster", "drainHost", "enableHost", "disableHost", "enableHost", "drainCluster", "enableCluster",
             "offlineCluster", "enableCluster", "checkCluster", "confirmHeld", "probe", "closeConnections", "saveRevision",
             "rollbackRevision", "deleteRevision", "createToken", "removeToken", "reload", "import", "push", "login",
             "logout")
    twice = {"patchCluster", "putWeight", "shiftRoute", "enableHost", "disableHost", "enableCluster", "offlineCluster",
             "confirmHeld", "reload", "import"}
    for name in order:
        operation = by_name[name]
        path, body = address(operation, known(caller), dry_run=False), good_body(operation, caller)
        answer = caller.call(operation.method, path, "admin", body)
        operation.check(answer)
        assert answer.status < 300, (name, answer)
        if name in twice:
            again = caller.call(operation.method, path, "admin", body)
            operation.check(again)
            assert again.status == 200 and json.loads(again.body)["changed"] is False, (name, again)
            assert json.loads(again.body)["revision"] == json.loads(answer.body)["revision"], (name, again)
    staged = {**KNOWN, "cluster": "brandnew"}
    for name, status in (("putCluster", 201), ("putCluster", 200), ("activateCluster", 200), ("deleteCluster", 409)):
        operation = by_name[name]
        answer = caller.call(operation.method, address(operation, staged, False).split("?")[0], "admin",
                             json.dumps(CLUSTER).encode() if name == "putCluster" else None)
        operation.check(answer)
        assert answer.status == status, (name, answer)
    answer = caller.call("DELETE", "/api/v1/clusters/brandnew?force=true&reason=over", "admin")
    assert answer.status == 200, answer
    event = caller.json("GET", "/api/v1/events?kind=cluster_removed")["events"][0]
    assert (event["reason"], event["who"]) == ("over", event["who"]) and event["who"].startswith("test-admin@"), event


def test_writes_with_the_revision_that_was_seen(rig: Rig) -> None:
    """ETag and If-Match: of two operators who saw the same, one is told that the other was first."""
    caller = closed(rig)
    seen = caller.call("GET", "/api/v1/routes/app1.ch").headers["etag"]
    weight = "/api/v1/routes/app1.ch/clusters/ose1/weight"
    first = caller.call("PUT", weight, "operator", b'{"weight": 30}', {"If-Match": seen})
    assert first.status == 200 and first.headers["etag"] != seen, first
    second = caller.call("PUT", weight, "operator", b'{"weight": 70}', {"If-Match": seen})
    assert second.status == 412 and first.headers["etag"].strip('"') in json.loads(second.body)["detail"], second
    assert caller.call("PUT", weight, "operator", b'{"weight": 70}', {"If-Match": first.headers["etag"]}).status == 200


def check_views(caller: Caller, names_known: dict[str, str], role: str = "admin", *only: str) -> None:
    """Every GET, or only these, is answered 200 as documented."""
    for operation in operations(Document()):
        if operation.method == "GET" and (not only or operation.name in only):
            answer = caller.call("GET", address(operation, names_known, True), role)
            operation.check(answer)
            assert answer.status == 200, (operation.name, answer)


def test_the_answers_of_a_busy_pointsman_are_the_documented_ones(rig: Rig) -> None:
    """With traffic, unknown names, a held connection and a host that is down every view still fits the document."""
    caller = closed(rig)
    held = [client.connect(80) for _ in range(3)]
    rig.defer(lambda: [one.close() for one in held])
    for sock in held:
        client.request(sock, "app1.ch")
    client.fetch("nobody.example")
    rig.host_stop("203.0.113.11")
    await_true(lambda: caller.json("GET", "/api/v1/unknown")["total"] > 0, 5, "the unknown name is listed")
    await_true(lambda: "down" in [host["health"]["state"] for host in caller.json("GET", "/api/v1/hosts")["hosts"]], 8,
               "the stopped router host is down")
    check_views(caller, known(caller))
    assert caller.json("GET", "/api/v1/connections")["total"] >= 3


def test_the_answers_about_watched_clusters_are_the_documented_ones(rig: Rig) -> None:
    """What only watched and pushed clusters have: watches, pods, warnings, parked Routes, what is held, and router hosts
    that are misconfigured, or disabled and gone."""
    watched = begin(rig, [route("app1.ch", weight=10), route("both.ch", weight=1), *routes(12)],
                    [route("both.ch", weight=1, termination="passthrough")])
    caller, (gone, _) = Caller(), OSE2.hosts
    for method, path, body in (("PUT", "/api/v1/clusters/pushed", PUSHED), ("POST", "/api/v1/revisions", {"name": "first"}),
                               ("POST", "/api/cluster/K9", {"routes": {"any": {"url": "pushed.ch"}}, "routerHosts": {}}),
                               ("POST", f"/api/v1/hosts/ose2/{gone}/disable", {})):
        assert rig.api(method, path, body)[0] in (200, 201), path
    watched.override("app1.ch", "ose1", 3)
    for host, weight in (("app1.ch", None), ("odd.ch", "much")):  # parked there, wrong
        watched.two.create(route(host, weight=weight))
    watched.two.create(samples.pod("wrong", "203.0.113.29", proxy=True))
    watched.two.delete_pod(pod_name(gone))
    for number in range(12):  # too many at once: held
        watched.one.delete_route(f"r{number}-demo-ch")
    for host in reversed(OSE1.hosts):  # nothing would be left: the last one is held
        watched.one.delete_pod(pod_name(host))

    def shown() -> set[str]:
        answers = [rig.get(f"/api/v1/{name}") for name in ("clusters", "hosts", "routes", "held")]
        return set(re.findall(r'"(\w+)":', json.dumps(answers)))
    await_true(lambda: WATCHED <= shown(), 8, f"the views have all of {WATCHED}")
    check_views(caller, {**KNOWN, "id": str(rig.get("/api/v1/revisions")["revisions"][0]["id"])}, "none")
    check_views(caller, {**KNOWN, "cluster": "ose2", "host": gone}, "none", "getHost", "getCluster", "clusterStatus")
    check_views(caller, {**KNOWN, "cluster": "pushed"}, "none", "getCluster", "clusterStatus")


def test_every_metric_is_documented(rig: Rig) -> None:
    """Each family of the scrape stands in docs/api.md, and each metric that a document names is in the scrape."""
    rig.start()
    there = set(re.findall(r"^# TYPE (\S+) ", rig.api("GET", "/metrics?routes=true")[1].decode(), re.MULTILINE))
    named = {}
    for path in ("docs/api.md", "docs/operations.md", "docs/alerts.yaml", "docs/grafana-dashboard.json"):
        with open(f"{ROOT}/{path}", encoding="utf-8") as file:
            named[path] = set(re.findall(r"\bpointsman_[a-z_]+", file.read())) - {"pointsman_session"}  # the cookie
    assert there and there <= named["docs/api.md"], there - named["docs/api.md"]
    unknown = {path: found - there for path, found in named.items() if found - there}
    assert not unknown, unknown
