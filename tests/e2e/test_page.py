"""The web page in headless Chromium, driven as an operator does: look, log in, click, type, drag, lose the link."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import urllib.parse
from typing import Any

import watched
from browser import DESKTOP, PHONE, Browser
from demonet import apis, client, forward, names
from demonet.balancer import CONTROL, DATAPLANE
from demonet.supervisor import ENTRY, Service, await_true
from rig import Rig
from traffic import Load

OSE1, OSE2 = names.CLUSTERS
PORT = 18089  # of this machine, leads to the admin API inside of pm-edge
ROLES = ("viewer", "operator", "admin")
EVIL = "<img src=x onerror=\"window.pwned=1\">"
HOST_ID = "ose1/203.0.113.11:80"

VIEWS = ("overview", "routes", "route/app1.ch", "cluster/ose1", "host/ose1/203.0.113.11:80", "connections", "events",
         "unknown", "held", "explain?host=app1.ch", "diff?from=ose1&to=ose2")
CONTROLS = ("shift-apply", "shift-slider", "rollback", "weight-set-ose1", "cluster-drain", "cluster-offline",
            "host-drain", "host-disable", "close-all", "close-chosen", "confirm-ose1", "probe")


def secret(role: str) -> str:
    """The token of a role."""
    return f"pm_{role:_<43}"


def write_tokens(rig: Rig) -> str:
    """A token for each role, in a file of its own; returns its path."""
    path = f"{rig.run_dir}/page-tokens"
    lines = [json.dumps({"name": f"test-{role}", "role": role, "id": f"{number:016x}",
                         "sha256": hashlib.sha256(secret(role).encode()).hexdigest(),
                         "created_at": "2026-01-31T08:00:00Z"})
             for number, role in enumerate(ROLES, 1)]
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write("".join(f"{line}\n" for line in lines))
    return path


def reach(rig: Rig) -> str:
    """Makes the page reachable from this machine until the end of the test; its address."""
    port = forward.free_port(PORT, set())
    leg = forward.Forward(port, "127.0.0.1", names.ADMIN_PORT)
    name = f"forward-page-{port}"
    rig.programs.add(Service(name, [sys.executable, ENTRY, "forward", names.EDGE, str(leg)], cores=names.other_cores()))
    rig.defer(rig.programs.stop, name)
    return f"http://127.0.0.1:{port}"


def browse(rig: Rig, role: str = "operator", view: str = "overview", size: tuple[int, int] = DESKTOP) -> Browser:
    """A browser that is logged in and shows a view; closed after the test."""
    browser = Browser(reach(rig), size)
    rig.defer(browser.__exit__)
    await_true(lambda: loaded(browser, view), 10, "the page can be reached")
    rig.dirty |= role != "viewer"  # what is changed through the page, the rig does not see
    browser.log_in(secret(role))
    browser.wait(lambda: f"test-{role}" in browser.text("me") and ticking(browser), f"the page of a {role}")
    return browser


def loaded(browser: Browser, view: str) -> bool:
    """Loads the page; whether something came."""
    try:
        browser.load(view)
    except Exception as error:  # pylint: disable=broad-exception-caught
        raise OSError(str(error)) from error
    return browser.has("login") or browser.has("me")


def ticking(browser: Browser) -> bool:
    """Whether figures have come."""
    return bool(browser.text("clock"))


def start(rig: Rig, **admin: Any) -> None:
    """The demo's pointsman with a token for each role."""
    rig.start({"admin": {"tokens": write_tokens(rig), **admin}})


def same_seconds(rig: Rig, browser: Browser, testid: str, key: str, label: str) -> int:
    """Compares the drawn points of a chart of totals with GET /api/v1/stats, second by second; how many that were."""
    drawn = browser.chart(testid)[label]
    at = int(browser.run("return arguments[0].dataset.at", browser.find(testid)))
    drawn_again = browser.chart(testid)[label]
    if drawn != drawn_again or at != int(browser.data(testid, "at")):
        return 0  # a second went by in between
    stats = rig.get("/api/v1/stats")
    told = dict(zip(stats["times"], stats["totals"][key]))
    assert len(drawn) == 120 and len(stats["times"]) == 120, (len(drawn), len(stats["times"]))
    compared = 0
    for index, value in enumerate(drawn):
        moment = at - (119 - index) * 1000
        near = next((one for one in told if abs(one - moment) < 500), None)
        if near is None or told[near] is None or value is None:
            continue
        assert value == told[near], f"{key} at {moment}: the page says {value}, the API {told[near]}"
        compared += 1
    return compared


