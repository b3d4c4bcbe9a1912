"""The web page in headless Chromium, driven as an operator does: look, log in, click, type, drag, lose the link."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
import time
import urllib.parse
from typing import Any

import past
import watched
from browser import DESKTOP, PHONE, Browser
from demonet import apis, client, forward, names
from demonet.balancer import CONTROL, DATAPLANE
from demonet.supervisor import ENTRY, Service, await_true
from rig import Rig
from scale import scale
from traffic import Held, Load

OSE1, OSE2 = names.CLUSTERS
PORT = 18089  # of this machine, leads to the admin API inside of pm-edge
ROLES = ("viewer", "operator", "admin")
EVIL = "<img src=x onerror=pwned=!alert(1)>"
EVIL_WORD = "<x-evil>"  # the same without a space, which a name of Kubernetes cannot have
HOST_ID = "ose1/203.0.113.11:80"
LONG = "production-zurich-datacentre-two-openshift4-cluster-of-customer"  # as long as a cluster's name may be

# fetch() fails, or answers 500 after some ms, or asks the server after them, if the address has a text in it (previews
# not). UNBREAK ends that.
BREAK = """
const [part, status, ms] = arguments;
window.fetched ||= window.fetch;
window.fetch = async (url, options) => {
    if (!String(url).includes(part) || String(url).includes("dry_run")) return fetched(url, options);
    await new Promise((done) => setTimeout(done, ms));
    if (status === 0) throw new TypeError("broken");
    return status === 500 ? new Response('{"detail": "the disk is full"}', {status}) : fetched(url, options);
};
"""
UNBREAK = "window.fetch = window.fetched"
# Every link is lost as soon as something comes.
RESTLESS = """
window.links = 0;
window.WebSocket = class extends WebSocket {
    constructor(url) {
        super(url);
        window.links++;
        this.addEventListener("message", () => this.close());
    }
};
"""
# The browser's clock is an hour ahead.
AHEAD = "const now = Date.now; Date.now = () => now() + 3600000;"

VIEWS = ("overview", "routes", "route/app1.ch", "cluster/ose1", "host/ose1/203.0.113.11:80", "connections", "events",
         "unknown", "held", "explain?host=app1.ch", "diff?from=ose1&to=ose2")


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


def same_seconds(rig: Rig, browser: Browser, testid: str, key: str, label: str, of: str = "") -> dict[int, int]:
    """Compares the drawn points of a chart with GET /api/v1/stats (or what of it): what the API knows of a second the
    page must show. The seconds that were compared, with their values; {}: one went by in between."""
    drawn = browser.chart(testid)[label]
    at = int(browser.run("return arguments[0].dataset.at", browser.find(testid)))
    drawn_again = browser.chart(testid)[label]
    if drawn != drawn_again or at != int(browser.data(testid, "at")):
        return {}
    stats = rig.get(f"/api/v1/stats{of}")
    assert len(drawn) == len(stats["times"]) == past.POINTS, (len(drawn), len(stats["times"]))
    shown = {round(at / 1000) - past.POINTS + 1 + index: value for index, value in enumerate(drawn)}
    compared = {}
    for time_ms, value in zip(stats["times"][:-1], stats.get("totals", stats)[key]):  # the newest may be on its way
        second = time_ms // 1000
        if value is None or second not in shown:
            continue
        assert shown[second] == value, f"{key} at {second}: the page says {shown[second]}, the API {value}"
        compared[second] = value
    return compared


def with_past(rig: Rig) -> tuple[int, past.Past, past.Past]:
    """Control is started again with a whole past: the last second of it, that of the totals, that of router hosts."""
    with Load("only1.ch", threads=2, rate=100):  # a router host that never had a connection is not in the file
        await_true(lambda: rig.get(f"/api/v1/stats/hosts/{HOST_ID}")["total"][-1], 10, f"{HOST_ID} had a connection")
    assert rig.config
    rig.dirty = True
    rig.programs.stop(CONTROL)
    until = int(time.time()) + 2  # control waits for what is after that, so no second is missing
    totals, of_host = past.fill(f"{rig.config['paths']['run']}/history.bin", until)
    rig.programs.start(CONTROL)
    await_true(lambda: rig.get("/api/v1/stats")["totals"]["new"][-1] is not None and
               rig.get("/api/v1/stats")["times"][-1] > until * 1000, 20, "control reads every second again")
    rig.await_ready()
    return until, totals, of_host


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
    """A fresh page has the 120 seconds before it at once, value for value, and from then on every second that the API
    has: of all totals and of a router host, with refused connections and a router host that is down among them."""
    start(rig)
    until, totals, of_host = with_past(rig)

    def agree(told: past.Past, testid: str, key: str, label: str, of: str = "") -> bool:
        """All of the past that is still there, no more than some seconds unknown, and something since."""
        same = same_seconds(rig, browser, testid, key, label, of)
        for second, value in same.items():
            assert second > until or value == told[key][second], (key, second, value, told[key][second])
        return len(same) >= past.POINTS - 10 and any(value for second, value in same.items() if second > until)

    of = f"/hosts/{HOST_ID}"
    charts = (("chart-active", "active", "Active"), ("chart-new", "new", "New/s"),
              ("chart-new", "refused", "Refused/s"), ("chart-hosts", "healthy_hosts", "Healthy"),
              ("chart-hosts", "unhealthy_hosts", "Unhealthy"))
    with Load("only1.ch", threads=2, rate=40), Load("nobody.example", threads=1, rate=5), \
            contextlib.closing(Held("only1.ch")), contextlib.closing(Held("only1.ch")):
        browser = browse(rig, view=f"host/{HOST_ID}")
        for key, label in (("active", "Active"), ("new", "New/s"), ("refused", "Refused/s")):
            if key == "refused":
                rig.host_stop(OSE1.hosts[0])
            browser.wait(lambda one=(key, label): agree(of_host, "host-load", *one, of), f"120 s of {label} agree")
        browser.load("overview")
        for chart in charts:
            browser.wait(lambda one=chart: agree(totals, *one), f"120 s of {chart} agree")
        browser.load(f"host/{HOST_ID}")
        total = ("host-totals", "total", "Total since start", of)
        browser.wait(lambda: len(same_seconds(rig, browser, *total)) >= 3, "3 seconds of the total agree")
        if scale("own_history_seconds"):
            browser.load("overview")
            browser.wait(lambda: min(same_seconds(rig, browser, *charts[1]), default=0) > until,
                         "all of the past is its own", scale("own_history_seconds"))
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
    browser.wait(lambda: "no connection is left" in browser.body(), "it is drained")
    browser.click("cluster-enable")
    browser.click("apply")
    browser.wait(lambda: browser.has("cluster-drain"), "it is active")


def test_drain_of_a_router_host(rig: Rig) -> None:
    """A router host is drained and enabled on its page. As long as it has a connection it drains, and what counts the
    seconds takes nobody's keyboard away; then it is said to be drained."""
    start(rig)
    here = "return document.activeElement"
    with contextlib.closing(Held("only1.ch")) as held:
        host = rig.hosts()[held.router]
        browser = browse(rig, view=f"host/{host['id']}")
        browser.click("host-drain")
        browser.type("field-timeout", "10m")
        browser.click("apply")
        browser.wait(lambda: "draining for" in browser.text("host-facts"), "it is draining")
        browser.wait(lambda: browser.has("host-enable"), "it can be enabled")
        assert browser.run(here) == browser.find("host-enable"), "the keyboard is lost with the button that was pressed"
        assert rig.hosts()[host["address"]]["admin"] == "draining"
        browser.go("overview")
        card = f"host-{host['id']}"
        browser.wait(lambda: "draining for" in browser.text(card), "its card says so")
        link = browser.find(card).find_element("css selector", ".line a")
        browser.run("arguments[0].focus()", link)
        for _ in range(2):
            before = browser.text(card)
            browser.wait(lambda said=before: browser.text(card) != said, "a second more")
        assert browser.run(here) == link, "the keyboard is lost with each second"
    browser.wait(lambda: "no connection is left" in browser.text(card) and "draining" not in browser.text(card),
                 "it is drained")
    browser.go(f"host/{host['id']}")
    browser.wait(lambda: "drained" in browser.text("host-facts"), "its page says so")
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
    since = browser.text("disconnected").split(" is from ")[1].split(".")[0]
    for view in VIEWS:
        browser.go(view)
        browser.wait(lambda: browser.settled() and browser.text("as-of") == f"stale: from {since}", f"{view} is stale")
        assert not browser.has("live"), f"{view} says that it is live"
    browser.go("overview")
    stopped_at = browser.data("chart-new", "at")
    rig.programs.start(CONTROL)
    browser.wait(lambda: not browser.has("disconnected") and not browser.has("as-of"), "the link is back", 40)
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


