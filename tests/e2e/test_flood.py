"""SYN floods from spoofed sources: at half of what the rig can forward nobody is harmed, at any rate nothing is lost
for good."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import threading
import time
from typing import Iterator

from books import Books
from demonet import names, network
from demonet.balancer import CONTROL, DATAPLANE
from demonet.client import fetch
from demonet.supervisor import ProgramError, await_true
from rig import Rig
from scale import scale
from test_accounting import await_in_use, idle

MEASURE_SECONDS = 2
GOOD_CONNECTIONS = 200
RECOVERY_SECONDS = 2.0
MEMORY_GROWTH_MAX = 8 << 20  # bytes of resident memory that a flood may add to a program


class Flood:
    """SYNs to the VIP from all of 198.18.0.0/15, at `rate` per second (0: as many as possible) for `seconds`."""

    def __init__(self, rig: Rig, rate: float, seconds: float) -> None:
        device = json.loads(network.run("ip", "-n", names.EDGE, "-j", "link", "show", "north"))[0]
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", names.CLIENT, "taskset", "-c", names.other_cores(), f"{rig.build}/tests/synflood",
             "edge", device["address"], names.CLIENT_RANGE, names.VIP, "80", str(int(rate)), str(seconds)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        rig.defer(self._process.kill)

    def running(self) -> bool:
        """Is it still sending?"""
        return self._process.poll() is None

    def sent(self) -> int:
        """Waits for its end: how many SYNs it was."""
        output, errors = self._process.communicate()
        seen = re.match(r"(\d+) sent", output)
        if not seen:
            raise ProgramError(f"synflood: {errors.strip()}")
        return int(seen[1])


def ignore_answers(rig: Rig) -> None:
    """The spoofed sources do not exist: pm-client, which has these addresses, says nothing about the answers."""
    rig.nft(names.CLIENT, 'table netdev flood {\n chain input { type filter hook ingress device "edge" priority 0;'
                          f" ip daddr {names.CLIENT_RANGE} drop; }}\n}}\n")
    rig.defer(rig.run, names.CLIENT, "nft", "delete", "table", "netdev", "flood")


def forwarded(rig: Rig) -> int:
    """Packets that have left by the edge's south port."""
    return rig.interface_statistics()["south"]["rx_packets"]


@contextlib.contextmanager
def testpmd(rig: Rig) -> Iterator[None]:
    """DPDK's own forwarder between the edge's ports in pointsman's place."""
    rig.stop()
    lcores = rig.default_config()["dataplane"]["lcores"]
    with open(f"{rig.run_dir}/logs/testpmd.log", "wb") as log:
        process = subprocess.Popen(
            ["ip", "netns", "exec", names.EDGE, "dpdk-testpmd", f"--lcores={lcores}", "--in-memory",
             "--no-pci", "--no-telemetry", "--iova-mode=va", "--socket-mem=256",
             "--vdev=net_af_xdp0,iface=north,busy_budget=0", "--vdev=net_af_xdp1,iface=south,busy_budget=0",
             "--", "--forward-mode=io", "--nb-cores=1", "--auto-start"],
            stdin=subprocess.PIPE, stdout=log, stderr=log)

    def forwards() -> bool:
        before = forwarded(rig)
        return Flood(rig, 0, 0.1).sent() > 0 and forwarded(rig) - before > 1000
    try:
        await_true(forwards, 15, "testpmd forwards")
        yield
        process.communicate(b"\n", timeout=10)  # asks it to end
    finally:
        process.kill()
        process.wait()
        for port in ("north", "south"):
            network.run("ip", "-n", names.EDGE, "link", "set", "dev", port, "xdp", "off")


def rig_limit(rig: Rig) -> float:
    """Packets per second that testpmd forwards from north to south under as many SYNs as can be sent."""
    with testpmd(rig):
        before, begun = forwarded(rig), time.monotonic()
        Flood(rig, 0, MEASURE_SECONDS).sent()
        return (forwarded(rig) - before) / (time.monotonic() - begun)


