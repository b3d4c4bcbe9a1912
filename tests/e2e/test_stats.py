"""What is counted: the scrape as Prometheus' own parsers read it, the last two minutes, events and the stream, against
what was sent, and over the deaths of both programs."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import signal
import sys
from typing import Any, Callable

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's python3-prometheus-client, whichever python3 runs this

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families as read_classic  # noqa: E402

from demonet import client, names, netns  # noqa: E402
from demonet.supervisor import await_true  # noqa: E402
from rig import CONTROL, DATAPLANE, ROOT, Rig  # noqa: E402
from stream import Stream  # noqa: E402
from traffic import Held, Load  # noqa: E402

SENT = 120
POINTS = 120
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PAGES = 100
PAGES_SECONDS = 6

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def get_text(path: str, accept: str = "") -> tuple[str, str]:
    """The body of a GET as text, and its Content-Type."""
    connection = http.client.HTTPConnection("127.0.0.1", names.ADMIN_PORT, timeout=10)
    with netns.inside(names.EDGE):
        connection.connect()
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Accept": accept} if accept else {})
        response = connection.getresponse()
        body = response.read().decode()
        assert response.status == 200, (response.status, body[:300])
        return body, response.headers["Content-Type"]


def scrape(accept: str = OPENMETRICS, query: str = "") -> Samples:
    """(name, labels) -> value, as the parser for the format reads it."""
    body, kind = get_text(f"/metrics{query}", accept)
    assert kind.startswith("application/openmetrics-text" if accept == OPENMETRICS else "text/plain"), kind
    read = read_openmetrics if accept == OPENMETRICS else read_classic
    samples: Samples = {}
    for family in read(body):
        assert family.documentation, f"{family.name} has no help"
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in samples, f"{key} twice"
            samples[key] = sample.value
    return samples


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum of all samples of this name with these labels."""
    found = [value for (one, pairs), value in samples.items() if one == name and labels.items() <= dict(pairs).items()]
    assert found, f"no {name} {labels}"
    return sum(found)


def grown(before: Samples, after: Samples, name: str, **labels: str) -> float:
    """By how much that has grown."""
    return total(after, name, **labels) - total(before, name, **labels)


def await_samples(condition: Callable[[Samples], bool], what: str) -> Samples:
    """The first scrape for which the condition holds."""
    def look() -> Samples | None:
        samples = scrape()
        return samples if condition(samples) else None
    return await_true(look, 10, what, 0.2)


def await_second(rig: Rig, count: int = 1) -> dict:
    """GET /api/v1/stats after `count` more full seconds were sampled."""
    last = rig.get("/api/v1/stats")["times"][-1]

    def look() -> Any:
        stats = rig.get("/api/v1/stats")
        return stats if stats["times"][-1] >= last + 1000 * count else None
    return await_true(look, count + 5, "a second is sampled", 0.1)


def await_sampled(rig: Rig) -> None:
    """Waits until a second was compared with the one before: growth is known from here on."""
    await_true(lambda: rig.get("/api/v1/stats")["totals"]["new"][-1] is not None, 10, "growth is known", 0.1)


def known(points: list) -> list:
    """Those that are not null."""
    return [point for point in points if point is not None]


def since(stats: dict, points: list, start: int) -> list:
    """The points behind this time (Unix ms)."""
    return known([point for at, point in zip(stats["times"], points) if at > start])


def assert_frame(stats: dict) -> None:
    """120 points, a second apart, none of them negative."""
    times = stats["times"]
    assert len(times) == stats["points"] == POINTS and stats["interval_ms"] == 1000
    assert all(later - sooner == 1000 for sooner, later in zip(times, times[1:])), times
    assert times[-1] % 1000 == 0