def test_login_with_a_token(rig: Rig) -> None:
    """Without a token there is nothing but the login; a wrong one is refused in words; a right one becomes a session
    that scripts cannot read; logging out ends it."""
    rig.start({"admin": {"tokens": write_tokens(rig), "loopback": "none"}}, wait=False)
    bearer = {"Authorization": f"Bearer {secret('admin')}"}
    await_true(lambda: rig.api("GET", "/api/v1/status", headers=bearer)[0] == 200, 20, "the API answers an admin")
    browser = Browser(reach(rig))
    rig.defer(browser.__exit__)
    await_true(lambda: loaded(browser, "routes"), 10, "the page can be reached")
    assert browser.has("token") and not browser.has("nav-routes"), browser.body()
    browser.log_in("pm_wrong")
    browser.wait(lambda: "not known" in browser.text("login-error"), "the refusal is shown")
    browser.log_in(secret("viewer"))
    browser.wait(lambda: "test-viewer" in browser.text("me") and browser.has("routes"), "the view that was asked for")
    assert browser.run("return document.cookie") == "", "a script can read the session"
    cookie = next(one for one in browser.driver.get_cookies() if one["name"] == "pointsman_session")
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict", cookie
    browser.click("logout")
    browser.wait(lambda: browser.has("token"), "the login is back")
    browser.load("overview")
    browser.wait(lambda: browser.has("token"), "a reload does not bring the session back")
    assert not browser.complaints()


def test_numbers_are_those_of_the_api(rig: Rig) -> None:
    """A fresh page has 120 points at once, and every second of every total is what the API says of that second."""
    start(rig)
    with Load("app1.ch", threads=2, rate=40):
        browser = browse(rig)
        for drawn_as in (("chart-active", "active", "Active"), ("chart-new", "new", "New/s"),
                         ("chart-new", "refused", "Refused/s"), ("chart-hosts", "healthy_hosts", "Healthy"),
                         ("chart-hosts", "unhealthy_hosts", "Unhealthy")):
            browser.wait(lambda one=drawn_as: same_seconds(rig, browser, *one) >= 3, f"3 seconds of {drawn_as} agree")
        stats = rig.get("/api/v1/stats")
        assert max(value or 0 for value in stats["totals"]["new"]) > 5, stats["totals"]["new"]
        # A page that is loaded now has the past, too.
        known = sum(value is not None for value in stats["totals"]["new"])
        browser.load("overview")
        browser.wait(lambda: ticking(browser), "figures after the reload")
        drawn = browser.chart("chart-new")["New/s"]
        assert len(drawn) == 120 and sum(value is not None for value in drawn) >= min(known, 119), (known, drawn)
    assert not browser.complaints()


def test_chart_moves(rig: Rig) -> None:
    """Every second brings a point; load shows in the totals, in the cluster's card and in the router host's."""
    start(rig)
    browser = browse(rig)
    first = int(browser.data("chart-new", "at"))
    with Load("only1.ch", threads=2, rate=50):
        browser.wait(lambda: int(browser.data("chart-new-new", "value") or 0) >= 20, "the load shows in the totals")
        browser.wait(lambda: int(browser.text("cluster-new-ose1").replace(",", "") or 0) >= 20, "and in its cluster")
        browser.wait(lambda: int(browser.data(f"host-chart-{HOST_ID}-new", "value") or 0) >= 5, "and in a router host")
    ticks = set()
    limit = time.monotonic() + 4.2
    while time.monotonic() < limit:
        ticks.add(browser.data("chart-new", "at"))
    assert 4 <= len(ticks) <= 6, f"{len(ticks)} points in 4.2 s"
    assert max(map(int, ticks)) > first
    assert "now" in browser.find("chart-new").find_element("tag name", "canvas").get_attribute("aria-label")


