#!/usr/bin/env python3
"""Runs the README's commands as they are written: the ```sh blocks of its section "Try it", in order, from the
repository's root. Left out are the lines that fetch the repository. Called by scripts/test, as root:

    tests/e2e/readme.py README.md RESULTS
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time

SECTION = re.compile(r"^## Try it$(.*?)(?=^## |\Z)", re.M | re.S)
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
FETCHES = ("git clone ", "cd ")
LIMIT = 600  # seconds for one command


def commands(readme: str) -> list[str]:
    """The commands in their order; lines that end in a backslash go on in the next."""
    section = SECTION.search(readme)
    if not section:
        return []
    lines = "".join(BLOCK.findall(section[1])).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith(("#", *FETCHES))]


def run(command: str, root: str) -> tuple[bool, float]:
    """One command in a shell, without sudo where there is none: we are root."""
    if not shutil.which("sudo"):
        command = re.sub(r"\bsudo ", "", command)
    before = time.monotonic()
    try:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=root, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT, check=False)
        passed, output = done.returncode == 0, done.stdout
    except subprocess.TimeoutExpired:
        passed, output = False, f"took more than {LIMIT} s\n"
    if not passed:
        print(output, end="")
    return passed, time.monotonic() - before


def main() -> int:
    """0 when every command succeeded."""
    path, results = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        found = commands(file.read())
    outcomes = [(command, *run(command, os.path.dirname(os.path.abspath(path)))) for command in found]
    outcomes = outcomes or [("README.md has ```sh blocks under '## Try it'", False, 0.0)]
    with open(results, "a", encoding="utf-8") as file:
        for command, passed, seconds in outcomes:
            word = "ok" if passed else "FAIL"
            print(f"{word:4} {seconds:7.1f} s  {command}", flush=True)
            file.write(f"readme\t{command}\t{seconds:.2f}\t{word}\n")
    return 0 if all(passed for _, passed, _ in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