def test_scrape(rig: Rig) -> None:
    """Both formats are clean, and counters grow by what was sent."""
    rig.start()
    before = scrape()
    classic = scrape("text/plain")
    assert {name for name, _ in classic} == {name for name, _ in before}
    result = Load("app1.ch", count=SENT).run()
    assert not result.errors, result
    for _ in range(5):
        assert client.fetch("unknown.example").status == 404
    after = await_samples(lambda now: grown(before, now, "pointsman_connections_ended_total") >= SENT, "all have ended")
    assert grown(before, after, "pointsman_connection_steps_total", step="spliced") == SENT
    assert grown(before, after, "pointsman_host_connections_total") == SENT
    assert grown(before, after, "pointsman_route_connections_total", route="app1.ch") == SENT
    assert grown(before, after, "pointsman_answers_total", reason="unknown_name") == 5
    for host, answered in result.routers.items():
        labels = {"address": f"{host}:80"} if ":" not in host else {}
        if any(dict(pairs).get("address") == f"{host}:80" for _, pairs in after):
            assert grown(before, after, "pointsman_host_connections_total", **labels) == answered, host
    assert total(after, "pointsman_dataplane_state", state="ready") == 1
    assert total(after, "pointsman_vip_held") == 2
    assert total(after, "pointsman_host_healthy") == len(rig.hosts())
    assert total(after, "pointsman_revision") == total(after, "pointsman_applied_revision")
    with contextlib.closing(Held("app1.ch")):
        held = scrape()
        assert total(held, "pointsman_host_active") == total(held, "pointsman_cluster_active") >= 1
        assert total(held, "pointsman_route_active", route="app1.ch") >= 1
    assert not any(name.startswith("pointsman_route_") for name, _ in scrape(query="?routes=false"))


def test_dashboard_and_alerts_name_what_there_is(rig: Rig) -> None:
    """Every metric, and every value of a label, that docs/ asks for is in a scrape."""
    rig.start()
    samples = scrape()
    there = {name for name, _ in samples}
    values = {(label, value) for _, pairs in samples for label, value in pairs}
    families = {family.name for family in read_openmetrics(get_text("/metrics", OPENMETRICS)[0])}
    texts = {}
    for path in ("docs/grafana-dashboard.json", "docs/alerts.yaml"):
        with open(f"{ROOT}/{path}", encoding="utf-8") as file:
            texts[path] = file.read()
    dashboard = json.loads(texts["docs/grafana-dashboard.json"])
    asked = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", []))
    asked += " ".join(one["query"]["query"] for one in dashboard["templating"]["list"] if one["type"] == "query")
    asked += " ".join(line for line in texts["docs/alerts.yaml"].splitlines() if "summary" not in line)
    wanted = set(re.findall(r"\bpointsman_[a-z_]+", asked))
    # Clusters that are watched, and TLS, have samples only when there are some.
    lacking = {name for name in wanted - there if name.removesuffix("_total") not in families}
    assert wanted and not lacking, lacking
    for label, operator, text in re.findall(r'\b(reason|state|step|limit|admin|kind)(=~?)"([^"$]*)"', asked):
        for value in text.split("|") if operator == "=~" else [text]:
            assert (label, value) in values, (label, value)
    with open(f"{ROOT}/docs/operations.md", encoding="utf-8") as file:
        headings = {re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").strip().lower()).replace(" ", "-")
                    for line in file if line.startswith("#")}
    sections = set(re.findall(r"docs/operations\.md#([a-z0-9-]+)", texts["docs/alerts.yaml"]))
    assert sections and sections <= headings, sections - headings


def test_alerts_fire_when_they_should(_: Rig) -> None:
    """Prometheus' own tool plays series to the alert rules."""
    seen = subprocess.run(["promtool", "test", "rules", f"{ROOT}/tests/data/alerts_test.yaml"], capture_output=True,
                          text=True, check=False, timeout=60)
    assert seen.returncode == 0, seen.stdout + seen.stderr


def test_history(rig: Rig) -> None:
    """120 points whose sums are what was sent, in all of totals, clusters, router hosts and routes."""
    rig.start()
    await_sampled(rig)
    start = await_second(rig)["times"][-1]
    assert not Load("app1.ch", count=SENT).run().errors
    for _ in range(3):
        assert client.fetch("unknown.example").status == 404
    stats = await_second(rig, 2)
    assert_frame(stats)
    assert sum(since(stats, stats["totals"]["new"], start)) == SENT
    assert sum(since(stats, stats["totals"]["refused"], start)) == 3
    assert stats["totals"]["healthy_hosts"][-1] == len(rig.hosts()) and stats["totals"]["unhealthy_hosts"][-1] == 0
    # What the clients sent and got is on the wire of the north, with its headers, and less than what both ports saw.
    assert sum(since(stats, stats["totals"]["bytes_in"], start)) > SENT * 5 * 60
    assert sum(since(stats, stats["totals"]["bytes_out"], start)) > SENT * 5 * 60
    clusters = {name: rig.get(f"/api/v1/stats/clusters/{name}") for name in ("ose1", "ose2")}
    assert sum(sum(since(one, one["new"], start)) for one in clusters.values()) == SENT
    hosts = [rig.get(f"/api/v1/stats/hosts/{host['cluster']}/{host['address']}") for host in rig.hosts().values()]
    assert sum(sum(since(one, one["new"], start)) for one in hosts) == SENT
    for one in (*clusters.values(), *hosts):
        assert_frame(one)
    route = rig.get("/api/v1/stats/routes/app1.ch")
    assert_frame(route)
    by_cluster = {name: sum(since(route, one["new"], start)) for name, one in route["clusters"].items()}
    assert sum(by_cluster.values()) == SENT
    shown = rig.get("/api/v1/routes/app1.ch")["route"]
    assert shown["recent"] >= SENT
    for share in shown["clusters"]:
        assert share["recent"] >= by_cluster[share["cluster"]]


