"""How much of it the end-to-end tests do: a short measure for every day, a long one for `scripts/test --long`."""

from __future__ import annotations

FACTOR: dict[str, dict[str, float]] = {
    "weighted_connections": {"short": 900, "long": 9_000},
    "transfer_bytes": {"short": 100_000_000, "long": 200_000_000},
    "kept_alive_connections": {"short": 200, "long": 200},
    "kept_alive_seconds": {"short": 10, "long": 120},
    "one_request_connections": {"short": 20_000, "long": 200_000},
    "calls_from_router_hosts": {"short": 100, "long": 1_000},
    "cluster_puts": {"short": 200, "long": 1_000},
    "control_stopped_seconds": {"short": 10, "long": 60},
    "control_kills_in_start": {"short": 25, "long": 100},
    "control_kills_in_changes": {"short": 20, "long": 200},
    "random_aborts": {"short": 10_000, "long": 100_000},
    "slow_host_connections": {"short": 1_000, "long": 1_000},
    "overhead_requests": {"short": 100, "long": 1_000},
    "requests_per_weights": {"short": 303, "long": 1_000},
    "shifted_connections": {"short": 800, "long": 10_000},
    "own_history_seconds": {"short": 0, "long": 150},  # until the page shows nothing but what it has seen itself
    "flood_seconds": {"short": 5, "long": 10},
    "fuzz_seconds": {"short": 6, "long": 120},
    "test_limit_seconds": {"short": 180, "long": 900},  # a test that takes longer has failed
}

_measure = "short"


def choose(long: bool) -> None:
    """Sets the measure for the whole run."""
    global _measure  # pylint: disable=global-statement
    _measure = "long" if long else "short"


def scale(name: str) -> int:
    """The figure of this run."""
    return int(FACTOR[name][_measure])
