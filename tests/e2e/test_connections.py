"""What an operator sees of single connections: live ones listed and closed, refused names, explanations that come true,
probes of router hosts, the connection log."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import threading
from typing import Any, Iterator

import traffic
import watched
from demonet import client, names, netns
from demonet.supervisor import await_true
from rig import CONTROL, DATAPLANE, Rig

OSE1, OSE2 = names.CLUSTERS
MANY = 25
SCANNER = "198.18.7.7"
REFUSED_KEPT_OF_SOURCE = 100


def connections(rig: Rig, query: str = "") -> Any:
    """GET /api/v1/connections"""
    return rig.get(f"/api/v1/connections?limit=1000{query}")


def listed(rig: Rig, query: str = "") -> dict[int, dict]:
    """client port -> what is listed of its connection, those that still translate after their end left out"""
    return {int(one["client"].rsplit(":", 1)[1]): one for one in connections(rig, query)["connections"]
            if one["state"] == "spliced"}


def close(rig: Rig, body: dict, query: str = "") -> int:
    """POST /api/v1/connections/close: how many were closed."""
    status, answer = rig.api("POST", f"/api/v1/connections/close{query}", body)
    assert status == 200, (status, answer)
    return answer["closed"]


@contextlib.contextmanager
def held(*wanted: tuple[str, str]) -> Iterator[list[traffic.Held]]:
    """Kept-alive connections, one for each (name, source address)."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(traffic.Held(name, source))) for name, source in wanted]


def port_of(one: traffic.Held) -> int:
    """The client's port."""
    return one.sock.getsockname()[1]


def was_reset(one: traffic.Held) -> bool:
    """Waits for the RST."""
    try:
        one.sock.recv(1)
        return False
    except ConnectionResetError:
        return True


def established(host: str) -> set[str]:
    """The clients' ends of connections that a router host has open on port 80."""
    out = Rig.run(names.cluster_of(host).namespace, "ss", "-Htn", "state", "established", "src", f"{host}:80").stdout
    return {line.split()[3] for line in out.splitlines()}


# --- list and close ---

def test_live_connections_are_listed_oldest_first(rig: Rig) -> None:
    rig.start(fresh=True)
    wanted = [("only1.ch", "198.18.0.1"), ("a.wild.ch", "198.18.0.2"), ("only2.ch", "198.19.0.1")]
    with held(*wanted) as made:
        answer = connections(rig)
        assert answer["total"] >= len(wanted), answer
        lines = [one for one in answer["connections"] if one["state"] == "spliced"]
        assert [one["name"] for one in lines[-3:]] == [name for name, _ in wanted], lines
        for one, (name, source) in zip(made, wanted):
            line = listed(rig)[port_of(one)]
            route = "*.wild.ch" if name == "a.wild.ch" else name
            assert line["client"] == f"{source}:{port_of(one)}", line
            assert (line["listener"], line["name"], line["route"]) == ("http", name, route), line
            assert (line["cluster"], line["router"]) == (one.answer.field("cluster"), f"{one.router}:80"), line
            assert line["host"] == f"router-{one.router.rsplit('.', 1)[1]}", line
            assert line["bytes_in"] > 0 and line["bytes_out"] > len(one.answer.body), line
        routes = {(one["route"], one["cluster"]): one["count"] for one in answer["by_route"]}
        assert routes["*.wild.ch", "ose1"] >= 1 and routes["only2.ch", "ose2"] >= 1, routes
    # What has ended is not among them, though late segments of it are still translated.
    await_true(lambda: connections(rig, "&client=198.18.0.1")["total"] == 0, 5, "the end is seen")
    ended = connections(rig, "&client=198.18.0.1&state=lingering")
    assert [one["state"] for one in ended["connections"]] == ["lingering"] and ended["total"] == 1, ended


