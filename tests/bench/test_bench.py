"""The benchmarks run and fill their tables; how fast is for docs/BENCHMARKS.md to say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
SCRIPTS = sorted(
    p.stem for p in HERE.glob("*.py") if "\n    run_alone(benchmark)" in p.read_text("utf-8")
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_benchmark_runs(name: str, tmp_path: Path) -> None:
    if name == "bulk_load":
        pytest.importorskip("lancedb", reason="lancedb is not installed: pip install -e '.[bench]'")
    command = [sys.executable, str(HERE / f"{name}.py")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("## ")
    # without the data that a benchmark downloads, it says so
    assert "| Hartonomous |" in done.stdout or "\nNot measured: " in done.stdout


def test_every_benchmark_is_listed() -> None:
    listed = (HERE / "__main__.py").read_text(encoding="utf-8").partition("BENCHMARKS = (")[2]
    names = set(re.findall(r"\w+", listed.partition(")")[0]))
    assert names == set(SCRIPTS)
