"""The entry point behind scripts/bench, which holds the lock, the hugepages and the build."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from demonet.network import NetworkError
from demonet.supervisor import ProgramError


def main() -> int:
    """Errors are for people: the cause, and no traceback."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--build", required=True, help="the build directory")
    parser.add_argument("--run", required=True, help="where logs and pid files go")
    parser.add_argument("--json", required=True, help="the file for the figures, a JSON object per line")
    parser.add_argument("--readme", default="", help="put the table into this file")
    parser.add_argument("name", help="which bench")
    given = parser.parse_args()
    bench = importlib.import_module(f"benches.bench_{given.name}")
    try:
        return bench.run(given.run, os.path.abspath(given.build), given.json, given.readme)
    except (NetworkError, ProgramError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
