#!/usr/bin/env python3
"""Runs the end-to-end tests: every function test_* in tests/e2e/test_*.py, each given the Rig. As root:

    tests/e2e/harness.py --build DIR [--long] [--results FILE] [NAME...]

NAME is a part of "file.function". Standard library only. scripts/test calls this; it holds the lock and the hugepages.
"""

from __future__ import annotations

import argparse
import glob
import importlib
import os
import signal
import sys
import time
import traceback
from typing import Callable

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import scale  # noqa: E402
from rig import CONTROL, DATAPLANE, Rig  # noqa: E402
from demonet import names  # noqa: E402

LOG_LINES = 40  # of each program, shown when a test fails


def discover(wanted: list[str]) -> list[tuple[str, Callable[[Rig], None]]]:
    """The tests in the order of files and, within a file, as written."""
    found = []
    for path in sorted(glob.glob(f"{HERE}/test_*.py")):
        module = importlib.import_module(os.path.basename(path)[:-3])
        for name, function in vars(module).items():
            full = f"{module.__name__.removeprefix('test_')}.{name.removeprefix('test_')}"
            if name.startswith("test_") and callable(function) and any(part in full for part in wanted or [""]):
                found.append((full, function))
    return found


def _too_long(*_: object) -> None:
    # Not TimeoutError: whoever waits for a condition takes an OSError for "not yet".
    raise AssertionError(f"the test took more than {scale.scale('test_limit_seconds')} s")


def run_one(rig: Rig, name: str, function: Callable[[Rig], None]) -> tuple[bool, float]:
    """One test; a failure is shown with the ends of what both programs logged in it."""
    before = time.monotonic()
    rig.before_test()
    signal.alarm(scale.scale("test_limit_seconds"))
    try:
        function(rig)
        passed = True
    except Exception:  # pylint: disable=broad-exception-caught
        passed = False
        print(traceback.format_exc())
        for program in (DATAPLANE, CONTROL):
            print(f"--- {program}", *rig.log(program).splitlines()[-LOG_LINES:], sep="\n")
    finally:
        signal.alarm(0)
    try:
        rig.after_test(not passed)
    except Exception:  # pylint: disable=broad-exception-caught
        passed = False
        print(traceback.format_exc())
    seconds = time.monotonic() - before
    print(f"{'ok  ' if passed else 'FAIL'} {seconds:7.1f} s  {name}", flush=True)
    return passed, seconds


def run_all(rig: Rig, tests: list[tuple[str, Callable[[Rig], None]]], results: str) -> int:
    """The network, then all tests; returns how many failed. Each one's outcome is also added to `results`: suite,
    name, seconds, ok or FAIL."""
    outcomes = []
    for name, function in [("set_up", Rig.set_up), *tests]:
        passed, seconds = run_one(rig, name, function)
        outcomes.append((seconds, name, passed))
        if results:
            with open(results, "a", encoding="utf-8") as file:
                file.write(f"end-to-end\t{name}\t{seconds:.2f}\t{'ok' if passed else 'FAIL'}\n")
        if not passed and function is Rig.set_up:
            break
    failed = sum(not passed for _, _, passed in outcomes)
    if not results:
        print("The slowest:")
        for seconds, name, _ in sorted(outcomes, reverse=True)[:10]:
            print(f"  {seconds:7.1f} s  {name}")
        print(f"{len(outcomes) - failed} passed, {failed} failed")
    return failed


def main() -> int:
    """0 when all passed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True, help="the build directory")
    parser.add_argument("--run", default="/run/pointsman-test", help="where logs and pid files go")
    parser.add_argument("--long", action="store_true", help="the long measure of everything")
    parser.add_argument("--results", default="", help="add a line per test to this file")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only tests whose name has this in it")
    given = parser.parse_args()
    scale.choose(given.long)
    os.sched_setaffinity(0, {int(core) for core in names.other_cores().split(",")})
    signal.signal(signal.SIGALRM, _too_long)
    rig = Rig(given.run, os.path.abspath(given.build))
    tests = discover(given.names)
    if not tests:
        print(f"no test is named like {' or '.join(given.names) or 'test_*'}", file=sys.stderr)
        return 1
    try:
        return 1 if run_all(rig, tests, given.results) else 0
    finally:
        rig.tear_down()


if __name__ == "__main__":
    sys.exit(main())
