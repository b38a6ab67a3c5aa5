"""Runs the benchmarks, each in a process of its own: `python tests/bench [--full] [NAME …]`.

With `--write`, the result goes to docs/BENCHMARKS.md; with names, it takes the place of what was
there under the same headings, and says when and where it was measured.
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys
from pathlib import Path

from harness import machine

HERE = Path(__file__).parent
BENCHMARKS = (
    "cancel",
    "cold_start",
    "planning",
    "queries",
    "bulk_load",
    "bulk_insert",
    "commits",
    "indexes",
    "few_rows",
    "reopen",
    "history",
    "long_history",
    "serving",
    "load",
    "spatial_index",
    "spatial_sql",
    "embedding",
    "ingest",
    "model_import",
    "tensor_atoms",
    "smollm",
    "minilm",
    "products",
    "retrieval",
    "top_k",
)
REPORT = HERE.parents[1] / "docs" / "BENCHMARKS.md"
INTRODUCTION = """\
# Benchmarks

Written by `make bench BENCH="--full --write"`; one benchmark alone: `python tests/bench/NAME.py`.
Ours and the peers' runs take turns in one process on the same data, the shortest run counts, and
results are compared before anything is timed; only peers that run models have processes of their
own, which wait while it is not their turn. `×` is our figure as a multiple of the peer's: below 1
is better for times and sizes, above 1 for rates.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tests/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--full", action="store_true", help="the sizes that claims are made from")
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.name}")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark called {', '.join(sorted(unknown))}")
    size = "the full sizes" if options.full else "small sizes: a look, not a claim"
    sections = [INTRODUCTION, f"{datetime.date.today()}, {size}. {machine()}", ""]
    print("\n".join(sections), flush=True)
    for name in options.names or BENCHMARKS:
        command = [sys.executable, str(HERE / f"{name}.py"), *(["--full"] if options.full else [])]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        section = output.rstrip("\n") + "\n"
        print(section, flush=True)
        sections.append(section)
    if options.write:
        report = "\n".join(sections)
        if options.names:
            report = _replaced(REPORT.read_text(encoding="utf-8"), sections[3:], sections[1])
        REPORT.write_text(report.rstrip("\n") + "\n", encoding="utf-8")


def _replaced(report: str, sections: list[str], measured: str) -> str:
    """The report with the parts of `sections` in place of its own of the same headings, or at
    its end."""
    parts = {part.partition("\n")[0]: part for part in report.split("\n## ")}
    for section in sections:
        for part in section.removeprefix("## ").split("\n## "):
            heading = part.partition("\n")[0]
            parts[heading] = f"{part.rstrip()}\n\n{measured}\n"
    return "\n## ".join(parts.values())


if __name__ == "__main__":
    main()
