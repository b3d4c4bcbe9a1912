"""Label and field selectors."""

from __future__ import annotations

import re
from typing import Callable

from .answers import bad_request

Match = Callable[[dict], bool]  # an object -> does it match?

_SET = re.compile(r"\s*(\S+)\s+(in|notin)\s*\(([^)]*)\)\s*$")
_EQUAL = re.compile(r"\s*([^!=\s]+)\s*(==|=|!=)\s*(\S*)\s*$")
_EXISTS = re.compile(r"\s*(!?)\s*([^!=\s(),]+)\s*$")
FIELDS = ("metadata.name", "metadata.namespace")


def _split(text: str) -> list[str]:
    """At commas that stand in no parentheses."""
    return re.split(r",(?![^(]*\))", text)


def _one_label(text: str) -> Match:
    def labels(item: dict) -> dict:
        return item["metadata"].get("labels") or {}
    if found := _SET.match(text):
        key, values = found[1], {value.strip() for value in found[3].split(",")}
        if found[2] == "in":
            return lambda item: labels(item).get(key) in values
        return lambda item: labels(item).get(key) not in values
    if found := _EQUAL.match(text):
        key, value = found[1], found[3]
        if found[2] == "!=":
            return lambda item: labels(item).get(key) != value
        return lambda item: labels(item).get(key) == value
    if found := _EXISTS.match(text):
        wanted, key = not found[1], found[2]
        return lambda item: (key in labels(item)) == wanted
    raise bad_request(f'unable to parse requirement: found \'{text}\'')


def _one_field(text: str) -> Match:
    found = _EQUAL.match(text)
    if not found:
        raise bad_request(f'invalid selector: \'{text}\'; can\'t understand \'{text}\'')
    if found[1] not in FIELDS:
        raise bad_request(f'field label not supported: {found[1]}')
    key, value, wanted = found[1].split(".")[1], found[3], found[2] != "!="
    return lambda item: (item["metadata"][key] == value) == wanted


def selector(labels: str, fields: str) -> Match | None:
    """What both ask for; None: everything matches."""
    tests = [_one_label(part) for part in _split(labels) if part.strip()]
    tests += [_one_field(part) for part in fields.split(",") if part.strip()]
    if not tests:
        return None
    return lambda item: all(test(item) for test in tests)
