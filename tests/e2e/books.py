"""The accounts of every frame: what pointsman's counters say, against what the far ends of its ports and the edge's
kernel have counted of the same frames."""

from __future__ import annotations

import json
import time

from demonet import names
from rig import Rig

PORTS = ("north", "south")
OUTCOMES = ("rx_", "answered_", "drop_")  # each received frame is in exactly one of these
MADE = ("tx_syn", "tx_ack", "tx_data", "tx_answer", "tx_rst")  # frames that a worker makes by itself
RULES = "table netdev books {\n" + "".join(
    f'counter {port}_{way} {{ }}\n'
    f'chain {port}_{way} {{ type filter hook {hook} device "{port}" priority 0; counter name "{port}_{way}"; }}\n'
    for port in PORTS for way, hook in (("in", "ingress"), ("out", "egress"))) + "}\n"
SETTLE_SECONDS = 6.0


class Unbalanced(AssertionError):
    """Frames that somebody has counted and somebody else has not."""


def _differences(*checks: tuple[str, int, int]) -> list[str]:
    return [f"{what}: {left} != {right}" for what, left, right in checks if left != right]


class Books:
    """Accounts from the moment of its making on:

        books = Books(rig)
        ... traffic ...
        books.balance()

    The kernel's own frames are counted by nftables: on their way in behind the XDP program, on their way out before the
    device, where frames of AF_XDP do not come by. The rules stay until the end of the test.
    """

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        rig.nft(names.EDGE, RULES)
        rig.defer(rig.run, names.EDGE, "nft", "delete", "table", "netdev", "books")
        self._begin = self._settled()

    def _kernel(self) -> dict[str, int]:
        listed = self.rig.run(names.EDGE, "nft", "-j", "list", "counters", "table", "netdev", "books").stdout
        counters = [entry["counter"] for entry in json.loads(listed)["nftables"] if "counter" in entry]
        return {f"kernel.{counter['name']}": counter["packets"] for counter in counters}

    def _read(self) -> dict[str, int]:
        """Everything that can be counted, under names with dots, at a moment at which Linux moves nothing."""
        while True:
            before = self._kernel()
            seen = before | self._others()
            if self._kernel() == before:
                return seen

    def _others(self) -> dict[str, int]:
        seen: dict[str, int] = {}
        for port, statistics in self.rig.interface_statistics().items():
            seen |= {f"peer.{port}.{what}": value for what, value in statistics.items()}
        status = self.rig.status()
        for counts in status["ports"]:
            seen |= {f"port.{counts['interface']}.{what}": value for what, value in counts.items()
                     if isinstance(value, int)}
        seen |= {f"counter.{name}": value for name, value in status["counters"].items()}
        return seen

    def read(self) -> dict[str, int]:
        """What each has counted since the beginning."""
        return {what: value - self._begin.get(what, 0) for what, value in self._read().items()}

    def counted(self) -> dict[str, int]:
        """Of the worker's counters those that have moved since the beginning."""
        return {what.removeprefix("counter."): value for what, value in self.read().items()
                if what.startswith("counter.") and value}

    @staticmethod
    def _own_faults(seen: dict[str, int]) -> list[str]:
        """Where pointsman's ports and workers do not agree."""
        outcomes = sum(value for what, value in seen.items()
                       if what.startswith(tuple(f"counter.{outcome}" for outcome in OUTCOMES)))
        answered = sum(value for what, value in seen.items() if what.startswith("counter.answered_"))
        made = sum(seen[f"counter.{name}"] for name in MADE)
        sent = seen["counter.rx_forwarded"] + answered + made - seen["counter.tx_ring_full"]
        return _differences(
            ("frames received by the ports, and their outcomes",
             sum(seen[f"port.{port}.rx_packets"] for port in PORTS), outcomes),
            ("frames sent by the ports, and what was forwarded, answered and made",
             sum(seen[f"port.{port}.tx_packets"] for port in PORTS), sent))

    @staticmethod
    def _peer_faults(seen: dict[str, int]) -> list[str]:
        """Where the ports and their peers do not agree."""
        faults = []
        for port in PORTS:
            lost = seen[f"port.{port}.rx_ring_full"] + seen[f"port.{port}.rx_errors"]
            faults += _differences(
                (f"frames sent by the peer of {port}, and those received, lost by the ring and left to Linux",
                 seen[f"peer.{port}.tx_packets"], seen[f"port.{port}.rx_packets"] + lost + seen[f"kernel.{port}_in"]),
                (f"frames received by the peer of {port}, and those sent by the port and by Linux",
                 seen[f"peer.{port}.rx_packets"], seen[f"port.{port}.tx_packets"] + seen[f"kernel.{port}_out"]))
        return faults

    def _settled(self) -> dict[str, int]:
        """What is counted when the ports' own counters, which are copied once a second, have caught up."""
        limit = time.monotonic() + SETTLE_SECONDS
        while True:
            seen = self._read()
            faults = self._own_faults(seen)
            if not faults:
                return seen
            if time.monotonic() > limit:
                raise Unbalanced("\n".join(faults))
            time.sleep(0.1)

    def balance(self) -> dict[str, int]:
        """Asserts that all accounts agree, once nothing is on its way any more; returns them."""
        limit = time.monotonic() + SETTLE_SECONDS
        while True:
            seen = self.read()
            faults = self._own_faults(seen) + self._peer_faults(seen)
            if not faults:
                return seen
            if time.monotonic() > limit:
                raise Unbalanced("\n".join([*faults, *(f"{what} {value}" for what, value in seen.items() if value)]))
            time.sleep(0.2)
