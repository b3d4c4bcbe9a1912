"""What an operator does on the web page with clusters, router hosts and connections: each button is pressed in headless
Chromium, and the API is asked what came of it. A viewer has none of them."""

from __future__ import annotations

import contextlib
from typing import Any

from browser import Browser
from rig import Rig
from test_page import HOST_ID, OSE1, OSE2, VIEWS, browse, secret, start
from traffic import Held

CONTROLS = ("shift-apply", "shift-slider", "rollback", "weight-set-ose1", "cluster-activate", "cluster-drain",
            "cluster-offline", "host-drain", "host-disable", "close-all", "close-chosen", "confirm-ose9", "probe")
FILTERED = "connections?route=only1.ch"
# A cluster that is pushed through loopback.
PUSHED: dict[str, Any] = {"source": "push", "key": "page", "push_from": ["127.0.0.0/8"]}
PUSH = {"routes": {"a": {"url": "pushed.ch", "weight": 10}},
        "routerHosts": {"r9": {"name": "r9", "hostIP": OSE2.hosts[0], "httpPort": 80, "httpsPort": 443}}}


def controls(browser: Browser, *views: str) -> set[str]:
    """Which controls there are on any of these views, on that of a staged cluster and on the connections of a route."""
    seen = set()
    for view in (*views, "cluster/ose8", FILTERED):
        browser.go(view)
        browser.wait(browser.settled, view)
        if view == FILTERED:
            browser.wait(lambda: browser.text("conns-total").isdigit(), "the connections")
        seen |= {testid for testid in CONTROLS if browser.has(testid)}
    return seen


def ticks(browser: Browser) -> list[Any]:
    """What connections are chosen with."""
    return browser.driver.find_elements("css selector", "[data-testid=connections] input")


def push(rig: Rig, body: Any, key: str = PUSHED["key"]) -> None:
    """What a plugin sends."""
    status, answer = rig.api("POST", f"/api/cluster/{key}", body)
    assert status == 201, answer


def act(browser: Browser, button: str, then: str, typed: str = "") -> None:
    """Presses a button that opens the dialog, gives what that asks for, applies it, and waits for the button `then`
    (after "-": until that is gone)."""
    browser.click(button)
    if typed:
        browser.wait(lambda: browser.has("plan-words") or browser.has("force") or "would go" in browser.text("dialog"),
                     f"what {button} would do")
        assert not browser.find("apply").is_enabled(), f"{button} can be applied without the name typed"
        browser.type("typed", typed)
    browser.wait(lambda: browser.find("apply").is_enabled() or browser.has("force"), f"{button} can be applied")
    if browser.has("force"):
        browser.click("force")
    browser.click("apply")
    browser.wait(lambda: not browser.all("dialog"), f"{button} is done")
    browser.wait(lambda: browser.has(then) if then[0] != "-" else not browser.has(then[1:]), f"{then} after {button}")


def enable_by_keyboard(browser: Browser) -> None:
    """The dialog takes the keyboard, Escape gives it back to the button, Enter in a field applies."""
    here = "return document.activeElement"
    button = browser.find("cluster-enable")
    button.send_keys("\n")
    browser.wait(lambda: browser.has("dialog"), "the dialog")
    assert browser.run(f"{here}.closest('dialog') !== null"), "the keyboard is not in the dialog"
    browser.run(here).send_keys("\ue00c")
    browser.wait(lambda: not browser.all("dialog"), "Escape closes it")
    assert browser.run(here) == button, "the keyboard is not back at the button"
    button.send_keys("\n")
    browser.wait(lambda: browser.find("apply").is_enabled(), "it can be applied")
    browser.type("reason", "done\n")
    browser.wait(lambda: browser.has("cluster-drain"), "Enter applies")


def test_viewer_has_no_controls(rig: Rig) -> None:
    """A viewer sees every view and not one control, and what they would call is refused; an operator sees them all,
    but for what takes an admin."""
    start(rig)
    for name in ("ose8", "ose9"):
        more = {"state": "staged" if name == "ose8" else "active", "key": name}
        assert rig.api("PUT", f"/api/v1/clusters/{name}", {**PUSHED, **more})[0] == 201
    push(rig, PUSH, "ose9")
    push(rig, {"routes": {}, "routerHosts": {}}, "ose9")  # so there is something held
    assert rig.api("POST", "/api/v1/routes/app1.ch/shift", {"to": "ose1", "percent": 20})[0] == 200
    with contextlib.closing(Held("only1.ch")):
        viewer = browse(rig, "viewer")
        assert "read only" in viewer.text("me")
        assert not controls(viewer, *VIEWS), "a viewer has controls"
        assert viewer.text("conns-total") == "1" and not ticks(viewer), "a viewer can choose connections"
        bearer = {"Authorization": f"Bearer {secret('viewer')}"}
        for path in ("clusters/ose8/activate", "clusters/ose1/drain", "clusters/ose1/offline", "connections/close",
                     f"hosts/{HOST_ID}/disable", f"hosts/{HOST_ID}/enable", "clusters/ose1/probe",
                     "clusters/ose9/held/confirm", "routes/app1.ch/rollback"):
            assert rig.api("POST", f"/api/v1/{path}", {}, bearer)[0] == 403, path
        viewer.click("logout")
        viewer.log_in(secret("operator"))
        viewer.wait(lambda: "test-operator" in viewer.text("me"), "the page of an operator")
        operated = ("route/app1.ch", "cluster/ose1", f"host/{HOST_ID}", "held")
        assert controls(viewer, *operated) == set(CONTROLS) - {"cluster-activate", "close-chosen"}
        assert len(ticks(viewer)) == 1, "there is nothing to choose the connection with"
    assert not viewer.complaints()


