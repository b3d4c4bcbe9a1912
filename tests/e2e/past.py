"""The file in which control keeps the last 120 seconds over a restart (control/observe/history.c), filled in by a test:
so there is a whole past to compare with, and nobody has to wait for it. Standard library only."""

from __future__ import annotations

import struct

POINTS = 120
HEAD = struct.Struct("<8sIIQq3Q")  # magic, version, CRC and size of the rest, last second, clusters, hosts, pairs
SERIES = struct.Struct("<QQqQQQ")  # of an object: id, name's id, last second used, sum of `new`, total, nothing
LINES = struct.Struct(f"<{POINTS}I")  # a point for each second, at second % POINTS
FULL = 4  # all is known of a second
MAGIC, VERSION = b"pm_hist\0", 1
TOTALS = ("active", "new", "refused", "healthy_hosts", "unhealthy_hosts", "bytes_in", "bytes_out")
OF_HOST = ("active", "new", "refused")
OF_CLUSTER = 3  # lines

Past = dict[str, dict[int, int]]  # what -> second -> value


def crc32c(data: bytes) -> int:
    """RFC 3720 B.4, a bit at a time."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def _made_up(whats: tuple[str, ...], seconds: range) -> Past:
    """No value comes twice."""
    return {what: {second: 1000 * number + index for index, second in enumerate(seconds)}
            for number, what in enumerate(whats, 1)}


def _in_columns(points: dict[int, int]) -> list[int]:
    """As they lie in the file."""
    by_column = {second % POINTS: value for second, value in points.items()}
    return [by_column[column] for column in range(POINTS)]


def fill(path: str, last: int) -> tuple[Past, Past]:
    """Fills the file of a control that has ended with a past up to the second `last`: that of all connections, and one
    for each router host in it, the same for all."""
    with open(path, "rb") as file:
        content = file.read()
    magic, version, _, size, _, clusters, hosts, pairs = HEAD.unpack_from(content)
    assert (magic, version, size) == (MAGIC, VERSION, len(content) - HEAD.size), "this file is of another version"
    seconds = range(last - POINTS + 1, last + 1)
    totals, of_host = _made_up(TOTALS, seconds), _made_up(OF_HOST, seconds)
    body = bytearray(content[HEAD.size:])
    body[:POINTS] = bytes([FULL]) * POINTS
    at = POINTS
    for what in TOTALS:
        struct.pack_into(f"<{POINTS}Q", body, at, *_in_columns(totals[what]))
        at += 8 * POINTS
    at += clusters * (SERIES.size + OF_CLUSTER * LINES.size)
    for _ in range(hosts):
        identity, name, _, _, total, _ = SERIES.unpack_from(body, at)
        SERIES.pack_into(body, at, identity, name, last, sum(of_host["new"].values()), total, 0)
        for number, what in enumerate(OF_HOST):
            LINES.pack_into(body, at + SERIES.size + number * LINES.size, *_in_columns(of_host[what]))
        at += SERIES.size + len(OF_HOST) * LINES.size
    with open(path, "wb") as file:
        file.write(HEAD.pack(magic, version, crc32c(body), size, last, clusters, hosts, pairs) + body)
    return totals, of_host