def test_a_link_that_never_holds(rig: Rig) -> None:
    """A page whose link is lost as soon as it is there does not come back at once, again and again."""
    start(rig)
    browser = browse(rig, "viewer")
    browser.prepare(RESTLESS)
    browser.load()
    browser.wait(lambda: browser.run("return window.links") >= 2, "the second link")
    time.sleep(5)
    assert browser.run("return window.links") <= 5, browser.run("return window.links")


def test_ages_are_the_servers(rig: Rig) -> None:
    """A browser's clock that is wrong makes nothing older, and the page of a router host follows its checks."""
    start(rig)
    browser = browse(rig, "viewer")
    browser.prepare(AHEAD)
    browser.load(f"host/{HOST_ID}")
    ages = []
    browser.wait(lambda: "Last check" in browser.text("host-facts"), "the last check")
    limit = time.monotonic() + 9
    while time.monotonic() < limit:
        found = re.search(r"Last check\s+(?:now|(\d+) s ago)\s", browser.text("host-facts"))
        assert found, browser.text("host-facts")
        ages.append(int(found[1] or 0))
        time.sleep(0.2)
    assert max(ages) < 60 and any(later < sooner for sooner, later in zip(ages, ages[1:])), ages


def test_failures_are_said(rig: Rig) -> None:
    """A logout that fails leaves one logged in, and says so; so does a change whose dialog has been left."""
    start(rig)
    browser = browse(rig, view=f"host/{HOST_ID}")
    browser.run(BREAK, "/logout", 500, 0)
    browser.click("logout")
    browser.wait(lambda: "still logged in: the disk is full" in browser.text("toast"), "the logout has failed")
    assert browser.has("me") and not browser.has("token")
    browser.run(BREAK, "/drain", 500, 1000)
    browser.click("host-drain")
    browser.click("apply")
    browser.click("cancel")
    browser.wait(lambda: "not done. the disk is full" in browser.body(), "the change has failed")
    assert rig.hosts()[OSE1.hosts[0]]["admin"] == "enabled"
    browser.run(UNBREAK)
    browser.click("logout")
    browser.wait(lambda: browser.has("token"), "the login")
    assert not browser.complaints()


