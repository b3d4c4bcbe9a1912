"""A cluster API that is slow, broken, away or lying takes no application down, and 5 s after the end of the trouble all
is known again."""

from __future__ import annotations

import signal
import time

from demonet import apis
from demonet.client import fetch
from demonet.supervisor import await_true
from rig import Rig
from traffic import Load
from watched import OSE1, RECOVERY, STEADY, VISIBLE, Watched, await_ready, begin, name, route, routes

APP = name("app")
FAULT_SECONDS = 2.5  # as long as a fault lasts where nothing tells that it has been met


def assert_kept(watched: Watched, before: dict[str, dict[str, int]]) -> None:
    """No name and no weight of before is missing."""
    now = watched.weights()
    assert {host: now.get(host) for host in before} == before


def test_down_at_start(rig: Rig) -> None:
    """The very first start with one API down: the other cluster serves, and this one 5 s after it is up."""
    watched = begin(rig, [route(APP)], start=False)
    with watched.one.fault("down"):
        watched.restart_control()
        watched.await_served(STEADY[1], "ose2", 15)
        watched.await_words("refused")
        watched.await_applied(15)  # the dataplane may still have had the tables of an earlier test
        assert fetch(APP).status == 404
    watched.await_served(APP, "ose1", RECOVERY)
    await_ready(watched)


def test_cold_start_with_every_api_down(rig: Rig) -> None:
    """Control starts while all APIs are down: it serves from the last state at once, and says so."""
    watched = begin(rig, [route(APP, weight=30)], [route(APP, weight=60)])
    watched.rig.programs.stop("control")
    with Load(APP, threads=2, rate=100) as load, watched.one.fault("down"), watched.two.fault("down"):
        watched.rig.programs.start("control")
        watched.await_weights(APP, 3, ose1=30, ose2=60)
        shares = watched.shares(APP, 30)  # the load takes some of the turns
        assert sum(shares.values()) == 30 and abs(shares["ose1"] - 10) <= 3, shares
        watched.await_words("refused")
        assert '"stale": true' in watched.words() or "saved" in watched.words(), watched.words()
    assert not load.result.errors, load.result
    watched.proves_live()


def test_dataplane_starts_with_every_api_down(rig: Rig) -> None:
    """Both programs start anew while all APIs are down: they serve from the state file."""
    watched = begin(rig, [route(APP)])
    rig.dirty = True
    for program in ("control", "dataplane"):
        rig.programs.stop(program)
    with watched.one.fault("down"), watched.two.fault("down"):
        for program in ("dataplane", "control"):
            rig.programs.start(program)
        watched.await_served(APP, "ose1", 15)
        watched.await_served(STEADY[1], "ose2", 5)
    watched.proves_live()


def run_fault(watched: Watched, fault: str, seconds: float = FAULT_SECONDS, **parameters: object) -> None:
    """ose1's API has a fault for a while, with changes in it: nothing is withdrawn, and what changed is known after."""
    before = watched.weights()
    with watched.unharmed(name(0)):
        with watched.one.fault(fault, **parameters):
            if fault in ("status", "gone", "garbage"):
                watched.one.act("cut")  # these meet only new requests
            watched.one.create(route(name("during")))
            watched.one.weigh("r1-demo-ch", 40)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                assert {host: watched.weights().get(host) for host in before if host != name(1)} == \
                    {host: weights for host, weights in before.items() if host != name(1)}
                time.sleep(0.1)
        watched.await_served(name("during"), "ose1", RECOVERY)
        watched.await_weights(name(1), RECOVERY, ose1=40)
        watched.proves_live()
    before[name(1)] = {"ose1": 40}
    assert_kept(watched, before)


def test_down_later(rig: Rig) -> None:
    """Refused for longer than any back-off of the beginning."""
    run_fault(begin(rig, routes(8)), "down", 6)


def test_cut_in_a_line(rig: Rig) -> None:
    """Every event is cut in the middle of its line."""
    run_fault(begin(rig, routes(8)), "cut")


def test_gone_as_event(rig: Rig) -> None:
    """A storm of 410 as ERROR event in every stream."""
    watched = begin(rig, routes(8))
    run_fault(watched, "gone", how="event")
    assert watched.one.state()["counts"]["list routes"] < 30, "it lists without end"


def test_gone_as_status(rig: Rig) -> None:
    """A storm of 410 as answer to every watch."""
    run_fault(begin(rig, routes(8)), "gone", how="status")


def test_busy(rig: Rig) -> None:
    """429 in plain text, with Retry-After."""
    run_fault(begin(rig, routes(8)), "status", code=429)


def test_unavailable(rig: Rig) -> None:
    """503 with Retry-After: Routes fail while Pods are served."""
    run_fault(begin(rig, routes(8)), "status", code=503, retry_after=2, resources=["routes"])


