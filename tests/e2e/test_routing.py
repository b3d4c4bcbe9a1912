"""Which cluster and router host a connection reaches: by name, by weight, by active connections; and from where."""

from __future__ import annotations

import hashlib
import ssl
from collections import Counter

import traffic
import wire
from demonet import app, client, names
from demonet.supervisor import await_true
from rig import Rig
from scale import scale

OSE1, OSE2 = names.CLUSTERS


def raw_request(target: str, host: str) -> client.Answer:
    """A request whose first line and Host field are exactly these."""
    return wire.exchange(80, f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()).http


def trusting(rig: Rig) -> ssl.SSLContext:
    """A TLS client that is content with a certificate for another name."""
    context = client.trust(rig.run_dir)
    context.check_hostname = False
    return context


def test_http_reaches_the_cluster_of_its_host(rig: Rig) -> None:
    rig.start()
    for name, cluster in (("only1.ch", "ose1"), ("only2.ch", "ose2"), ("any.wild.ch", "ose1")):
        for _ in range(10):
            answer = client.fetch(name)
            assert (answer.status, answer.field("cluster"), answer.field("host")) == (200, cluster, name), answer


def test_https_reaches_the_cluster_of_its_sni(rig: Rig) -> None:
    rig.start()
    for name, cluster in (("only1.ch", "ose1"), ("only2.ch", "ose2"), ("any.wild.ch", "ose1")):
        for _ in range(10):
            answer = client.fetch(name, tls=rig.tls)
            assert (answer.status, answer.field("cluster"), answer.field("host")) == (200, cluster, name), answer


def test_passthrough_is_not_decrypted_on_the_way(rig: Rig) -> None:
    """The certificate is the application's own, and both clusters get their half."""
    rig.start()
    seen: Counter[str] = Counter()
    for _ in range(20):
        with client.connect(443) as sock, rig.tls.wrap_socket(sock, server_hostname=names.PASSTHROUGH) as secure:
            subject = dict(pair[0] for pair in secure.getpeercert()["subject"])
            answer = client.request(secure, names.PASSTHROUGH, headers={"Connection": "close"})
        assert subject["commonName"] == names.PASSTHROUGH, subject
        assert answer.field("cluster") == subject["organizationName"], (answer, subject)
        seen[answer.field("cluster")] += 1
    assert seen == {"ose1": 10, "ose2": 10}, seen


def test_names_are_compared_as_the_standards_say(rig: Rig) -> None:
    """Upper case, a port, a trailing dot, an absolute-form target; in TLS case and the dot."""
    rig.start()
    for target, host in (("/", "ONLY1.CH"), ("/", "only1.ch:80"), ("/", "only1.ch:8080"), ("/", "only1.ch."),
                         ("/", "Only1.Ch.:80"), ("http://only1.ch/", "only1.ch"), ("http://ONLY1.ch:80/", "only1.ch")):
        answer = raw_request(target, host)
        assert (answer.status, answer.field("cluster")) == (200, "ose1"), (target, host, answer)
    for name in ("ONLY2.CH", "Only2.Ch", "only2.ch."):
        answer = client.fetch(name, tls=trusting(rig))
        assert (answer.status, answer.field("cluster")) == (200, "ose2"), (name, answer)


def test_wildcard_covers_exactly_one_label(rig: Rig) -> None:
    rig.start()
    for name, status in (("a.wild.ch", 200), ("A-1.WILD.ch", 200), ("wild.ch", 404), ("a.b.wild.ch", 404),
                         ("xwild.ch", 404)):
        assert client.fetch(name).status == status, name


def test_900_connections_are_split_by_the_weights(rig: Rig) -> None:
    """10 to 80: of 900 new connections 100 go to ose1."""
    rig.start()
    count = scale("weighted_connections")
    result = traffic.Load("app1.ch", count=count).run()
    assert not result.errors, result
    to_ose1 = sum(result.routers[host] for host in OSE1.hosts)
    assert abs(to_ose1 - count / 9) <= 1, result


def test_weights_count_over_http_and_tls_together(rig: Rig) -> None:
    """Every run of 9 connections has exactly one for ose1, in whichever way they come."""
    rig.start()
    seen = [client.fetch("app1.ch", tls=rig.tls if number % 2 else None).field("cluster") for number in range(45)]
    for first in range(0, 45, 9):
        assert seen[first:first + 9].count("ose1") == 1, seen


def test_fewest_active_connections_win(rig: Rig) -> None:
    """30 held connections, then those of one host closed: of 20 more each goes to the host that has fewer."""
    rig.start()
    first, second = OSE1.hosts
    held = [traffic.Held("only1.ch") for _ in range(30)]
    rig.defer(lambda: [one.close() for one in held])
    assert Counter(one.router for one in held) == {first: 15, second: 15}
    for one in held:
        if one.router == first:
            one.close()
    held[:] = [one for one in held if one.router == second]
    await_true(lambda: rig.hosts()[first]["active"] == 0, 5, f"{first} has no active connection")
    for _ in range(20):
        before = Counter(one.router for one in held)
        held.append(traffic.Held("only1.ch"))
        assert before[held[-1].router] == min(before[first], before[second]), (held[-1].router, before)
    counts = Counter(one.router for one in held)
    assert abs(counts[first] - counts[second]) <= 1, counts
    hosts = rig.hosts()
    assert {host: hosts[host]["active"] for host in OSE1.hosts} == counts, hosts
    assert all(one.ask().status == 200 for one in held)


def _call_from(rig: Rig, namespace: str, source: str) -> None:
    """app1.ch over HTTP and TLS from a machine of the router hosts' own network, and 10 MB."""
    for tls in (None, rig.tls):
        seen: Counter[str] = Counter()
        for _ in range(scale("calls_from_router_hosts")):
            answer = client.fetch("app1.ch", tls=tls, namespace=namespace, source=source)
            assert answer.status == 200, answer
            seen[answer.field("router")] += 1
        assert set(seen) == set(names.HOSTS), (namespace, seen)
        size = 10_000_000
        body = client.fetch("app1.ch", f"/bytes/{size}", tls=tls, namespace=namespace, source=source).body
        assert hashlib.sha256(body).hexdigest() == app.stream_digest(size), (namespace, tls, len(body))


def test_router_host_of_ose1_is_a_client(rig: Rig) -> None:
    """The caller is also among the elected hosts."""
    rig.start()
    _call_from(rig, names.OSE1, OSE1.hosts[0])


def test_router_host_of_ose2_is_a_client(rig: Rig) -> None:
    rig.start()
    _call_from(rig, names.OSE2, OSE2.hosts[0])


def test_router_host_calls_a_name_that_only_it_serves(rig: Rig) -> None:
    """The neighbour is down: every connection comes back to its caller, over HTTP and TLS, 10 MB too."""
    rig.start()
    caller, neighbour = OSE1.hosts
    rig.host_stop(neighbour)
    for tls in (None, rig.tls):
        for _ in range(scale("calls_from_router_hosts")):
            answer = client.fetch("only1.ch", tls=tls, namespace=names.OSE1, source=caller)
            assert (answer.status, answer.field("router")) == (200, caller), answer
        size = 10_000_000
        body = client.fetch("only1.ch", f"/bytes/{size}", tls=tls, namespace=names.OSE1, source=caller).body
        assert hashlib.sha256(body).hexdigest() == app.stream_digest(size), (tls, len(body))