def test_what_is_not_there(rig: Rig) -> None:
    """A view, a page of routes, a difference that are not there, and an answer that nobody waits for any more."""
    start(rig)
    browser = browse(rig, "viewer", "constructor")
    browser.wait(lambda: "There is no view" in browser.body(), "no such view")
    browser.go("routes?offset=100000")
    browser.wait(lambda: browser.text("pager").startswith("1 to "), "the first page instead of one past the end")
    browser.go("diff?from=ose1&to=ose2")
    browser.wait(lambda: "only1.ch" in browser.text("diff"), "a difference")
    browser.choose("diff-to", "ose1")
    browser.wait(lambda: "two different clusters" in browser.body(), "a cluster does not differ from itself")
    assert not browser.has("diff"), "the differences of before are still there"
    browser.go("explain?host=app1.ch")
    browser.wait(lambda: browser.has("explain-text"), "the answer")
    browser.run(BREAK, "/explain", 200, 2000)
    browser.click("explain")
    browser.go("overview")
    browser.wait(browser.settled, "the view has all that it asked for")
    assert not browser.complaints()


def test_open_for_days(rig: Rig) -> None:
    """What happens to a page that stays open: it is hidden, clusters come, names are refused, pointsman is upgraded."""
    start(rig)
    browser = browse(rig, view="route/app1.ch")
    swatches = "return [...document.querySelectorAll('.cluster-figure .swatch')].map((one) => one.style.cssText)"
    browser.wait(lambda: browser.has("shares"), "the shares")
    before = browser.run(swatches)
    new = {"source": "static", "state": "staged", "routes": [],
           "hosts": [{"name": "first", "address": OSE1.hosts[0], "http_port": 81}]}
    assert rig.api("PUT", "/api/v1/clusters/aaa", new)[0] == 201
    known = "return import('/live.js').then(({live}) => 'aaa' in live.clusters)"
    browser.wait(lambda: browser.run(known), "the cluster")
    at = browser.text("clock")
    browser.wait(lambda: browser.text("clock") != at, "a second more")
    assert before and browser.run(swatches) == before, "the clusters have changed their colours"
    for name in ("nobody.example", "nobody.example", "noone.example"):
        client.fetch(name)
    await_true(lambda: "noone.example" in str(rig.get("/api/v1/unknown")), 5, "the refusals are told of")
    names_kept = str(rig.get("/api/v1/unknown")["total"])
    browser.wait(lambda: browser.text("nav-unknown").split()[-1] == names_kept, "the menu counts the refused names")
    browser.go("overview")
    browser.chart("chart-new")
    browser.run("Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true})")
    browser.run("window.drawn = 0; Chart.getChart(document.querySelector('canvas')).update = () => window.drawn++")
    for hidden in (True, False):
        at = browser.data("chart-new", "at")
        browser.wait(lambda now=at: browser.data("chart-new", "at") != now, "a point more")
        assert (browser.run("return window.drawn") == 0) == hidden, "drawn, or not, against what can be seen"
        browser.run("delete document.visibilityState")
    assert not browser.has("upgraded")
    browser.run("return import('/live.js').then(({live}) => { live.hello.version = '0'; })")
    browser.wait(lambda: "reload" in browser.text("upgraded"), "the new version")
    assert not browser.complaints()