def test_filters_of_connections(rig: Rig) -> None:
    """By route, cluster, router host, client and age."""
    rig.start()
    with held(("app1.ch", "198.18.1.1"), ("only1.ch", "198.18.1.2"), ("only2.ch", "198.19.1.1")) as made:
        app, first, second = (port_of(one) for one in made)
        ports = {app, first, second}
        router = made[1].router

        def ports_of(query: str) -> set[int]:
            return set(listed(rig, query)) & ports

        assert ports_of("") == ports
        assert ports_of("&route=only1.ch") == {first}
        assert ports_of("&cluster=ose2") == {second} | ({app} if made[0].answer.field("cluster") == "ose2" else set())
        assert first in ports_of(f"&cluster=ose1&host={router}")
        assert first in ports_of(f"&host=ose1/router-{router.rsplit('.', 1)[1]}")
        assert ports_of("&client=198.19.0.0/16") == {second}
        assert ports_of("&min_age=1h") == set()
        await_true(lambda: ports_of("&min_age=2") == ports, 10, "they are older than 2 s")
        assert connections(rig, "&route=only1.ch&client=198.19.0.0/16")["total"] == 0
    for query, status in (("cluster=nix", 404), ("host=nix", 400), ("host=ose1/nix", 404), ("route=nix.ch", 404),
                          ("client=10.0.0.1/8", 400), ("min_age=soon", 400), ("limit=1001", 400), ("age=1", 400)):
        assert rig.api("GET", f"/api/v1/connections?{query}")[0] == status, query


def test_close_resets_both_sides(rig: Rig) -> None:
    """What is closed gets RST at the client and at the router host; what does not fit the filter lives on."""
    rig.start(fresh=True)
    with held(("only1.ch", "198.18.2.1"), ("only1.ch", "198.18.2.2"), ("only2.ch", "198.18.2.3")) as made:
        one, two, other = made
        before = established(one.router)
        assert close(rig, {"client": "198.18.2.1"}, "?dry_run=true") == 1
        one.ask()
        assert close(rig, {"client": "198.18.2.1"}, "?reason=test") == 1
        assert was_reset(one)
        await_true(lambda: len(established(one.router)) < len(before), 5, "the router host has lost the connection")
        two.ask()
        assert close(rig, {"ids": [listed(rig)[port_of(two)]["id"]]}) == 1
        assert was_reset(two)
        other.ask()
        assert close(rig, {"route": "only2.ch", "min_age": "1h"}) == 0
        assert close(rig, {"route": "only2.ch"}) == 1
        assert was_reset(other)
    events = [one for one in rig.get("/api/v1/events?kind=connections_closed")["events"]]
    assert "1 connection closed (client 198.18.2.1)" in events[-1]["text"] and events[-1]["reason"] == "test", events
    assert rig.totals()["ended_closed"] == 3
    for body, status in (({}, 400), ({"ids": []}, 400), ({"ids": ["x"]}, 400), ({"cluster": "nix"}, 404),
                         ({"ids": [1], "cluster": "ose1"}, 400), ({"all": True}, 400)):
        assert rig.api("POST", "/api/v1/connections/close", body)[0] == status, body


def test_several_workers_answer_as_one(rig: Rig) -> None:
    """Two workers: lists, explanations and closing are of both."""
    main_core = names.other_cores().split(",", maxsplit=1)[0]
    rig.start({"dataplane": {"lcores": f"0@{main_core},(1-2)@{names.worker_core()}", "idle": "yield"}})
    wanted = [("only1.ch", f"198.18.5.{i}") for i in range(1, 17)]
    with held(*wanted) as made:
        spliced = [worker["counters"]["flows_spliced"] for worker in rig.status()["workers"]]
        assert len(spliced) == 2 and all(spliced), spliced
        lines = listed(rig, "&client=198.18.5.0/24")
        assert set(lines) == {port_of(one) for one in made}, lines
        by_route = connections(rig, "&client=198.18.5.0/24")["by_route"]
        assert [(one["route"], one["count"]) for one in by_route] == [("only1.ch", len(wanted))], by_route
        told = explain(rig, "only1.ch")
        assert [one["worker"] for one in told["workers"]] == [0, 1], told
        assert {one["address"]: one["active"] for one in told["hosts"]} == {
            host: sum(one.router == host for one in made) for host in OSE1.hosts}, told
        assert close(rig, {"route": "only1.ch"}) == len(wanted)
        assert all(was_reset(one) for one in made)


# --- refused names ---

