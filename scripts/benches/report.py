"""What a bench says: a line per slice, the checks of the run, the table for the README, and figures as JSON lines.

The classes of bench_veth.py are only read here.
"""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Iterable

from . import machine

if TYPE_CHECKING:
    from .bench_veth import Cell, Slice

REFERENCES = ("direct", "testpmd io")  # what ratios are made to
LINE = 120  # columns of the README


def slice_line(one: Slice) -> str:
    """One slice, while the bench runs."""
    seen = one.answers
    marks = ["disturbed"] if one.disturbed() else []
    if not one.little():
        marks.append("against Little's law")
    if one.retransmitted:
        marks.append(f"{one.retransmitted} retransmitted")
    return (f"{one.variant:20} {one.mode.name:10} {seen.rate:9,.0f}/s  median {seen.quantile(0.5):6.0f} us  "
            f"p99 {seen.quantile(0.99):6.0f} us  under way {one.concurrency:5.1f}  "
            f"busy {one.load_busy:4.0%} {one.worker_busy:4.0%}  {', '.join(marks)}").rstrip()


def _range(shares: Iterable[float]) -> str:
    ordered = sorted(shares)
    return f"{ordered[0]:.2f} to {ordered[-1]:.2f}"


def checks(slices: list[Slice]) -> str:
    """What was verified, and how quiet the machine was."""
    shares: dict[bool, list[float]] = {True: [], False: []}
    for one in slices:
        shares[one.always_waiting].append(one.concurrency / one.mode.clients)
    clocks = [clock for one in slices for clock in one.clock]
    return "\n".join((
        f"{sum(one.answers.requests for one in slices):,} requests, each counted at the server too: 0 without a 200, "
        f"0 socket errors, {sum(one.retransmitted for one in slices)} segments retransmitted.",
        f"Little's law, rate x mean latency / clients: {_range(shares[True])} with one kept connection, which always "
        f"waits (1 within 5 % is right); {_range(shares[False])} otherwise (up to 1: the rest connects or waits inside "
        f"wrk); {sum(not one.little() for one in slices)} of {len(slices)} slices against it.",
        f"Noise: the slowest calibration took {max(clocks) / min(clocks):.2f} times the fastest; other programs had up "
        f"to {max(one.others for one in slices):.0%} of a core; {sum(one.disturbed() for one in slices)} of "
        f"{len(slices)} slices were disturbed.",
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
    noisy = sum(all(one.disturbed() for one in cell.slices) for cell in cells)
    busy = min(one.load_busy for one in slices if one.mode.clients > 1)
    return [
        "unique: one request per connection; reuse: connections kept alive; by 1 or 100 clients. Medians of "
        f"{len(cells[0].slices)} interleaved slices; ± is half of slowest to fastest. Latency is wrk's, from the "
        "request sent: the time to connect is only in the rate.",
        f"{machine.describe()}. wrk and nginx, the same for every row, share one core, which with 100 clients was at "
        f"least {busy:.0%} busy; what is between them runs on the other core. {disturbed} of {len(slices)} slices were "
        "disturbed by changes of the clock or by other programs and left out"
        f"{f', except in {noisy} of {len(cells)} rows, where every slice was' if noisy else ''}.",
        "direct is the kernel's forwarding, all of it on the first core. testpmd io (forwards without looking) and "
        "pointsman poll AF_XDP sockets in copy mode; HAProxy and nginx use the kernel's TCP.",
        "pointsman and HAProxy read the Host field and choose by it. nginx stream cannot: ssl_preread finds no TLS in "
        "plain HTTP, and all goes to one group of servers. It does less.",
    ]


def markdown(cells: list[Cell], slices: list[Slice]) -> str:
    """The table and its notes, without an empty line in it."""
    lines = ["| load | through | requests/s | ± | median µs | p99 µs | to direct | to testpmd io |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    lines += [_row(cell, cells) for cell in cells]
    for note in _notes(cells, slices):
        lines += textwrap.wrap(note, LINE, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines)


def write_json(path: str, bench: str, cells: list[Cell]) -> None:
    """Adds a line per figure; one with two references has two lines."""
    with open(path, "a", encoding="utf-8") as file:
        def line(metric: str, value: float, unit: str, reference: str | None = None,
                 ratio: float | None = None) -> None:
            file.write(json.dumps({"bench": bench, "metric": metric, "value": round(value, 4), "unit": unit,
                                   "reference": reference, "ratio": ratio and round(ratio, 4)}) + "\n")

        for cell in cells:
            base = f"{cell.mode.name}.{re.sub('[^a-z]+', '_', cell.variant.lower()).strip('_')}"
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