def test_crd_missing(rig: Rig) -> None:
    """The API group is away for a moment: 404."""
    run_fault(begin(rig, routes(8)), "status", 1, code=404, resources=["routes"])


def test_garbage(rig: Rig) -> None:
    """Every watch begins with a line that is no JSON."""
    run_fault(begin(rig, routes(8)), "garbage", line="}{\u0000 garbage")


def test_repeated_events(rig: Rig) -> None:
    """Every event comes twice."""
    run_fault(begin(rig, routes(8)), "twice", 1)


def test_swapped_events(rig: Rig) -> None:
    """Events come out of order."""
    run_fault(begin(rig, routes(8)), "swap", 1)


def test_small_pieces(rig: Rig) -> None:
    """Chunks and packets of a few bytes."""
    run_fault(begin(rig, routes(8)), "chunks", 1, bytes=9)


def test_silent_hang(rig: Rig) -> None:
    """The watch hangs and says nothing, then goes on."""
    run_fault(begin(rig, routes(8)), "hang")


def test_stopped_process(rig: Rig) -> None:
    """The API server's process is stopped; the other cluster is not held up."""
    watched = begin(rig, routes(8))
    before = watched.weights()
    with watched.unharmed(name(0)):
        rig.programs.signal(f"api-{OSE1.name}", signal.SIGSTOP)
        watched.proves_live(VISIBLE, watched.two)
        rig.programs.signal(f"api-{OSE1.name}", signal.SIGCONT)
        watched.proves_live()
    assert_kept(watched, before)


def test_restarts_of_both(rig: Rig) -> None:
    """Both API servers restart: every watch gets a 410."""
    watched = begin(rig, routes(8), routes(8, weight=5))
    before = watched.weights()
    with watched.unharmed(name(0)):
        for _ in range(3):
            for api in (watched.one, watched.two):
                api.act("restart")
            watched.proves_live(api=watched.one)
            watched.proves_live(api=watched.two)
    assert_kept(watched, before)


def test_second_page_fails(rig: Rig) -> None:
    """A list of 3 pages whose second fails, expires or is cut: the table stays, nothing is half applied."""
    watched = begin(rig)
    watched.one.act("load", count=1200, domain="bulk.ch", weight=7)
    watched.await_weights("r1199.bulk.ch", RECOVERY, ose1=7)
    with watched.unharmed():
        for code in (500, 410, 0):
            with watched.one.fault("page", code=code, resources=["routes"]):
                watched.one.act("restart")
                watched.one.create(route(name(f"page-{code}")))
                time.sleep(1)
                assert watched.cluster()["routes"] >= 1201
                assert watched.route("r1199.bulk.ch")["ose1"]["weight"] == 7
            watched.await_served(name(f"page-{code}"), "ose1", RECOVERY)


def test_future_version(rig: Rig) -> None:
    """etcd is restored from a backup, so that our version is of the future: nothing is withdrawn, nothing is missed."""
    watched = begin(rig, routes(8))
    before = watched.weights()
    with watched.unharmed(name(0)):
        revision = watched.one.state()["revision"]
        watched.one.act("restore", revision=revision - 5)
        watched.one.create(route(name("after")))
        watched.await_served(name("after"), "ose1", RECOVERY)
        assert_kept(watched, before)
        watched.proves_live()


# --- credentials ---

def test_new_token(rig: Rig) -> None:
    """401 is said as such; a new token in the file is used within 5 s."""
    watched = begin(rig, routes(8))
    before = watched.weights()
    user = {"user": "system:serviceaccount:pointsman:pointsman", "role": "reader"}
    with watched.unharmed(name(0)):
        watched.one.settings(tokens={"second": user})
        watched.one.act("cut")
        watched.await_words("status 401")
        assert_kept(watched, before)
        with open(apis.token_file(rig.run_dir, OSE1), "w", encoding="ascii") as file:
            file.write("second\n")
        watched.proves_live()


def test_denied(rig: Rig) -> None:
    """403 is said as such, and goes when the rights are given."""
    watched = begin(rig, routes(8))
    before = watched.weights()
    token = f"token-of-{OSE1.name}"
    user = {"user": "system:serviceaccount:pointsman:pointsman", "role": "none"}
    with watched.unharmed(name(0)):
        watched.one.settings(tokens={token: user})
        watched.one.act("cut")
        watched.await_words("status 403")
        assert "forbidden" in watched.words() and token not in watched.words()
        assert_kept(watched, before)
        watched.one.settings(tokens={token: user | {"role": "reader"}})
        watched.proves_live()


# --- lies ---

def relist(watched: Watched) -> None:
    """The watches break, and cannot go on where they were."""
    watched.one.act("restart")