def unknown(rig: Rig, query: str = "") -> Any:
    """GET /api/v1/unknown"""
    return rig.get(f"/api/v1/unknown?limit=1000{query}")


def refuse_http(name: str, source: str = "") -> None:
    """A request for a name that is not served."""
    answer = client.fetch(name, source=source)
    assert answer.status == 404, (name, answer)


def test_refused_names_are_counted(rig: Rig) -> None:
    """Host and SNI, with their reason, listener, number and last client."""
    rig.start(fresh=True)
    for i in range(3):
        refuse_http("nobody.ch", f"198.18.3.{i + 1}")
    for name in ("ghost.ch", "ghost.ch"):
        with client.connect(443) as sock, contextlib.suppress(OSError), rig.tls.wrap_socket(sock, server_hostname=name):
            raise AssertionError(f"{name} was served")
    with client.connect(80) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a b\x01\r\n\r\n")
        sock.recv(4096)

    def entries() -> dict[tuple, dict]:
        return {(one["name"], one["reason"], one["listener"]): one for one in unknown(rig)["names"]}

    await_true(lambda: len(entries()) == 3, 5, "three entries")
    found = entries()
    nobody, ghost = found["nobody.ch", "unknown_name", "http"], found["ghost.ch", "unknown_name", "https"]
    assert (nobody["count"], nobody["last_client"]) == (3, "198.18.3.3"), nobody
    assert nobody["first_at"] <= nobody["last_at"], nobody
    assert (ghost["count"], ghost["last_client"]) == (2, names.CLIENT_ADDRESS), ghost
    assert found[None, "malformed", "http"]["count"] == 1, found
    assert [one["name"] for one in unknown(rig, "&search=HOST")["names"]] == ["ghost.ch"]


def test_a_scanner_does_not_push_out_other_names(rig: Rig) -> None:
    rig.start(fresh=True)
    refuse_http("forgotten.ch")
    for i in range(REFUSED_KEPT_OF_SOURCE + 30):
        refuse_http(f"guess-{i}.ch", SCANNER)
    await_true(lambda: unknown(rig)["left_out"] == 30, 5, "the scanner's oldest names have made room")
    found = [one["name"] for one in unknown(rig)["names"]]
    assert len(found) == REFUSED_KEPT_OF_SOURCE + 1 and "forgotten.ch" in found, found
    assert found[0] == f"guess-{REFUSED_KEPT_OF_SOURCE + 29}.ch" and "guess-0.ch" not in found, found


# --- explain ---

def explain(rig: Rig, host: str, query: str = "") -> Any:
    """GET /api/v1/explain"""
    return rig.get(f"/api/v1/explain?host={host}{query}")


def test_explanations_come_true(rig: Rig) -> None:
    """What is explained is what the next connection gets, cluster and router host."""
    rig.start(fresh=True)
    seen = set()
    for i in range(100):
        name = ("app1.ch", "only1.ch", "x.wild.ch")[i % 3]
        told = explain(rig, name, "&listener=http")
        assert told["decision"] == "elected", told
        answer = client.fetch(name)
        assert (told["elected"]["cluster"], told["elected"]["address"]) == \
            (answer.field("cluster"), answer.field("router")), (i, told, answer)
        seen.add(answer.field("router"))
        await_true(lambda: all(host["active"] == 0 for host in rig.hosts().values()), 5, "nothing is active")
    assert seen == set(names.HOSTS), seen


def test_an_explanation_has_the_numbers(rig: Rig) -> None:
    rig.start()
    with held(("only1.ch", "")) as (one,):
        told = explain(rig, "only1.ch", "&from=192.0.2.1")
        other = next(host for host in OSE1.hosts if host != one.router)
        assert told["elected"]["address"] == other, told
        assert (told["listener"], told["from"], told["route"]) == ("http", "192.0.2.1", "only1.ch"), told
        active = {host["address"]: host["active"] for host in told["hosts"]}
        assert active == {one.router: 1, other: 0}, told
        assert "only1.ch goes to cluster ose1" in told["text"] and "fewest of 2" in told["text"], told
    both = explain(rig, "app1.ch")
    assert {one["cluster"]: one["weight_origin"] for one in both["clusters"]} == \
        {"ose1": "static", "ose2": "static"}, both
    assert sum(one["turn"] for one in both["clusters"]) == 1, both
    assert explain(rig, "y.wild.ch")["route"] == "*.wild.ch"
    assert explain(rig, names.PASSTHROUGH)["listener"] == "https"