def test_shift_and_roll_back(rig: Rig) -> None:
    """An operator drags the slider, looks at the plan, applies it with a reason, and rolls it back."""
    start(rig)
    browser = browse(rig, view="route/app1.ch")
    browser.choose("shift-to", "ose1")
    browser.drag_slider("shift-slider", 50)
    browser.wait(lambda: browser.has("plan"), "the plan is shown")
    percent = float(browser.find("shift-percent").get_attribute("value"))
    assert 45 <= percent <= 55, percent
    assert "app1.ch" in browser.text("plan") and f"ose1 {percent:g} %" in browser.text("plan"), browser.text("plan")
    before = rig.get("/api/v1/routes/app1.ch")["route"]["clusters"]
    browser.type("shift-percent", "25.5")
    assert not browser.find("shift-apply").is_enabled(), "what was not previewed can be applied"
    browser.click("shift-preview")
    browser.wait(lambda: "ose1 25.5 %" in browser.text("plan"), "the plan of the number")
    after = rig.get("/api/v1/routes/app1.ch")["route"]["clusters"]
    assert after[0]["weight"] == before[0]["weight"], "a preview has changed it"
    browser.type("shift-reason", "CHG 4711")
    browser.click("shift-apply")
    browser.wait(lambda: browser.text("planned_share-ose1") == "25.5 %", "the page shows the new share")
    shares = {one["cluster"]: one["planned_share"] for one in rig.get("/api/v1/routes/app1.ch")["route"]["clusters"]}
    assert shares == {"ose1": 25.5, "ose2": 74.5}, shares
    browser.go("events")
    browser.wait(lambda: all(word in browser.text("events") for word in ("CHG 4711", "test-operator")), "the event")
    browser.go("route/app1.ch")
    browser.click("rollback")
    browser.wait(lambda: browser.has("plan"), "the plan of the rollback")
    browser.click("apply")
    browser.wait(lambda: browser.text("planned_share-ose1") == "11.11 %", "the old share is back")
    assert not browser.complaints()


def test_weights_of_a_route(rig: Rig) -> None:
    """A weight is set and taken back; planned, effective and real share follow; the real one is what load sees."""
    start(rig)
    browser = browse(rig, view="route/app1.ch")
    browser.type("weight-input-ose1", "80")
    browser.click("weight-set-ose1")
    browser.click("apply")
    browser.wait(lambda: browser.text("planned_share-ose1") == "50 %", "the share of the weight")
    assert browser.text("origin-ose1") == "override"
    with Load("app1.ch", threads=4, count=200) as load:
        browser.wait(lambda: sum(value or 0 for value in browser.chart("route-new")["ose1"]) > 50, "its chart moves")
    assert not load.result.errors, load.result
    browser.wait(lambda: browser.text("real_share-ose1").rstrip(" %").replace(".", "").isdigit() and
                 35 <= float(browser.text("real_share-ose1").rstrip(" %")) <= 65, "the real share")
    browser.click("weight-default-ose1")
    browser.click("apply")
    browser.wait(lambda: browser.text("origin-ose1") != "override", "the weight is its own again")


def test_viewer_has_no_controls(rig: Rig) -> None:
    """A viewer sees every view and not one control; an operator sees them."""
    start(rig)
    viewer = browse(rig, "viewer")
    assert "read only" in viewer.text("me")
    for view in VIEWS:
        viewer.go(view)
        viewer.wait(viewer.settled, view)
        seen = [testid for testid in CONTROLS if viewer.all(testid)]
        assert not seen, f"{view} has {seen} for a viewer"
    assert rig.api("POST", "/api/v1/clusters/ose1/drain", {}, {"Authorization": f"Bearer {secret('viewer')}"})[0] == 403
    operator = browse(rig, "operator")
    assert "operator" in operator.text("me") and operator.has("cluster-drain") and operator.has("host-drain")
    assert not viewer.complaints() and not operator.complaints()