def await_ready_again(rig: Rig) -> None:
    """Until the dataplane is ready and growth is known again."""
    def ready() -> bool:
        return rig.status()["dataplane"]["state"] == "ready" and \
            rig.get("/api/v1/stats")["totals"]["new"][-1] is not None
    await_true(ready, 20, "the dataplane is back and sampled", 0.2)


def test_history_over_deaths(rig: Rig) -> None:
    """Neither program's death makes a negative or giant point; what was known at control's last good end is kept."""
    rig.start()
    await_sampled(rig)
    start = await_second(rig)["times"][-1]
    assert not Load("app1.ch", count=SENT).run().errors
    await_second(rig, 2)
    rig.signal(DATAPLANE, signal.SIGKILL)
    await_true(lambda: rig.status()["dataplane"]["state"] != "ready", 5, "control has noticed", 0.02)
    await_ready_again(rig)
    rig.await_ready()
    second = await_second(rig)["times"][-1]
    assert not Load("app1.ch", count=SENT).run().errors
    stats = await_second(rig, 2)
    assert_frame(stats)
    assert sum(since(stats, stats["totals"]["new"], second)) == SENT
    everything = since(stats, stats["totals"]["new"], start)
    assert SENT * 2 <= sum(everything) < SENT * 3 and min(everything) >= 0, everything
    for points in stats["totals"].values():
        assert min(known(points)) >= 0 and max(known(points)) < 1 << 40, points
    before = stats["times"][-1]

    rig.programs.stop(CONTROL)
    rig.programs.start(CONTROL)
    await_ready_again(rig)
    stats = await_second(rig)
    assert_frame(stats)
    kept = [point for at, point in zip(stats["times"], stats["totals"]["new"]) if second < at <= before]
    assert sum(known(kept)) == SENT, kept
    assert max(since(stats, stats["totals"]["new"], before), default=0) < SENT / 2

    rig.signal(CONTROL, signal.SIGKILL)
    await_ready_again(rig)
    stats = await_second(rig)
    assert_frame(stats)
    assert max(known(stats["totals"]["new"])) <= SENT, stats["totals"]["new"]
    assert None in stats["totals"]["new"][-10:] and stats["totals"]["healthy_hosts"][-1] is not None


def test_events(rig: Rig) -> None:
    """Who changed what, and why; found by every filter, and still there after a kill."""
    rig.start()
    last = rig.get("/api/v1/events?limit=1")["last"]
    status, body = rig.api("PUT", "/api/v1/routes/app1.ch/clusters/ose1/weight?reason=too%20hot", {"weight": 7})
    assert status == 200, body
    events = rig.get(f"/api/v1/events?since={last}&search=too%20hot")["events"]
    assert len(events) == 1, events
    event = events[0]
    assert event["reason"] == "too hot" and event["revision"] == body["revision"], event
    assert event["object"]["kind"] == "route" and event["object"]["name"] == "app1.ch", event
    assert event["who"].startswith("loopback@"), event
    for query in (f"kind={event['kind']}", "object=app1.ch", "object=route", "search=app1"):
        found = rig.get(f"/api/v1/events?since={last}&{query}")["events"]
        assert event in found, (query, found)
    assert not rig.get(f"/api/v1/events?since={event['id']}&kind={event['kind']}")["events"]
    rig.signal(CONTROL, signal.SIGKILL)
    await_true(lambda: rig.status()["dataplane"]["state"] == "ready", 10, "control is back", 0.2)
    assert event in rig.get(f"/api/v1/events?since={last}")["events"]
    assert rig.get("/api/v1/events")["last"] >= event["id"]


