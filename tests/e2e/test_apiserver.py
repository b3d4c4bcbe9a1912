"""The stand-in API server lists and watches as real ones were seen to, and its faults are what they say. Needs no
network: it listens on 127.0.0.1."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time

from api_client import (ROUTES, Api, Connection, api, assert_like, assert_status, names_of, recorded, shape, types,
                        unchunked)
from apiserver.client import StandinError, pod_path, route_path
from apiserver.samples import pod, route
from rig import Rig


# --- lists ---

def three_routes(standin: Api) -> None:
    """shop/a, shop/b, shop/c"""
    for name in "abc":
        standin.create(route(name, f"{name}.test", labels={"type": "public"} if name != "b" else None))


def test_pages(_: Rig) -> None:
    """All pages show the moment of the first; the last has no token."""
    with api() as standin:
        three_routes(standin)
        first = standin.get(f"{ROUTES}?limit=2").json
        assert first["metadata"]["remainingItemCount"] == 1
        standin.delete_route("c")
        standin.create(route("d", "d.test"))
        last = standin.get(f"{ROUTES}?limit=2&continue={first['metadata']['continue']}").json
        assert [item["metadata"]["name"] for item in first["items"] + last["items"]] == ["a", "b", "c"]
        assert last["metadata"] == {"continue": "", "resourceVersion": first["metadata"]["resourceVersion"]}
        assert_status(standin.get(f"{ROUTES}?limit=2&continue=x"), 400, "BadRequest", "continue key")


def test_pages_with_selector(_: Rig) -> None:
    """A page is full although objects between do not match; the pages of a namespace end with it."""
    with api() as standin:
        three_routes(standin)
        standin.create(route("z", "z.test", "other"))
        page = standin.get(f"{ROUTES}?limit=2&labelSelector=type%3Dpublic").json
        assert [item["metadata"]["name"] for item in page["items"]] == ["a", "c"]
        assert not page["metadata"]["continue"]
        page = standin.get(f"{route_path('shop')}?limit=2").json
        rest = standin.get(f"{route_path('shop')}?limit=2&continue={page['metadata']['continue']}").json
        assert [item["metadata"]["name"] for item in page["items"] + rest["items"]] == ["a", "b", "c"]
        assert not rest["metadata"]["continue"]
        page = standin.get(f"{ROUTES}?labelSelector=type%20notin%20(public),!other").json
        assert [item["metadata"]["name"] for item in page["items"]] == ["z", "b"]


def test_continue_expired(_: Rig) -> None:
    """After a compaction a token is 410, with another for the rest as it is then."""
    with api() as standin:
        three_routes(standin)
        token = standin.get(f"{ROUTES}?limit=1").json["metadata"]["continue"]
        standin.delete_route("b")
        standin.act("compact")
        answer = standin.get(f"{ROUTES}?limit=1&continue={token}")
        assert_status(answer, 410, "Expired")
        assert_like(answer, "list-continue-410")
        assert answer.json["message"] == recorded("list-continue-410").json["message"]
        rest = standin.get(f"{ROUTES}?limit=5&continue={answer.json['metadata']['continue']}").json
        assert [item["metadata"]["name"] for item in rest["items"]] == ["c"]


def test_list_of_the_future(_: Rig) -> None:
    """A list not older than a version that does not exist waits 3 s and is 504; one that comes in time is served."""
    with api() as standin:
        begun = time.monotonic()
        answer = standin.get(f"{ROUTES}?resourceVersion=99999999")
        assert 2.9 <= time.monotonic() - begun <= 4.5
        assert_status(answer, 504, "Timeout", "Too large resource version: 99999999")
        assert_like(answer, "list-future-rv-504")
        assert answer.json["details"] == recorded("list-future-rv-504").json["details"]
        asked = Connection(standin.port).ask("GET", f"{ROUTES}?resourceVersion={standin.revision + 1}")
        standin.create(route("web", "www.shop.test"))
        assert len(asked.whole().json["items"]) == 1


def test_bad_versions(_: Rig) -> None:
    """A version that is no number is 500; a match without a version is 422; an unknown field is 400."""
    with api() as standin:
        assert_status(standin.get(f"{ROUTES}?resourceVersion=abc"), 500, "InternalError", "abc")
        assert_status(standin.get(f"{ROUTES}?resourceVersionMatch=Exact"), 422, "Invalid", "resourceVersionMatch")
        assert_status(standin.get(f"{ROUTES}?fieldSelector=spec.host%3Da"), 400, "BadRequest", "not supported")
        assert_status(standin.get(f"{ROUTES}?limit=x"), 400, "BadRequest")


def test_pretty_and_packed(_: Rig) -> None:
    """curl gets indented JSON; more than 128 KiB are gzipped for who can unpack it."""
    with api() as standin:
        three_routes(standin)
        assert b"\n" not in standin.get(ROUTES).body
        assert standin.get(ROUTES, agent="curl/8.0").body.startswith(b'{\n  "apiVersion": "route')
        assert "content-encoding" not in standin.get(ROUTES, Accept_Encoding="gzip").headers
        standin.act("load", count=500)
        packed = standin.get(ROUTES, Accept_Encoding="gzip")
        assert packed.headers["content-encoding"] == "gzip" and packed.body[:2] == b"\x1f\x8b"
        assert len(standin.get(ROUTES).json["items"]) == 503


def test_forms_of_lists(_: Rig) -> None:
    """Lists have the form of the recorded ones: items of a CRD say what they are, Pods do not."""
    with api() as standin:
        three_routes(standin)
        standin.create(pod("router-a", "203.0.113.11"))
        for path, name in ((f"{ROUTES}?limit=1", "routes-list-page1"), (ROUTES, "routes-list"),
                           (pod_path("openshift-ingress"), "pods-list")):
            ours, wanted = standin.get(path), recorded(name)
            assert list(ours.json) == list(wanted.json), name
            assert list(ours.json["metadata"]) == list(wanted.json["metadata"]), name
            assert ("kind" in ours.json["items"][0]) == ("kind" in wanted.json["items"][0]), name
        admitted = [item for item in recorded("routes-list").json["items"] if item.get("status")]
        assert standin.routes()[0]["status"]["ingress"][0].keys() == admitted[0]["status"]["ingress"][0].keys()


# --- watches ---

def test_events(_: Rig) -> None:
    """ADDED, MODIFIED, DELETED in order; a deletion has its own version; a new watch goes on from any of them."""
    with api() as standin:
        begin = standin.revision
        watch = standin.watch()
        standin.create(route("web", "www.shop.test"))
        standin.weigh("web", 20)
        standin.delete_route("web")
        events = watch.events(4)
        assert types(events) == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"], "the second is the router's"
        versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
        assert versions == sorted(set(versions)) and versions[0] > begin
        assert events[3]["object"]["metadata"]["annotations"] == {"pointsman.io/weight": "20"}, "the last state"
        assert standin.watch(f"resourceVersion={versions[1]}").events(2) == events[2:]
        watch.close()


def test_watch_without_a_version(_: Rig) -> None:
    """It begins with ADDED for all that is there."""
    with api() as standin:
        three_routes(standin)
        for query in ("resourceVersion=", "resourceVersion=0"):
            watch = standin.watch(query)
            assert sorted(names_of(watch.events(3))) == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]
            standin.weigh("a", standin.revision % 100)
            assert names_of(watch.events(4))[3] == ("MODIFIED", "a")
            watch.close()


def test_selector_of_a_watch(_: Rig) -> None:
    """What stops matching is DELETED for this watch, what begins to match is ADDED."""
    with api() as standin:
        standin.create(route("web", "www.shop.test", labels={"type": "public"}))
        watch = standin.watch("labelSelector=type%3Dpublic")
        other = standin.watch("", route_path("other"))
        standin.patch_route("web", {"metadata": {"labels": {"type": "private"}}})
        standin.weigh("web", 1)
        standin.patch_route("web", {"metadata": {"labels": {"type": "public"}}})
        assert names_of(watch.events(2)) == [("DELETED", "web"), ("ADDED", "web")]
        assert not other.events(1, 0.2), "another namespace"
        watch.close()
        other.close()


def test_bookmarks(_: Rig) -> None:
    """At an interval, and 2 s before the end; with kind and version alone. Only for who asks."""
    with api("--bookmark-seconds", "0.3") as standin:
        watch = standin.watch("allowWatchBookmarks=true")
        marks = watch.events(2, 2)
        assert types(marks)[:2] == ["BOOKMARK", "BOOKMARK"]
        assert marks[0]["object"] == {"apiVersion": "route.openshift.io/v1", "kind": "Route",
                                      "metadata": {"resourceVersion": str(standin.revision)}}
        watch.close()
        standin.settings(bookmark_seconds=60)
        plain, asked = standin.watch("timeoutSeconds=3"), standin.watch("timeoutSeconds=3&allowWatchBookmarks=true")
        begun = time.monotonic()
        assert types(asked.events(1)) == ["BOOKMARK"]
        assert 0.7 <= time.monotonic() - begun <= 1.6
        assert plain.whole().body == b""
        asked.close()


def curl(standin: Api, query: str) -> subprocess.Popen:
    """curl on a watch."""
    return subprocess.Popen(["curl", "-sN", "-H", "Authorization: Bearer reader",
                             f"http://127.0.0.1:{standin.port}{ROUTES}?watch=1&{query}"], stdout=subprocess.PIPE)


def test_ends_of_streams(_: Rig) -> None:
    """timeoutSeconds ends a stream in good order (curl: 0), a cut does not (curl: 18)."""
    with api() as standin:
        with curl(standin, "timeoutSeconds=1") as ended:
            assert ended.wait(5) == 0
        with curl(standin, f"resourceVersion={standin.revision}") as broken:
            with standin.fault("cut"):
                while not standin.state()["watches"]["routes"]:
                    time.sleep(0.01)
                standin.create(route("web", "www.shop.test"))
                assert broken.wait(5) == 18
            assert broken.stdout and broken.stdout.read().startswith(b'{"type":"ADDED"')


def test_too_old(_: Rig) -> None:
    """An ERROR event inside a 200, after a compaction and after every restart."""
    with api() as standin:
        three_routes(standin)
        for action in ("compact", "restart"):
            old = standin.revision
            standin.act(action)
            answer = standin.watch(f"resourceVersion={old}").whole()
            assert_like(answer, "watch-too-old-410-event")
            assert shape(answer.json) == shape(recorded("watch-too-old-410-event").json)
            assert answer.json["object"]["message"].startswith(f"too old resource version: {old} (")
            assert not standin.watch(f"resourceVersion={standin.revision}").events(1, 0.1), "the newest is fine"


def test_watch_of_the_future(_: Rig) -> None:
    """It is accepted and stays silent: no event, no bookmark."""
    with api("--bookmark-seconds", "0.1") as standin:
        watch = standin.watch("resourceVersion=99999999&allowWatchBookmarks=true&timeoutSeconds=1")
        standin.create(route("web", "www.shop.test"))
        answer = watch.whole()
        assert answer.body == b"" and unchunked(watch.received.partition(b"\r\n\r\n")[2]) == (b"", True)
        assert_like(answer, "watch-future-rv-silent")


def test_restored_from_backup(_: Rig) -> None:
    """The version goes back: a watch from before is one of the future."""
    with api("--bookmark-seconds", "0.1") as standin:
        three_routes(standin)
        last = standin.revision
        standin.act("restore", revision=last - 4)
        assert standin.get(ROUTES).json["metadata"]["resourceVersion"] == str(last - 4)
        watch = standin.watch(f"resourceVersion={last}&allowWatchBookmarks=true")
        standin.weigh("a", 5)
        assert not watch.events(1, 0.3)
        watch.close()


def test_watch_that_begins_with_a_list(_: Rig) -> None:
    """1.27 knows it, and marks the end of the list; 1.26 says 422."""
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion="
    with api() as standin:
        three_routes(standin)
        answer = standin.get(f"{ROUTES}?watch=1&{query}")
        assert_status(answer, 422, "Invalid", "resourceVersionMatch is forbidden for watch")
        standin.settings(minor=27)
        watch = standin.watch(query)
        events = watch.events(4)
        assert types(events) == ["ADDED", "ADDED", "ADDED", "BOOKMARK"]
        assert events[3]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        standin.weigh("a", 5)
        assert types(watch.events(5))[4] == "MODIFIED"
        watch.close()


# --- trouble ---

def test_busy_and_starting(_: Rig) -> None:
    """429 is plain text with Retry-After: 1, 503 while starting has 5; a missing CRD is 404 in plain text."""
    with api() as standin:
        with standin.fault("status", code=429):
            answer = standin.get(ROUTES)
            assert (answer.status, answer.headers["retry-after"]) == (429, "1")
            assert answer.headers["content-type"].startswith("text/plain")
        with standin.fault("status", code=503, retry_after=5, resources=["routes"]):
            answer = standin.get(ROUTES)
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            assert standin.get(pod_path("openshift-ingress")).status == 200, "the other kind is served"
        with standin.fault("status", code=404, resources=["routes"]):
            answer = standin.get(ROUTES)
            assert_like(answer, "route-crd-404")
            assert answer.body == recorded("route-crd-404").body
        assert standin.get(ROUTES).status == 200
        assert_like(standin.get("/apis/route.openshift.io/v2/routes"), "route-crd-404")


def test_hung_process(_: Rig) -> None:
    """Stopped: the connection stays open, nothing comes and nothing ends it; continued, it goes on."""
    with api() as standin:
        watch = standin.watch("timeoutSeconds=30")
        standin.process.send_signal(signal.SIGSTOP)
        assert not watch.events(1, 0.5)
        standin.process.send_signal(signal.SIGCONT)
        standin.create(route("web", "www.shop.test"))
        assert types(watch.events(1))[:1] == ["ADDED"]
        watch.close()


def test_hang_and_down(_: Rig) -> None:
    """The faults of the same kind: what hangs goes on later, down refuses."""
    with api() as standin:
        watch = standin.watch()
        with standin.fault("hang"):
            standin.create(route("web", "www.shop.test"))
            listing = Connection(standin.port).ask("GET", ROUTES)
            assert not watch.events(1, 0.3) and not listing.events(1, 0.1)
        assert types(watch.events(1))[:1] == ["ADDED"] and len(listing.whole().json["items"]) == 1
        with standin.fault("down"):
            try:
                standin.get(ROUTES)
                raise AssertionError("it is not down")
            except ConnectionRefusedError:
                pass
            with contextlib.suppress(ConnectionResetError):
                watch.whole()
            assert not unchunked(watch.received.partition(b"\r\n\r\n")[2])[1], "cut, not ended"
        assert standin.get(ROUTES).status == 200


def test_faults_of_lists(_: Rig) -> None:
    """Empty lists, and pages that fail, expire or are cut."""
    with api() as standin:
        three_routes(standin)
        with standin.fault("empty", resources=["routes"]):
            assert standin.get(ROUTES).json["items"] == []
        token = standin.get(f"{ROUTES}?limit=1").json["metadata"]["continue"]
        for code in (500, 410):
            with standin.fault("page", code=code):
                assert standin.get(f"{ROUTES}?limit=1").status == 200
                assert standin.get(f"{ROUTES}?limit=1&continue={token}").status == code
        with standin.fault("page", code=0):
            cut = Connection(standin.port).ask("GET", f"{ROUTES}?limit=1&continue={token}")
            with contextlib.suppress(ConnectionResetError):
                cut.whole()
            assert not unchunked(cut.received.partition(b"\r\n\r\n")[2])[1]


def test_faults_of_watches(_: Rig) -> None:
    """Garbage, repeated and swapped events, 410 in both forms."""
    with api() as standin:
        with standin.fault("garbage", line="}{"):
            watch = standin.watch()
            watch.sock.settimeout(2)
            watch.received += watch.sock.recv(100) if not watch.lines() else b""
            assert watch.lines() == [b"}{"]
            watch.close()
        watch = standin.watch()
        with standin.fault("twice"):
            standin.create(route("a", "a.test"))
            assert types(watch.events(4)) == ["ADDED", "ADDED", "MODIFIED", "MODIFIED"]
        with standin.fault("swap"):
            standin.delete_route("a")
            standin.create(pod("router-a", "203.0.113.11"))
            standin.create(route("b", "b.test"))
            assert names_of(watch.events(6))[4:6] == [("ADDED", "b"), ("DELETED", "a")]
        assert names_of(watch.events(7))[6] == ("MODIFIED", "b"), "what was held back comes at last"
        standin.act("inject", resource="routes", text='{"type":"STRANGE","object":{}}\n')
        assert types(watch.events(8))[7] == "STRANGE"
        standin.fault_on("gone", how="event")
        assert types(watch.events(9))[8] == "ERROR" and not watch.events(10, 0.1)[9:]
        standin.fault_on("gone", how="status")
        assert_status(standin.get(f"{ROUTES}?watch=1&resourceVersion={standin.revision}"), 410, "Expired")
        watch.close()


def test_small_chunks(_: Rig) -> None:
    """Chunks and packets end anywhere, in the middle of lines and of characters."""
    with api() as standin:
        watch = standin.watch()
        with standin.fault("chunks", bytes=7):
            standin.create(route("web", "www.shop.test", annotations={"note": "Zürich €"}))
            events = watch.events(2)
            assert types(events) == ["ADDED", "MODIFIED"]
            assert events[0]["object"]["metadata"]["annotations"]["note"] == "Zürich €"
            assert b"\r\n7\r\n" in watch.received and len(watch.received) > 2 * len(b"".join(watch.lines()))
            assert len(standin.get(ROUTES).json["items"]) == 1
        with standin.fault("slow", seconds=0.05, bytes=500):
            begun = time.monotonic()
            assert standin.get(ROUTES).status == 200 and time.monotonic() - begun > 0.05
        watch.close()


def test_refusals_of_the_control_socket(_: Rig) -> None:
    """A fault or setting that does not exist is refused, not ignored."""
    with api() as standin:
        for action in (lambda: standin.fault_on("nonsense"), lambda: standin.settings(nonsense=1),
                       lambda: standin.act("nonsense")):
            try:
                action()
                raise AssertionError("nonsense was taken")
            except StandinError:
                pass


def test_many_routes(_: Rig) -> None:
    """A list of 20,000 Routes in pages takes a second or two, and the process stays small."""
    with api() as standin:
        standin.act("load", count=20_000, weight=50)
        begun, count, token = time.monotonic(), 0, ""
        while count == 0 or token:
            page = standin.get(f"{ROUTES}?limit=500&continue={token}").json
            count, token = count + len(page["items"]), page["metadata"].get("continue", "")
        assert count == 20_000 and time.monotonic() - begun < 10
        with open(f"/proc/{standin.process.pid}/statm", encoding="ascii") as file:
            assert int(file.read().split()[1]) * 4096 < 120 << 20