def test_drain_of_a_cluster_needs_its_name(rig: Rig) -> None:
    """Draining a cluster shows what it would do and takes its name typed out; enabling brings it back."""
    start(rig)
    browser = browse(rig, view="cluster/ose2")
    browser.click("cluster-drain")
    browser.wait(lambda: browser.has("plan-words") or browser.has("plan"), "the plan")
    assert not browser.find("apply").is_enabled(), "it can be applied without its name"
    browser.type("reason", "window tonight")
    browser.type("typed", "ose2")
    if browser.has("force"):
        browser.click("force")
    browser.click("apply")
    browser.wait(lambda: browser.has("cluster-enable"), "it is draining")
    assert rig.get("/api/v1/clusters/ose2/status")["state"] == "draining"
    browser.click("cluster-enable")
    browser.click("apply")
    browser.wait(lambda: browser.has("cluster-drain"), "it is active")


def test_drain_of_a_router_host(rig: Rig) -> None:
    """A router host is drained and enabled on its page."""
    start(rig)
    browser = browse(rig, view=f"host/{HOST_ID}")
    browser.click("host-drain")
    browser.type("field-timeout", "10m")
    browser.click("apply")
    browser.wait(lambda: "draining" in browser.text("host-facts"), "it is draining")
    assert rig.hosts()[OSE1.hosts[0]]["admin"] == "draining"
    browser.click("host-enable")
    browser.click("apply")
    browser.wait(lambda: browser.has("host-drain"), "it is enabled")


def test_loses_and_regains_the_link(rig: Rig) -> None:
    """Control is stopped: the page says so, from when its figures are, and is greyed. Control is back: so is the page,
    full again, without a reload. The same after a kill."""
    start(rig)
    browser = browse(rig)
    browser.run("window.mark = 1")
    rig.dirty = True
    rig.programs.stop(CONTROL)
    browser.wait(lambda: browser.has("disconnected"), "the banner")
    assert "what you see is from" in browser.text("disconnected"), browser.text("disconnected")
    assert browser.run("return getComputedStyle(document.querySelector('main')).filter") != "none", "it is not greyed"
    stopped_at = browser.data("chart-new", "at")
    rig.programs.start(CONTROL)
    browser.wait(lambda: not browser.has("disconnected"), "the link is back", 40)
    browser.wait(lambda: browser.data("chart-new", "at") > stopped_at, "figures of now")
    assert len(browser.chart("chart-hosts")["Healthy"]) == 120
    rig.signal(CONTROL, 9)
    browser.wait(lambda: browser.has("disconnected"), "the banner after a kill", 10)
    browser.wait(lambda: not browser.has("disconnected"), "the link is back after a kill", 40)
    rig.await_ready()
    browser.wait(lambda: browser.text("chart-hosts-healthy_hosts") == str(len(names.HOSTS)), "the figures of now")
    assert browser.run("return window.mark") == 1, "the page was loaded again"
    assert not browser.complaints()


def test_frozen_control_is_noticed(rig: Rig) -> None:
    """A control that hangs closes no connection: the page notices by the silence."""
    start(rig)
    browser = browse(rig)
    with rig.frozen(CONTROL):
        browser.wait(lambda: browser.has("disconnected"), "the banner", 10)
    browser.wait(lambda: not browser.has("disconnected"), "the link is back", 40)


def test_what_is_stale_or_absent_is_named(rig: Rig) -> None:
    """A cluster whose API has not been listed since control's start, and a dataplane that is gone, are named."""
    watching = watched.begin(rig)
    browser = Browser(reach(rig))
    rig.defer(browser.__exit__)
    with watching.one.fault("hang"):
        watching.restart_control()
        await_true(lambda: loaded(browser, "overview"), 20, "the page can be reached")
        browser.wait(lambda: "ose1" in browser.text("stale") and "ose2" not in browser.text("stale"), "ose1 is stale")
    browser.wait(lambda: not browser.has("stale"), "ose1 is no longer stale", 40)
    rig.dirty = True
    rig.programs.stop(DATAPLANE)
    browser.wait(lambda: "dataplane is" in browser.text("dataplane"), "the dataplane is said to be absent")
    rig.programs.start(DATAPLANE)
    browser.wait(lambda: not browser.has("dataplane"), "the dataplane is back", 40)
    assert not browser.complaints()


