#!/usr/bin/env python3
"""Runs one stand-in API server: python3 tests/apiserver --control FILE [--listen ADDRESS:PORT ...]. See --help."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from apiserver.server import Server, Settings  # noqa: E402


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="apiserver", description=__doc__.split(":", maxsplit=1)[0])
    parser.add_argument("--control", required=True, help="the Unix socket for tests and for administration")
    parser.add_argument("--listen", default="", metavar="ADDRESS:PORT", help="where the API is served")
    parser.add_argument("--certificate", default="", help="PEM file with the server's certificate and key: TLS")
    parser.add_argument("--tokens", default="", help='JSON file: {"TOKEN": {"user": NAME, "role": "reader"}}; roles '
                        "are reader (list and watch, as pointsman has), developer (writes Routes) and admin")
    parser.add_argument("--seed", default="", help='JSON file with the first objects: {"routes": [], "pods": []}')
    parser.add_argument("--domain", default="apps.cluster.test", help="of generated host names")
    parser.add_argument("--minor", type=int, default=26, help="Kubernetes 1.N: 27 knows watches that begin with a list")
    parser.add_argument("--bookmark-seconds", type=float, default=60.0, help="between two bookmarks of a watch")
    return parser.parse_args()


def read_json(path: str) -> dict:
    """A JSON file; nothing without a path."""
    if not path:
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main() -> None:
    """Serves until it is ended."""
    given = arguments()
    settings = Settings(control=given.control, listen=given.listen, certificate=given.certificate,
                        domain=given.domain, minor=given.minor, bookmark_seconds=given.bookmark_seconds,
                        tokens=read_json(given.tokens))
    server = Server(settings)
    server.seed(read_json(given.seed))
    try:
        asyncio.run(server.serve())
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