def resident(rig: Rig, program: str) -> int:
    """Bytes of resident memory of a program, hugepages aside."""
    with open(f"/proc/{rig.programs.pid(program)}/status", encoding="ascii") as file:
        found = re.search(r"VmRSS:\s+(\d+) kB", file.read())
    assert found
    return int(found[1]) << 10


class GoodClients:
    """Connections of a client that is not part of the flood, spread over some seconds."""

    def __init__(self, count: int, seconds: float, threads: int = 4) -> None:
        self.errors: list[str] = []
        self.times: list[float] = []
        self._threads = [threading.Thread(target=self._work, args=(i, threads, count, seconds), daemon=True)
                         for i in range(threads)]
        for thread in self._threads:
            thread.start()

    def _work(self, first: int, step: int, count: int, seconds: float) -> None:
        begun = time.monotonic()
        for number in range(first, count, step):
            time.sleep(max(0.0, begun + seconds * number / count - time.monotonic()))
            before = time.monotonic()
            try:
                answer = fetch("app1.ch", source=names.CLIENT_ADDRESS)
                if answer.status != 200:
                    self.errors.append(answer.text)
            except OSError as error:
                self.errors.append(repr(error))
            self.times.append(time.monotonic() - before)

    def join(self) -> None:
        """Waits until all are made."""
        for thread in self._threads:
            thread.join()


def assert_syns(seen: dict[str, int], sent: int, good: int) -> None:
    """Every SYN was answered or is among those that the link or the ring lost, which may include some frames of good
    connections too, and these may have repeated their SYNs."""
    lost = seen["port.north.rx_ring_full"] + seen["port.north.rx_errors"] + seen["peer.north.tx_dropped"]
    surplus = seen["counter.answered_syn"] + lost - sent
    assert good <= surplus <= 10 * good + 100, f"{sent} SYNs sent, {surplus} more answered or lost"


def test_half_of_the_rig(rig: Rig) -> None:
    """A flood at half the rate that testpmd forwards here: every one of 200 good connections succeeds."""
    limit = rig_limit(rig)
    rig.start()
    ignore_answers(rig)
    before, books = idle(rig), Books(rig)
    seconds = float(scale("flood_seconds"))
    flood = Flood(rig, limit / 2, seconds)
    good = GoodClients(GOOD_CONNECTIONS, seconds * 0.9)
    good.join()
    assert flood.running(), "the good clients were slower than the flood"
    sent = flood.sent()
    print(f"     testpmd forwards {limit:.0f}/s; flood of {sent / seconds:.0f}/s; slowest good connection"
          f" {max(good.times):.3f} s")
    assert sent > 0.9 * limit / 2 * seconds, f"only {sent} SYNs in {seconds} s"
    assert not good.errors, (len(good.errors), good.errors[:3])
    await_in_use(rig, before, 15)
    seen = books.balance()
    assert_syns(seen, sent, GOOD_CONNECTIONS)


def test_full_flood(rig: Rig) -> None:
    """As many SYNs as can be sent: memory is bounded, every frame accounted for, what the ring dropped included, and
    2 s after its end all is as before."""
    rig.start()
    ignore_answers(rig)
    memory = {program: resident(rig, program) for program in (DATAPLANE, CONTROL)}
    before, books = idle(rig), Books(rig)
    flood = Flood(rig, 0, float(scale("flood_seconds")))
    sent = flood.sent()
    ended = time.monotonic()
    await_true(lambda: fetch("app1.ch", timeout=0.5).status == 200, RECOVERY_SECONDS, "served after the flood")
    time.sleep(max(0.0, ended + RECOVERY_SECONDS - time.monotonic()))
    for _ in range(50):
        begun = time.monotonic()
        assert fetch("app1.ch").status == 200
        assert time.monotonic() - begun < 0.2, "not fully recovered"
    await_in_use(rig, before, 15)
    seen = books.balance()
    print(f"     {sent} sent, {seen['counter.answered_syn']} answered, {seen['port.north.rx_ring_full']} lost by the"
          f" ring, {seen['peer.north.tx_dropped']} by the link")
    assert_syns(seen, sent, 51)
    for program, size in memory.items():
        growth = resident(rig, program) - size
        assert growth <= MEMORY_GROWTH_MAX, f"{program} has grown by {growth >> 20} MiB"