def test_stopped_router_is_shown_within_5_seconds(rig: Rig) -> None:
    """A router host that is stopped under load is unhealthy on the page within 5 s, with an event and its history;
    started again, it is healthy again."""
    start(rig)
    browser = browse(rig)
    address = OSE1.hosts[0]
    health = f"host-{HOST_ID}"
    browser.wait(lambda: browser.data(health, "health") == "up", "it is healthy")
    with Load("only1.ch", threads=2, rate=50) as load:
        rig.host_stop(address)
        stopped = time.monotonic()
        browser.wait(lambda: "unhealthy" in browser.text(health), "it is unhealthy", 10)
        seconds = time.monotonic() - stopped
    print(f"     unhealthy on the page {seconds:.1f} s after the stop")
    assert seconds <= 5, f"{seconds:.1f} s"
    assert not load.result.errors, load.result
    browser.wait(lambda: browser.text("chart-hosts-unhealthy_hosts") == "1", "the totals say one")
    browser.wait(lambda: "down" in browser.text(health).split("Total since start", 1)[1], "its history")
    browser.go("events")
    browser.wait(lambda: "203.0.113.11" in browser.text("events") or "router-11" in browser.text("events"), "the event")
    browser.go("overview")
    rig.host_start(address)
    browser.wait(lambda: browser.data(health, "health") == "up", "it is healthy again", 15)


def test_names_are_text(rig: Rig) -> None:
    """What clusters, clients and operators write is text wherever it stands: no element comes of it."""
    host = watched.name(1)
    watching = watched.begin(rig, [watched.route(host)])
    watching.one.weigh(apis.route_name(host), EVIL)
    await_true(lambda: "onerror" in str(watching.route(host)), 5, "the annotation is warned of")
    path = f"/api/v1/routes/{host}/clusters/ose1/weight?reason={urllib.parse.quote(EVIL)}"
    assert rig.api("PUT", path, {"weight": 7})[0] == 200
    with client.connect(80) as sock:
        sock.sendall(f"GET / HTTP/1.1\r\nHost: {EVIL}\r\n\r\n".encode())
        assert sock.recv(4096).startswith(b"HTTP/1.1 400 ")
    browser = Browser(reach(rig))
    rig.defer(browser.__exit__)
    await_true(lambda: loaded(browser, "overview"), 10, "the page can be reached")
    browser.wait(lambda: ticking(browser), "figures")
    for view, testid in ((f"route/{host}", "route-clusters"), ("events", "events")):
        browser.go(view)
        browser.wait(lambda place=testid: EVIL in browser.text(place), f"{view} says it as it is")
    encoded = urllib.parse.quote(EVIL)
    for view in (f"route/{encoded}", f"explain?host={encoded}", f"routes?search={encoded}", f"cluster/{encoded}",
                 "unknown", encoded):
        browser.go(view)
        browser.wait(browser.settled, view)
    assert browser.run("return window.pwned") is None, "the name has become code"
    assert browser.run("return document.querySelectorAll('img[src=x]').length") == 0, "the name has become an element"
    assert not browser.complaints()


def test_many_routes_by_the_page(rig: Rig) -> None:
    """3,000 routes more: the page holds 50 at a time; the search and the paging are the server's."""
    start(rig)
    cluster = rig.get("/api/v1/clusters/ose2")
    cluster["routes"] += [{"host": f"many{number}.demo.ch"} for number in range(3000)]
    status, answer = rig.api("PUT", "/api/v1/clusters/ose2", cluster)
    assert status == 200, answer
    total = rig.get("/api/v1/routes?limit=1")["total"]
    browser = browse(rig, "viewer", "routes")
    browser.wait(lambda: browser.text("pager") == f"1 to 50 of {total:,}", "the first page")
    rows = "return document.querySelectorAll('[data-testid=routes] tbody tr').length"
    assert browser.run(rows) == 50
    browser.type("routes-search", "many29")
    browser.wait(lambda: browser.text("pager") == "1 to 50 of 111", "what was searched")
    assert "many29" in browser.text("routes") and "only1.ch" not in browser.text("routes")
    browser.driver.find_element("xpath", "//button[text()='Next']").click()
    browser.wait(lambda: browser.text("pager") == "51 to 100 of 111", "the second page")
    browser.type("routes-search", "only1")
    browser.wait(lambda: browser.text("pager") == "1 to 1 of 1", "one route")
    browser.driver.find_element("link text", "only1.ch").click()
    browser.wait(lambda: browser.has("shares") and "only1.ch" in browser.body(), "its page")
    assert browser.run("return document.querySelectorAll('*').length") < 2000


