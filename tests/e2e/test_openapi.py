"""Every call of the admin API, as docs/openapi.yaml has it, by everybody and with everything that can be wrong: the
documented answer each time."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import http.client
import json
import os
import re
import urllib.parse
from typing import Any

from demonet import balancer, client, names, netns
from demonet.supervisor import await_true
from openapi import Answer, Document, Operation
from rig import Rig

ROLES = ("none", "viewer", "operator", "admin")
UNKNOWN = {"cluster": "nobody", "host": "203.0.113.250", "route": "nobody.example", "name": "nobody", "id": "999999"}
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


def test_every_call_by_everybody(rig: Rig) -> None:
    """{no token, a wrong one, viewer, operator, admin}: 401, 401, then 403 until the role is enough."""
    caller, document = closed(rig), Document()
    names_known = known(caller)
    for operation in operations(document):
        path, body = address(operation, names_known, dry_run=True), good_body(operation, caller)
        for role in ("none", "bad", "viewer", "operator", "admin"):
            answer = caller.call(operation.method, path, role, body)
            operation.check(answer)
            if operation.role == "none":
                allowed = True
            elif role in ("none", "bad"):
                assert answer.status == 401 and "www-authenticate" in answer.headers, (operation.name, role, answer)
                allowed = False
            else:
                allowed = ROLES.index(role) >= ROLES.index(operation.role)
                assert (answer.status == 403) == (not allowed), (operation.name, role, answer)
            if allowed:
                assert answer.status < 300 or (operation.name, answer.status) == ("rollbackRoute", 409), \
                    (operation.name, role, answer)


def test_every_call_with_what_can_be_wrong(rig: Rig) -> None:
    """Invalid, too large, of another type, unknown parameters and names, an old revision: refused as documented, and
    nothing is changed."""
    caller, document = closed(rig), Document()
    names_known = known(caller)
    before = caller.json("GET", "/api/v1/status")["control"]["revision"]
    for operation in operations(document):
        path = address(operation, names_known, dry_run=False)
        wrong = []
        if operation.takes_body:
            wrong.append((400, path, b'{"nonsense": 1}', {}))
            wrong.append((400, path, b'{"broken', {}))
            wrong.append((413, path, b"", {"Content-Length": str(TOO_LARGE)}))
            if operation.name != "push":
                wrong.append((415, path, b"{}", {"Content-Type": "text/plain"}))
        if operation.name not in ("login", "logout", "push"):
            wrong.append((400, f"{path}{'&' if '?' in path else '?'}nonsense=1", good_body(operation, caller), {}))
        if any(one["name"] == "If-Match" for one in operation.parameters):
            wrong.append((412, path, good_body(operation, caller), {"If-Match": '"999999"'}))
        if "{" in operation.path and operation.name not in ("putCluster",):
            unknown = address(operation, {**names_known, **UNKNOWN, "key": "nobody"}, dry_run=True)
            wrong.append((404, unknown, good_body(operation, caller), {}))
        for status, where, body, headers in wrong:
            answer = caller.call(operation.method, where, "admin", body, headers)
            assert answer.status == status, f"{operation.method} {where} {body!r:.80}: {status} expected, {answer}"
            if "404" in operation.spec["responses"] or status != 404:
                operation.check(answer)
    assert caller.json("GET", "/api/v1/status")["control"]["revision"] == before
    assert client.fetch("app1.ch").status == 200


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


def test_the_answers_of_a_busy_pointsman_are_the_documented_ones(rig: Rig) -> None:
    """With traffic, unknown names, a held connection and a host that is down every view still fits the document."""
    caller, document = closed(rig), Document()
    held = [client.connect(80) for _ in range(3)]
    rig.defer(lambda: [one.close() for one in held])
    for sock in held:
        client.request(sock, "app1.ch")
    client.fetch("nobody.example")
    rig.host_stop("203.0.113.11")
    await_true(lambda: caller.json("GET", "/api/v1/unknown")["total"] > 0, 5, "the unknown name is listed")
    await_true(lambda: "down" in [host["health"]["state"] for host in caller.json("GET", "/api/v1/hosts")["hosts"]], 8,
               "the stopped router host is down")
    names_known = known(caller)
    for operation in operations(document):
        if operation.method == "GET":
            answer = caller.call("GET", address(operation, names_known, True))
            operation.check(answer)
            assert answer.status == 200, (operation.name, answer)
    assert caller.json("GET", "/api/v1/connections")["total"] >= 3