def test_what_is_stale_or_absent_is_named(rig: Rig) -> None:
    """A cluster whose API has not been listed since control's start, and a dataplane that is gone, are named."""
    watching = watched.begin(rig)
    browser = Browser(reach(rig))
    rig.defer(browser.__exit__)
    with watching.one.fault("hang"):
        watching.restart_control()
        await_true(lambda: loaded(browser, "overview"), 20, "the page can be reached")
        browser.wait(lambda: "ose1" in browser.text("stale") and "ose2" not in browser.text("stale"), "ose1 is stale")
        for cluster, marked in ((OSE1, True), (OSE2, False)):
            browser.go(f"host/{cluster.name}/{cluster.hosts[0]}:80")
            browser.wait(lambda: cluster.name in browser.text("host-facts"), "the router host")
            assert ("(stale)" in browser.text("host-facts")) == marked, browser.text("host-facts")
        browser.go("overview")
    browser.wait(lambda: not browser.has("stale"), "ose1 is no longer stale", 40)
    unread(browser)
    rig.dirty = True
    rig.programs.stop(DATAPLANE)
    browser.wait(lambda: "dataplane is" in browser.text("dataplane"), "the dataplane is said to be absent")
    rig.programs.start(DATAPLANE)
    browser.wait(lambda: not browser.has("dataplane"), "the dataplane is back", 40)
    assert not browser.complaints()


def unread(browser: Browser) -> None:
    """Calls fail while the link holds: what could not be read is named, and from when what is still shown is."""
    browser.go("routes")
    browser.wait(lambda: browser.has("routes"), "the routes")
    browser.run(BREAK, "/", 0, 0)
    browser.run("return import('/details.js').then((module) => module.refresh())")
    browser.wait(lambda: "does not answer" in browser.text("details-error"), "the details are said to be unread")
    browser.type("routes-search", "steady")
    browser.wait(lambda: "What is shown was read at" in browser.body(), "the routes are said to be old")
    browser.run(UNBREAK)
    browser.wait(lambda: not browser.has("details-error"), "the details are read again")
    browser.go("overview")


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
    browser.wait(lambda: "unhealthy" in browser.text(health).split("Total since start", 1)[1], "its history")
    browser.go("events")
    browser.wait(lambda: "203.0.113.11" in browser.text("events") or "router-11" in browser.text("events"), "the event")
    browser.go("overview")
    rig.host_start(address)
    browser.wait(lambda: browser.data(health, "health") == "up", "it is healthy again", 15)


def inject_evil(watching: watched.Watched, host: str, other: str) -> None:
    """Routes whose names and host are markup: no API server lets them in, and pointsman does not rely on that. One of
    them serves `other`, the others cannot be served."""
    found = next(one for one in watching.one.routes() if one["spec"]["host"] == host)
    found["metadata"]["resourceVersion"] = str(watching.one.state()["revision"])
    serving = json.loads(json.dumps(found).replace(host, other))
    word = {"name": EVIL_WORD, "namespace": EVIL_WORD}
    conditions = [{"type": "Admitted", "status": "True"}]
    admitted = {"ingress": [{"routerName": "default", "host": EVIL, "conditions": conditions}]}
    for number, (item, names_given) in enumerate(((found, {"name": EVIL}), (serving, word),
                                                  ({**found, "spec": {}, "status": admitted}, word))):
        item = {**item, "metadata": {**item["metadata"], **names_given, "uid": f"evil-{number}"}}
        watching.one.act("inject", resource="routes", text=json.dumps({"type": "ADDED", "object": item}) + "\n")
    watching.await_words(f"{EVIL_WORD}/{EVIL_WORD}: ")
    await_true(lambda: watching.hosts_known(other), 5, "the Route with evil names is served")