def test_actions_on_clusters_and_hosts(rig: Rig) -> None:
    """Every button of a cluster and of a router host is pressed: the page shows what came of it, and the API says the
    same. A staged cluster is activated, what it then seems to lose is confirmed; another one goes offline and comes
    back; a router host is disabled and enabled; a cluster is probed."""
    start(rig)
    assert rig.api("PUT", "/api/v1/clusters/ose9", {**PUSHED, "state": "staged"})[0] == 201
    push(rig, PUSH)
    browser = browse(rig, "admin", "cluster/ose9")
    act(browser, "cluster-activate", "cluster-drain")
    assert rig.get("/api/v1/clusters/ose9/status")["state"] == "active"
    push(rig, {"routes": {}, "routerHosts": {}})
    browser.go("held")
    browser.wait(lambda: "pushed.ch" in browser.text("held") and browser.text("nav-held").endswith("2"), "what is held")
    since = "return document.querySelector('[data-testid=held] time').textContent"
    before = browser.run(since)
    browser.wait(lambda: browser.run(since) != before, "its age grows")
    act(browser, "confirm-ose9", "-confirm-ose9", typed="ose9")
    browser.wait(lambda: "Nothing is held" in browser.text("held"), "nothing is held any more")
    assert rig.get("/api/v1/held")["total"] == 0 and not rig.get("/api/v1/clusters/ose9")["routes"]
    browser.go("cluster/ose2")
    act(browser, "cluster-offline", "cluster-enable", typed="ose2")
    assert rig.get("/api/v1/clusters/ose2/status")["state"] == "offline"
    enable_by_keyboard(browser)
    assert rig.get("/api/v1/clusters/ose2/status")["state"] == "active"
    browser.go(f"host/{HOST_ID}")
    act(browser, "host-disable", "host-enable", typed="router-11")
    assert rig.hosts()[OSE1.hosts[0]]["admin"] == "disabled" and "disabled" in browser.text("host-facts")
    act(browser, "host-enable", "host-drain")
    assert rig.hosts()[OSE1.hosts[0]]["admin"] == "enabled"
    browser.go("cluster/ose1")
    browser.type("probe-host", "app1.ch")
    browser.click("probe")
    browser.wait(lambda: browser.text("probe-results").count(" 200 ") == len(OSE1.hosts), "the answers of both hosts")
    event = rig.get("/api/v1/events?kind=probed&limit=1")["events"][0]
    assert "2 of 2" in event["text"] and event["who"].startswith("test-admin@"), event
    assert not browser.complaints()


def test_dialogs(rig: Rig) -> None:
    """A dialog goes with its view. One whose plan has changed wants to be looked at again, and to be forced again. The
    keyboard is somewhere also after one whose button has gone."""
    start(rig)
    browser = browse(rig, "admin", "cluster/ose2")
    browser.click("cluster-drain")
    browser.wait(lambda: browser.has("plan"), "the plan")
    browser.find("plan").find_element("css selector", "a.name").click()
    browser.wait(lambda: browser.has("shares") and not browser.all("dialog"), "the route's page, without the dialog")
    browser.go("cluster/ose2")
    browser.click("cluster-drain")
    browser.type("typed", "ose2")
    browser.click("force")
    assert rig.api("PUT", "/api/v1/routes/app1.ch/clusters/ose2/weight", {"weight": 33})[0] == 200
    browser.click("apply")
    browser.wait(lambda: "look at the new plan" in browser.text("dialog"), "the plan has changed")
    assert not browser.find("force").is_selected() and not browser.find("apply").is_enabled(), "it is forced already"
    assert rig.api("POST", "/api/v1/clusters/ose2/drain", {"force": True})[0] == 200
    browser.wait(lambda: browser.all("cluster-enable"), "the button is another one")
    browser.find("reason").send_keys("\ue00c")
    browser.wait(lambda: not browser.all("dialog"), "Escape closes it")
    assert browser.run("return document.activeElement.tagName") == "H1", "the keyboard is nowhere"
    assert not browser.complaints()


def test_closes_chosen_connections(rig: Rig) -> None:
    """Of two connections the one that is ticked is closed, and no other. To close all tells how many there are now."""
    start(rig)
    with contextlib.closing(Held("only1.ch")), contextlib.closing(Held("only1.ch")):
        browser = browse(rig, view=FILTERED)
        browser.wait(lambda: browser.text("conns-total") == "2" and len(ticks(browser)) == 2, "both connections")
        ticks(browser)[0].click()
        chosen = browser.driver.find_element("css selector", "[data-testid=connections] tbody th").text.strip()
        assert browser.text("close-chosen") == "Close 1 chosen…"
        act(browser, "close-chosen", "-close-chosen")
        browser.wait(lambda: browser.text("conns-total") == "1", "one is left")
        left = rig.get("/api/v1/connections?route=only1.ch")
        assert left["total"] == 1 and left["connections"][0]["client"] != chosen, (left, chosen)
        assert "closed" in browser.text("toast") and "as of" in browser.text("conns-when")
        with contextlib.closing(Held("only1.ch")):
            browser.click("close-all")
            browser.wait(lambda: "2 connections would be closed" in browser.text("dialog"), "how many there are now")
            assert browser.text("close-all") == "Close all that match…"
            browser.type("typed", "close")
            browser.click("apply")
            browser.wait(lambda: browser.text("conns-total") == "0", "none is left")
    assert not browser.complaints()