def test_explanations_of_what_is_refused(rig: Rig) -> None:
    """Unknown, not served on this listener, weight 0, nothing healthy."""
    rig.start(fresh=True)
    told = explain(rig, "only11.ch")
    assert told["decision"] == "unknown_name" and "only1.ch" in told["text"], told
    told = explain(rig, names.PASSTHROUGH, "&listener=http")
    assert told["decision"] == "not_served" and client.fetch(names.PASSTHROUGH).status == 503, told
    rig.api("PUT", "/api/v1/routes/only2.ch/clusters/ose2/weight", {"weight": 0})
    await_true(lambda: explain(rig, "only2.ch")["decision"] == "unhealthy", 5, "the weight is applied")
    told = explain(rig, "only2.ch")
    assert "its weight is 0, by override" in told["clusters"][0]["why"], told
    assert client.fetch("only2.ch").status == 503
    for host in OSE1.hosts:
        rig.host_stop(host)
    await_true(lambda: explain(rig, "only1.ch")["decision"] == "unhealthy", 15, "ose1 is down")
    told = explain(rig, "only1.ch")
    assert "nothing healthy" in told["text"] and "down" in told["text"], told
    assert all(not host["usable"] and "down" in host["why"] for host in told["hosts"]), told
    for query, status in (("", 400), ("host=a_b%20c", 400), ("host=a.ch&from=x", 400), ("host=a.ch&listener=x", 404)):
        assert rig.api("GET", f"/api/v1/explain?{query}")[0] == status, query


def test_explanations_of_what_is_kept_out(rig: Rig) -> None:
    """A parked Route, one of a foreign namespace, a router host that drains: named, and left out."""
    parked, foreign = watched.name("parked"), watched.name("foreign")
    both = watched.begin(rig, [watched.route(parked), watched.route(foreign)])
    both.two.create(watched.route(parked))
    both.two.create(watched.route(foreign, namespace="thief", weight=100))
    both.await_weights(parked, ose1=100, ose2=0)
    both.await_weights(foreign, ose1=100, ose2=0)
    for host, word in ((parked, "parked"), (foreign, "conflict")):
        told = explain(rig, host)
        why = {one["cluster"]: one["why"] for one in told["clusters"]}
        assert word in why["ose2"] and why["ose1"] is None, told
        assert told["elected"]["cluster"] == "ose1" and "the only one that can take it" in told["text"], told
    draining = rig.hosts()[OSE1.hosts[0]]["name"]
    status, answer = rig.api("POST", f"/api/v1/hosts/ose1/{draining}/drain?reason=kernel", {})
    assert status == 200, (status, answer)
    await_true(lambda: explain(rig, parked)["elected"]["address"] == OSE1.hosts[1], 5, "it is left out")
    told = {one["address"]: one for one in explain(rig, parked)["hosts"]}[OSE1.hosts[0]]
    assert told["why"] == "draining by loopback@127.0.0.1 (kernel)" and told["healthy"] and not told["usable"], told


# --- probes ---

def probe(rig: Rig, cluster: str, body: dict) -> list[dict]:
    """POST /api/v1/clusters/{c}/probe"""
    status, answer = rig.api("POST", f"/api/v1/clusters/{cluster}/probe", body)
    assert status == 200, (status, answer)
    return answer["results"]