def test_names_are_text(rig: Rig) -> None:
    """What clusters, clients and operators write is text wherever it stands: no element comes of it."""
    host, other = watched.name(1), watched.name(2)
    watching = watched.begin(rig, [watched.route(host)])
    inject_evil(watching, host, other)
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

    def no_element() -> None:
        assert browser.run("return window.pwned") is None, "the name has become code"
        assert not browser.driver.find_elements("css selector", "img[src=x], x-evil"), "the name has become an element"

    for view, testid, words in ((f"route/{host}", "route-clusters", EVIL), ("events", "events", EVIL),
                                (f"routes?search={other}", "routes", EVIL_WORD)):
        browser.go(view)
        browser.wait(lambda place=testid, said=words: said in browser.text(place), f"{view} says it as it is")
        no_element()
    browser.go("cluster/ose1")
    for words in (f"route shop/{EVIL}: ", f"route {EVIL_WORD}/{EVIL_WORD}: \"{EVIL}\" is no host name"):
        browser.wait(lambda said=words: said in browser.body(), f"the warnings say {words}")
    no_element()
    encoded = urllib.parse.quote(EVIL)
    for view in (f"route/{other}", f"route/{encoded}", f"explain?host={encoded}", f"routes?search={encoded}",
                 f"cluster/{encoded}", "diff?from=ose1&to=ose2", "unknown", encoded):
        browser.go(view)
        browser.wait(browser.settled, view)
        no_element()
    assert not browser.complaints()


def test_conflict_is_shown(rig: Rig) -> None:
    """A name that another cluster has had first, for a different namespace: among the routes in conflict, in words on
    the route's page, and as an event."""
    host = watched.name("foreign")
    watching = watched.begin(rig, [watched.route(host)])
    watching.two.create(watched.route(host, namespace="thief"))
    watching.await_weights(host, ose1=100, ose2=0)
    assert [one["host"] for one in rig.get("/api/v1/routes?state=conflict")["routes"]] == [host]
    event = rig.get("/api/v1/events?kind=route_conflict")["events"][0]
    assert event["object"] == {"kind": "route", "cluster": "ose2", "name": host}, event
    browser = Browser(reach(rig))
    rig.defer(browser.__exit__)
    await_true(lambda: loaded(browser, "routes?state=conflict"), 10, "the page can be reached")
    browser.wait(lambda: browser.text("pager") == "1 to 1 of 1" and host in browser.text("routes"), "it is listed")
    assert "ose2: conflict" in browser.text("routes"), browser.text("routes")
    browser.go(f"route/{host}")
    browser.wait(lambda: "conflict: another cluster serves this name from a different namespace"
                 in browser.text("route-clusters"), "the route's page says so")
    assert browser.text("weight-ose2") == "0" and browser.text("weight-ose1") == "100", browser.text("route-clusters")
    browser.go("events")
    browser.wait(lambda: "route conflict" in browser.text("events") and event["text"] in browser.text("events"),
                 "the event")
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
    """At 390 pixels no view has to be scrolled sideways, and the menu opens. Names may be long, there and at a desk."""
    start(rig)
    host = {"name": "worker-1.openshift4.production.zurich.customers.example.ch", "address": OSE2.hosts[0]}
    name = f"the-portal-of-all-customers.apps.{LONG}.example.ch"
    assert rig.api("PUT", f"/api/v1/clusters/{LONG}", {"source": "static", "hosts": [host],
                                                       "routes": [{"host": name}]})[0] == 201
    browser = browse(rig, "operator", size=PHONE)
    for size in (PHONE, DESKTOP):
        browser.resize(size)
        for view in (*VIEWS, f"route/{name}", f"cluster/{LONG}", f"host/{LONG}/{host['address']}",
                     f"explain?host={name}", f"diff?from=ose1&to={LONG}"):
            browser.go(view)
            browser.wait(browser.settled, view)
            content, window = browser.width()
            assert window == size[0] and content <= window, f"{view} is {content} pixels wide of {window}"
    left = "return document.querySelector(arguments[0]).getBoundingClientRect().left"
    assert browser.run(left, "#find-text") == browser.run(left, "h1"), "the search does not stand above the content"
    browser.resize(PHONE)
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
