"""What all benchmarks share: fair timing, one table of ratios, the machine and the versions.

Ours and the peers' runs take turns in one process, after one run each that does not count; the
shortest run is reported, because on a shared machine everything else measures the neighbours.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import cache  # noqa: E402  (a module of tests/)

#: kept(name, make): a folder outside the repository, made once
kept = cache.folder

OURS = "Hartonomous"


@dataclass(frozen=True)
class Row:
    """One line of a table: figures by engine, in `unit`; `better` is "less" or "more"."""

    what: str
    figures: Mapping[str, float]
    unit: str
    goal: str = ""
    better: str = "less"

    def ratio(self, peer: str) -> float:
        """Ours to the peer's figure, in the unit's own direction."""
        return self.figures[OURS] / self.figures[peer]


def shortest(runs: Mapping[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """Seconds of the shortest of `repeat` runs of each, taken in turns."""
    best = dict.fromkeys(runs, float("inf"))
    for turn in range(repeat + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def shortest_told(runs: Mapping[str, Callable[[], float]], repeat: int) -> dict[str, float]:
    """As `shortest`, for runs that measure themselves: each gives its seconds."""
    best = dict.fromkeys(runs, float("inf"))
    for turn in range(repeat + 1):
        for name, run in runs.items():
            told = run()
            if turn:
                best[name] = min(best[name], told)
    return best


def seconds(run: Callable[[], object]) -> float:
    """How long one run takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def milliseconds(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: value * 1000 for name, value in figures.items()}


def markdown(title: str, rows: list[Row], note: str = "") -> str:
    """A section with one table: ours, each peer, and our figure as a multiple of the peer's."""
    peers = list(dict.fromkeys(p for row in rows for p in row.figures if p != OURS))
    head = ["", OURS, *(column for p in peers for column in (p, f"× {p}")), "goal"]
    lines = [f"## {title}", ""]
    lines += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        cells = [row.what, show(row.figures[OURS], row.unit)]
        for peer in peers:
            if peer in row.figures:
                cells += [show(row.figures[peer], row.unit), f"**{row.ratio(peer):.2f}**"]
            else:
                cells += ["–", "–"]
        lines.append("| " + " | ".join([*cells, row.goal]) + " |")
    return "\n".join([*lines, "", *([note, ""] if note else [])])


def show(value: float, unit: str) -> str:
    digits = 0 if value >= 1000 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:,.{digits}f} {unit}"


def machine() -> str:
    """One paragraph: processor, memory, versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if os.name == "posix" else []
    cpu = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    names = (
        "hartonomous", "duckdb", "pyarrow", "lancedb", "numpy", "numba", "rtree", "scipy",
        "pykdtree", "faiss-cpu", "wordllama", "bm25s",
    )  # fmt: skip
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in names if installed(n))
    return (
        f"{cpu or platform.processor()}, {os.cpu_count()} processors, {memory:.0f} GiB; "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}; "
        f"{versions}. Load average before the run: {os.getloadavg()[0]:.1f}."
    )


def installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def run_alone(benchmark: Callable[[bool], str]) -> None:
    """The command line of one benchmark: prints its section; `--full` takes the real sizes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true", help="the sizes that claims are made from")
    print(benchmark(parser.parse_args().full))