def test_empty_list_of_routes(rig: Rig) -> None:
    """8 Routes, then none: all are held and go on serving; when they are back, nothing is held."""
    watched = begin(rig, routes(7))
    before = watched.weights()
    with watched.unharmed(name(0)):
        with watched.one.fault("empty", resources=["routes"]):
            relist(watched)
            await_true(lambda: STEADY[0] in watched.held(), RECOVERY, "all Routes are held")
            assert all(name(number) in watched.held() for number in range(7))
            assert_kept(watched, before)
        relist(watched)
        watched.proves_live()
        await_true(lambda: name(0) not in watched.held(), RECOVERY, "nothing is held")
    assert_kept(watched, before)


def test_empty_list_of_pods(rig: Rig) -> None:
    """No router Pod at all: the router hosts are held and go on serving."""
    watched = begin(rig, routes(7))
    with watched.unharmed(name(0)):
        with watched.one.fault("empty", resources=["pods"]):
            relist(watched)
            await_true(lambda: OSE1.hosts[0] in watched.held(), RECOVERY, "the router hosts are held")
            assert watched.shares(name(0), 10) == {"ose1": 10}
        relist(watched)
        watched.proves_live()
        await_true(lambda: OSE1.hosts[0] not in watched.held(), RECOVERY, "nothing is held")


def lose(watched: Watched, numbers: range) -> None:
    """These Routes are gone in one list."""
    with watched.one.fault("hang"):
        for number in numbers:
            watched.one.delete_route(f"r{number}-demo-ch")
        relist(watched)


def test_many_gone_in_one_list(rig: Rig) -> None:
    """60 Routes, 40 % gone at once: held, serving, listed with the reason; gone when confirmed."""
    watched = begin(rig, routes(60))
    with watched.unharmed(name(0)):
        lose(watched, range(24))
        await_true(lambda: name(23) in watched.held(), RECOVERY, "they are held")
        assert watched.shares(name(0), 5) == {"ose1": 5}
        watched.proves_live()
        watched.one.create(route(name(1)))
        await_true(lambda: f'"{name(1)}"' not in watched.held(), VISIBLE, "what comes back is held no more")
        before = watched.held()
        watched.restart_control()
        await_ready(watched)
        assert f'"{name(23)}"' in watched.held() and f'"{name(1)}"' not in watched.held(), before
    watched.confirm()
    watched.await_unknown(name(23))
    assert watched.hosts_known(name(1)) and not watched.hosts_known(name(0))


def test_few_gone_in_one_list(rig: Rig) -> None:
    """9 of 60 gone: they go at once."""
    watched = begin(rig, routes(60))
    with watched.unharmed(name(59)):
        lose(watched, range(9))
        watched.await_unknown(name(0), RECOVERY)
        watched.await_unknown(name(8), RECOVERY)


def test_burst_of_deletions(rig: Rig) -> None:
    """The same 40 % one after the other, in whatever portions they are seen: within a minute at most 30 % go, the
    others are held and serve."""
    watched = begin(rig, routes(60))
    deleted = [name(number) for number in range(24)]

    def held() -> list[str]:
        """Those that are held, once each of them is held or gone; []: not yet."""
        known, words = watched.weights(), watched.held()
        left = [one for one in deleted if one in known]
        return left if all(f'"{one}"' in words for one in left) else []

    with watched.unharmed(name(59)):
        for number in range(24):
            watched.one.delete_route(f"r{number}-demo-ch")
        left = await_true(held, RECOVERY, "they are held or gone")
        assert len(left) >= len(deleted) - 61 * 30 // 100, left
        assert watched.shares(left[-1], 5) == {"ose1": 5}


def test_parked_routes_are_not_held(rig: Rig) -> None:
    """60 Routes that wait for a weight are deleted: they get no connections, so they go at once."""
    watched = begin(rig, routes(60))
    for item in routes(60):
        watched.two.create(item)
    watched.await_weights(name(59), ose1=100, ose2=0)
    with watched.unharmed(name(0)):
        for number in range(60):
            watched.two.delete_route(f"r{number}-demo-ch")
        await_true(lambda: all(watched.route(name(number)).keys() == {"ose1"} for number in (0, 30, 59)), RECOVERY,
                   "they are gone from ose2")
        assert name(0) not in watched.held()


def test_most_router_hosts_gone(rig: Rig) -> None:
    """Both Pods of ose1 are deleted while their router hosts pass their checks: they are held."""
    watched = begin(rig)
    with watched.unharmed():
        for pod in ("router-default-11", "router-default-12"):
            watched.one.delete_pod(pod)
        await_true(lambda: OSE1.hosts[1] in watched.held(), RECOVERY, "a router host is held")
        assert watched.shares(STEADY[0], 10) == {"ose1": 10}
