"""`hql -c "SELECT 1"` in a new process, against importing pyarrow and duckdb and doing nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import OURS, Row, markdown, milliseconds, run_alone, shortest

HQL = Path(sys.executable).with_name("hql")
IMPORTS = [sys.executable, "-c", "import pyarrow, duckdb"]


def benchmark(full: bool) -> str:
    with tempfile.TemporaryDirectory() as elsewhere:
        # compiled modules, as an installed wheel has them; the run that does not count makes them
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = f"{elsewhere}/compiled"

        def run(command: list[str]) -> None:
            subprocess.run(command, check=True, capture_output=True, cwd=elsewhere, env=environment)

        runs = {
            OURS: lambda: run([str(HQL), "-c", "SELECT 1"]),
            "import pyarrow, duckdb": lambda: run(IMPORTS),
        }
        figures = milliseconds(shortest(runs, repeat=30 if full else 7))
    row = Row('`hql -c "SELECT 1"`', figures, "ms", goal="1.6")
    return markdown("Cold start", [row])


if __name__ == "__main__":
    run_alone(benchmark)