def test_probe_asks_every_router_host(rig: Rig) -> None:
    rig.start(fresh=True)
    results = probe(rig, "ose1", {"host": "only1.ch"})
    assert [one["address"] for one in results] == list(OSE1.hosts), results
    for one in results:
        assert one["ok"] and one["https"] and (one["status"], one["error"]) == (200, None), one
        assert "only1.ch" in one["certificate"]["names"] and one["certificate"]["matches"], one
        assert one["certificate"]["days_left"] > 300 and 0 < one["connect_ms"] <= one["time_ms"] < 5000, one
    plain = probe(rig, "ose1", {"host": "x.wild.ch", "https": False, "router": "router-12", "path": "/bytes/200000"})
    assert [(one["status"], one["port"], one["certificate"]) for one in plain] == [(200, 80, None)], plain
    wrong = probe(rig, "ose1", {"host": "only2.ch", "https": True})
    assert all(not one["ok"] and not one["certificate"]["matches"] for one in wrong), wrong
    rig.host_stop(OSE1.hosts[0])
    results = {one["address"]: one for one in probe(rig, "ose1", {"host": "only1.ch"})}
    assert results[OSE1.hosts[0]]["error"] == "the connect was refused" and not results[OSE1.hosts[0]]["ok"], results
    assert results[OSE1.hosts[1]]["ok"], results
    assert "1 of 2 router hosts answered well" in rig.get("/api/v1/events?kind=probed")["events"][0]["text"]
    for body in ({"host": "a b"}, {}, {"host": "only1.ch", "path": "x"}, {"host": "only1.ch", "path": "/\r\nX: y"}):
        assert rig.api("POST", "/api/v1/clusters/ose1/probe", body)[0] == 400, body
    assert rig.api("POST", "/api/v1/clusters/nix/probe", {"host": "only1.ch"})[0] == 404