def test_explain_diff_connections(rig: Rig) -> None:
    """Explain names the elected router host, diff what one cluster lacks, connections those that are open."""
    start(rig)
    browser = browse(rig, "operator", "explain")
    browser.type("explain-host", "only1.ch")
    browser.click("explain")
    browser.wait(lambda: "only1.ch" in browser.text("explain-text"), "the answer")
    told = rig.get("/api/v1/explain?host=only1.ch")
    assert told["elected"]["cluster"] == "ose1" and "ose1/" in browser.text("explain-hosts"), told
    browser.go("diff?from=ose1&to=ose2")
    browser.wait(lambda: "only1.ch" in browser.text("diff"), "what ose2 lacks")
    assert browser.text("diff-red").replace(",", "") == str(rig.get("/api/v1/diff?from=ose1&to=ose2")["red"])
    with client.connect(80) as sock:
        client.request(sock, "only1.ch")
        browser.go("connections?route=only1.ch")
        browser.wait(lambda: browser.text("conns-total") == "1", "the connection")
        assert "only1.ch" in browser.text("connections"), browser.text("connections")
        browser.click("close-all")
        browser.type("typed", "close")
        browser.click("apply")
        browser.wait(lambda: browser.text("conns-total") == "0", "it is closed")
    assert not browser.complaints()


def test_phone(rig: Rig) -> None:
    """At 390 pixels no view has to be scrolled sideways, and the menu opens."""
    start(rig)
    browser = browse(rig, "operator", size=PHONE)
    for view in VIEWS:
        browser.go(view)
        browser.wait(browser.settled, view)
        content, window = browser.width()
        assert window == PHONE[0] and content <= window, f"{view} is {content} pixels wide"
    browser.driver.find_element("id", "menu").click()
    browser.click("nav-routes")
    browser.wait(lambda: browser.has("routes"), "the routes")
    assert not browser.has("nav-events"), "the menu stays open"


def test_keyboard(rig: Rig) -> None:
    """The way to a route's page without a mouse: slash, a name, Enter, Tab to the link, Enter. Tab begins with the skip
    link."""
    start(rig)
    browser = browse(rig, "viewer")
    page = browser.driver.switch_to
    browser.run("document.activeElement.blur()")
    page.active_element.send_keys("/")
    page.active_element.send_keys("only1\n")
    browser.wait(lambda: browser.text("pager") == "1 to 1 of 1", "the search")
    for _ in range(40):
        page.active_element.send_keys("\ue004")
        if page.active_element.text == "only1.ch":
            break
    outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert page.active_element.text == "only1.ch" and outline == "solid", (page.active_element.text, outline)
    page.active_element.send_keys("\n")
    browser.wait(lambda: browser.has("shares"), "its page")
    browser.load("overview")
    browser.wait(lambda: ticking(browser), "figures")
    page.active_element.send_keys("\ue004")
    assert page.active_element.get_attribute("id") == "skip"


def test_dark_and_light(rig: Rig) -> None:
    """The system's choice first, the switch over it, kept over a reload."""
    start(rig)
    browser = browse(rig, "viewer")
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = browser.run(ground)
    browser.click("theme")
    dark = browser.run(ground)
    assert dark != light and sum(map(int, dark[4:-1].split(","))) < 150, (light, dark)
    browser.load("overview")
    browser.wait(lambda: ticking(browser), "figures")
    assert browser.run(ground) == dark