def test_json_log(rig: Rig) -> None:
    """With log.format json each line of both programs is a JSON object, and events have their fields."""
    rig.start({"log": {"format": "json"}}, fresh=True)
    weight = "/api/v1/routes/app1.ch/clusters/ose1/weight"
    assert rig.api("PUT", f"{weight}?reason=%22%0a%ff%3Cb%3E", {"weight": 9})[0] == 400
    assert rig.api("PUT", f"{weight}?reason=%22%0a%3Cb%3E", {"weight": 9})[0] == 200
    lines = {name: [json.loads(line) for line in rig.log(name).splitlines() if line.startswith("{")]
             for name in (DATAPLANE, CONTROL)}
    for name, program in ((DATAPLANE, "pointsman-dataplane"), (CONTROL, "pointsman-control")):
        started = [line for line in lines[name] if line["program"] == program]
        assert len(started) >= 3, (name, lines[name])
        assert all({"at", "level", "program", "text"} <= set(line) for line in started), started
    changes = [line for line in lines[CONTROL] if line.get("name") == "app1.ch" and "reason" in line]
    assert len(changes) == 1 and changes[0]["object"] == "route" and changes[0]["revision"] == 2, changes
    assert changes[0]["who"].startswith("loopback@") and "<b>" in changes[0]["reason"], changes


def test_stream(rig: Rig) -> None:
    """Hello with the past, a tick each second with the numbers of the API, events at once, a route on demand."""
    rig.start()
    await_sampled(rig)
    with Stream() as stream:
        hello = stream.wait("hello")
        assert hello["role"] == "admin" and hello["interval_ms"] == 1000
        assert len(hello["times"]) == POINTS and len(hello["events"]) > 0
        ids = {host["id"] for host in rig.get("/api/v1/hosts")["hosts"]}
        assert set(hello["hosts"]) == ids and set(hello["clusters"]) == {"ose1", "ose2"}
        for series in (hello["totals"], *hello["hosts"].values(), *hello["clusters"].values()):
            assert all(len(points) == POINTS for points in series.values())
        first = stream.wait("tick")  # with the hello: it may have what the start has sent
        tick = stream.wait("tick", lambda one: one["at"] > first["at"])
        assert not Load("app1.ch", count=SENT).run().errors
        ticks = [stream.wait("tick", lambda one: one["at"] > tick["at"]) for _ in range(3)]
        assert [one["at"] - tick["at"] for one in ticks] == [1000, 2000, 3000], [one["at"] for one in ticks]
        assert sum(one["totals"]["new"] for one in ticks) == SENT, [one["totals"] for one in ticks]
        stats = rig.get("/api/v1/stats")
        for one in ticks:
            place = stats["times"].index(one["at"])
            for name, points in stats["totals"].items():
                assert points[place] == one["totals"][name], (name, one["at"])
            assert sum(host["new"] for host in one["hosts"]) == one["totals"]["new"]
        assert {host["id"] for host in ticks[-1]["hosts"]} == ids
        rig.api("PUT", "/api/v1/routes/app1.ch/clusters/ose2/weight", {"weight": 3})
        assert stream.wait("event")["event"]["object"]["name"] == "app1.ch"
        stream.say({"subscribe": "app1.ch"})
        first = stream.wait("route")
        assert len(first["stats"]["times"]) == POINTS and first["route"]["host"] == "app1.ch"
        second = stream.wait("route", lambda one: "point" in one)
        assert set(second["point"]) == {"ose1", "ose2"} and "stats" not in second
        stream.say({"subscribe": "not a name"})
        assert "host name" in stream.wait("error")["detail"]


def test_many_pages(rig: Rig) -> None:
    """A hundred pages and a scrape each second: no page misses a second. (What it costs: scripts/bench pages.)"""
    rig.start()
    await_sampled(rig)
    with contextlib.ExitStack() as stack:
        pages = [stack.enter_context(Stream()) for _ in range(PAGES)]
        first = [page.wait("tick")["at"] for page in pages]
        for step in range(1, PAGES_SECONDS):
            for page, at in zip(pages, first):
                assert page.wait("tick", lambda one, at=at: one["at"] > at)["at"] == at + 1000 * step
            assert total(scrape(), "pointsman_page_clients") == PAGES