def expired_certificate(directory: str, name: str) -> tuple[str, str]:
    """A self-signed certificate whose time is over, and its key."""
    key, request, certificate = (f"{directory}/expired.{kind}" for kind in ("key", "csr", "pem"))
    for argv in (("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                  request, "-subj", f"/CN={name}"),
                 ("x509", "-req", "-in", request, "-signkey", key, "-days", "-1", "-out", certificate)):
        subprocess.run(("openssl", *argv), check=True, capture_output=True)
    return certificate, key


def test_probe_sees_an_expired_certificate_on_a_staged_cluster(rig: Rig) -> None:
    rig.start(fresh=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*expired_certificate(rig.run_dir, "old.ch"))
    with netns.inside(OSE1.namespace):
        listener = socket.create_server((OSE1.hosts[0], 9443))

    def serve() -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as sock, context.wrap_socket(sock, True) as secure:
            secure.recv(4096)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    host = {"name": "r1", "address": OSE1.hosts[0], "https_port": 9443}
    assert rig.api("PUT", "/api/v1/clusters/new", {"source": "static", "state": "staged", "hosts": [host]})[0] == 201
    with contextlib.closing(listener):
        (one,) = probe(rig, "new", {"host": "old.ch", "https": True})
    thread.join()
    assert (one["status"], one["ok"], one["error"]) == (200, False, "the certificate has expired"), one
    assert one["certificate"]["days_left"] < 0, one


# --- the connection log ---

def log_lines(path: str) -> list[dict]:
    """The lines of a connection log in JSON; none without a file."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as file:
        return [json.loads(line) for line in file]


def curl_sizes(rig: Rig, name: str, path: str, number: int) -> list[tuple[int, int]]:
    """`number` requests on connections of their own: bytes out and in as curl counted them."""
    form = "%{size_request} %{size_header} %{size_download}\\n"
    urls = [word for i in range(number) for word in ("-o", "/dev/null", f"http://{name}{path}?{i}")]
    out = rig.curl(names.CLIENT, "-H", "Connection: close", "-w", form, *urls)
    return [(int(sent), int(head) + int(body)) for sent, head, body in map(str.split, out.splitlines())]


def test_every_connection_has_its_line(rig: Rig) -> None:
    """With "full": as many lines as connections, each with the bytes that curl has counted."""
    path = f"{rig.run_dir}/connections.log"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    rig.start({"log": {"connections": "full", "format": "json", "connections_file": path}})
    sizes = curl_sizes(rig, "log.wild.ch", "/bytes/5000", MANY)
    refuse_http("nobody.ch")
    await_true(lambda: log_lines(path) and log_lines(path)[-1]["name"] == "nobody.ch", 10, "the last line")
    lines = [one for one in log_lines(path) if one["name"] == "log.wild.ch"]
    assert len(lines) == MANY, (len(lines), log_lines(path))
    assert sorted((one["bytes_in"], one["bytes_out"]) for one in lines) == sorted(sizes), (lines, sizes)
    for one in lines:
        assert (one["listener"], one["route"], one["cluster"], one["attempts"]) == ("http", "*.wild.ch", "ose1", 1), one
        assert one["why"] == "fin" and one["router"].split(":")[0] in OSE1.hosts, one
        assert one["client"].startswith(f"{names.CLIENT_ADDRESS}:"), one
    refused = log_lines(path)[-1]
    assert (refused["name"], refused["why"], refused["cluster"]) == ("nobody.ch", "unknown_name", None), refused
    os.rename(path, f"{path}.1")
    sent = 0

    def seen_anew() -> bool:
        nonlocal sent
        sent += client.fetch("only2.ch").status == 200
        return bool(log_lines(path))

    await_true(seen_anew, 10, "a new file after it was moved")
    await_true(lambda: [one["name"] for one in log_lines(f"{path}.1") + log_lines(path)].count("only2.ch") >= sent, 10,
               "every line is in one of both")


def test_a_stopped_control_slows_nothing_and_losses_are_counted(rig: Rig) -> None:
    """The ring of records fills while nobody takes them; the dataplane goes on and counts."""
    path = f"{rig.run_dir}/connections.log"
    rig.start({"log": {"connections": "full", "format": "json", "connections_file": path}}, fresh=True)
    lost_before, lines_before = rig.totals()["record_lost"], len(log_lines(path))
    count = 5000
    with rig.frozen(CONTROL):
        result = traffic.Load("only1.ch", threads=8, count=count).run()
    assert result.requests == count and not result.errors, result
    assert result.slower_than(1.0) == 0, result
    await_true(lambda: len(log_lines(path)) - lines_before + rig.totals()["record_lost"] - lost_before >= count, 20,
               "every connection is logged or counted as lost")
    assert rig.totals()["record_lost"] > lost_before, "the ring is smaller than that"
    assert len(log_lines(path)) - lines_before > 1000, "what fitted was logged"


def test_a_stopped_dataplane_is_said_in_time(rig: Rig) -> None:
    rig.start()
    with rig.frozen(DATAPLANE):
        for path in ("/api/v1/connections", "/api/v1/explain?host=only1.ch"):
            status, body = rig.api("GET", path, timeout=4)
            assert status == 503 and "has not answered within 2 s" in body["detail"], (status, body)
    assert explain(rig, "only1.ch")["decision"] == "elected"


def test_what_a_stopped_dataplane_was_to_close_lives_on(rig: Rig) -> None:
    """An order that was answered 503 is not carried out later."""
    rig.start()
    with held(("only1.ch", "198.18.2.1")) as (one,):
        with rig.frozen(DATAPLANE):
            status, body = rig.api("POST", "/api/v1/connections/close", {"route": "only1.ch"}, timeout=4)
            assert status == 503 and "has not answered within 2 s" in body["detail"], (status, body)
        assert rig.api("GET", "/api/v1/explain?host=only1.ch")[0] == 200  # it has taken what lay in its ring
        one.ask()
        await_true(lambda: rig.api("POST", "/api/v1/connections/close", {"route": "only1.ch"})[0] == 200, 5,
                   "orders count again")
        assert was_reset(one)


def test_without_a_dataplane_it_says_so(rig: Rig) -> None:
    rig.start(fresh=True)
    rig.dirty = True
    rig.programs.stop(DATAPLANE)
    await_true(lambda: rig.status()["dataplane"]["state"] != "ready", 10, "control has noticed")
    for path in ("/api/v1/connections", "/api/v1/explain?host=only1.ch"):
        status, body = rig.api("GET", path)
        assert status == 503 and "no dataplane is ready" in body["detail"], (status, body)
    assert "ose1 (weight" in rig.api("GET", "/api/v1/explain?host=only1.ch")[1]["detail"]
    assert rig.api("POST", "/api/v1/connections/close", {"cluster": "ose1"})[0] == 503
    assert probe(rig, "ose1", {"host": "only1.ch"})[0]["ok"]
    assert unknown(rig)["total"] == 0
