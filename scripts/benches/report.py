"""What a bench says: a line per slice, the checks of the run, the table for the README, and figures as JSON lines.

The classes of bench_veth.py are only read here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Iterable

from . import machine

if TYPE_CHECKING:
    from .bench_veth import Cell, Slice

REFERENCES = ("direct", "testpmd io")  # what ratios are made to


def slice_line(one: Slice) -> str:
    """One slice, while the bench runs."""
    seen = one.answers
    marks = [word for word, true in (("disturbed", one.disturbed()), ("against Little's law", not one.little())) if true]
    if one.retransmitted:
        marks.append(f"{one.retransmitted} retransmitted")
    return (f"{one.variant:20} {one.mode.name:10} {seen.rate:9,.0f}/s  median {seen.quantile(0.5):6.0f} us  "
            f"p99 {seen.quantile(0.99):6.0f} us  under way {one.concurrency:5.1f}  "
            f"busy {one.load_busy:4.0%} {one.worker_busy:4.0%}  {', '.join(marks)}").rstrip()


def checks(slices: list[Slice]) -> str:
    """What was verified, and how quiet the machine was."""
    reuse = [one.concurrency / one.mode.clients for one in slices if one.mode.reuse]
    unique = [one.concurrency / one.mode.clients for one in slices if not one.mode.reuse]
    clocks = [clock for one in slices for clock in one.clock]
    return "\n".join((
        f"{sum(one.answers.requests for one in slices):,} requests, each counted at the server too: 0 without a 200, "
        f"0 socket errors, {sum(one.retransmitted for one in slices)} segments retransmitted.",
        f"Little's law, rate x mean latency / clients: {min(reuse):.2f} to {max(reuse):.2f} with kept connections "
        f"(should be 1), {min(unique):.2f} to {max(unique):.2f} with new ones (below 1: the rest is connecting); "
        f"{sum(not one.little() for one in slices)} of {len(slices)} slices against it.",
        f"Clock: the slowest calibration took {max(clocks) / min(clocks):.2f} times the fastest; "
        f"{sum(one.disturbed() for one in slices)} of {len(slices)} slices disturbed.",
    ))


def _ratios(cell: Cell, cells: Iterable[Cell]) -> dict[str, float]:
    """To each reference in the same mode, the cell's own name aside."""
    rates = {other.variant: other.rate for other in cells if other.mode == cell.mode}
    return {name: cell.rate / rates[name] for name in REFERENCES if name != cell.variant}


def _row(cell: Cell, cells: list[Cell]) -> str:
    ratios = _ratios(cell, cells)
    shown = [f"{ratios[name]:.2f}" if name in ratios else "1" for name in REFERENCES]
    load = f"{cell.mode.word} {cell.mode.clients}"
    return (f"| {load} | {cell.variant} | {cell.rate:,.0f} | {cell.spread:.0%} | {cell.latency(0.5):,.0f} | "
            f"{cell.latency(0.99):,.0f} | {' | '.join(shown)} |")


def _notes(cells: list[Cell], slices: list[Slice]) -> list[str]:
    disturbed = sum(one.disturbed() for one in slices)
    full = min(one.load_busy for one in slices if one.mode.clients > 1)
    return [
        "unique: one request per connection; reuse: connections kept alive; 1 or 100 clients. Medians of "
        f"{len(cells[0].slices)} interleaved slices; ±: half of slowest to fastest; latency from the request sent, "
        "connecting not included.",
        f"{machine.describe()}. wrk and nginx (the same for every row) share one core, which with 100 clients was at least "
        f"{full:.0%} busy, so they set the pace; the balancer has the other core. {disturbed} of {len(slices)} slices "
        "were disturbed by the machine and left out where others remained.",
        "testpmd and pointsman poll AF_XDP sockets (copy mode); HAProxy and nginx use the kernel's TCP; direct is the "
        "kernel's forwarding, without a second core.",
        "pointsman and HAProxy read the Host field. nginx stream (ssl_preread) reads no host name from plain HTTP: it "
        "passes the bytes on to one fixed group of servers, so it does less.",
    ]


def markdown(cells: list[Cell], slices: list[Slice]) -> str:
    """The table and its notes, without an empty line in it."""
    lines = ["| load | through | requests/s | ± | median µs | p99 µs | to direct | to testpmd io |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    lines += [_row(cell, cells) for cell in cells]
    lines += [f"- {note}" for note in _notes(cells, slices)]
    return "\n".join(lines)


def write_json(path: str, bench: str, cells: list[Cell]) -> None:
    """Adds a line per figure; one with two references has two lines."""
    with open(path, "a", encoding="utf-8") as file:
        def line(metric: str, value: float, unit: str, reference: str | None = None, ratio: float | None = None) -> None:
            file.write(json.dumps({"bench": bench, "metric": metric, "value": round(value, 4), "unit": unit,
                                   "reference": reference, "ratio": ratio and round(ratio, 4)}) + "\n")

        for cell in cells:
            base = f"{cell.mode.name}.{cell.variant}"
            for reference, ratio in _ratios(cell, cells).items():
                line(f"{base}.requests", cell.rate, "1/s", reference, ratio)
            line(f"{base}.spread", cell.spread, "share of requests")
            for name, share in (("median", 0.5), ("p99", 0.99)):
                peer = next(other for other in cells if (other.variant, other.mode) == (REFERENCES[0], cell.mode))
                value = cell.latency(share)
                line(f"{base}.{name}", value, "us", REFERENCES[0], value / peer.latency(share))
            for name, values in (("load_core_busy", [one.load_busy for one in cell.counted]),
                                 ("worker_core_busy", [one.worker_busy for one in cell.counted])):
                line(f"{base}.{name}", sum(values) / len(values), "share of time")


def put_into(path: str, bench: str, table: str) -> None:
    """Replaces what stands between the line `<!-- bench NAME -->` and the next empty one."""
    marker = f"<!-- bench {bench} -->"
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    if marker not in lines:
        raise OSError(f"{path} has no line {marker}: put it where the table shall stand")
    begin = lines.index(marker) + 1
    end = next((number for number in range(begin, len(lines)) if not lines[number].strip()), len(lines))
    lines[begin:end] = table.split("\n")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
