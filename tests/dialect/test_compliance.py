"""SQLAlchemy's own suite of tests for dialects, in a process of its own, and docs/SQLALCHEMY.md,
which says how much of it passes and why the rest is left out."""

from __future__ import annotations

import collections
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import sqlalchemy
from servers import serving

HERE = Path(__file__).parent / "compliance"
DOCUMENT = Path(__file__).parents[2] / "docs" / "SQLALCHEMY.md"
MARK = "<!-- counts: tests/dialect/test_compliance.py -->"


def run_suite(results: Path, url: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-c", "pytest.ini", "--rootdir", ".", "-q"]
    command += ["--dburi", url, "--junitxml", str(results), *options, "suite.py"]
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=1800
    )


def describe(results: Path) -> tuple[str, list[str]]:
    """The table of the document, and tests that were skipped without a reason of ours."""
    passed, unexplained = 0, []
    reasons: collections.Counter[str] = collections.Counter()
    for case in ElementTree.parse(results).iter("testcase"):
        skipped = case.find("skipped")
        if skipped is None:
            passed += 1
            continue
        message = skipped.get("message", "")
        reason = re.sub(r"^'.*' : |^excluded: ", "", message)
        if reason in ("marked as skip", "custom function"):
            unexplained.append(f"{case.get('classname')}::{case.get('name')}")
        reasons[reason] += 1
    lines = [
        f"Of SQLAlchemy {sqlalchemy.__version__}'s suite {passed:,} tests pass, none fails, and"
        f" {sum(reasons.values())} are left out:",
        "",
        "| tests | reason |",
        "| ---: | --- |",
    ]
    lines += [f"| {n} | {why} |" for why, n in sorted(reasons.items(), key=lambda r: (-r[1], r[0]))]
    return "\n".join(lines), unexplained


@pytest.mark.slow
def test_suite_passes_over_the_wire(tmp_path: Path) -> None:
    """What is of values, results and transactions. (All of it passes, in a minute and a half.)"""
    names = "Numeric Date Uuid Insert Result Transaction Rowcount Binary JSON String"
    with serving() as server:
        chosen = " or ".join(names.split())
        run = run_suite(tmp_path / "results.xml", server.url, "-k", chosen)
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]


@pytest.mark.slow
def test_suite_passes_and_the_document_says_so(tmp_path: Path) -> None:
    results = tmp_path / "results.xml"
    run = run_suite(results, "hql:///:memory:suite")
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    found, unexplained = describe(results)
    assert unexplained == []
    if f"SQLAlchemy {sqlalchemy.__version__}'s" in DOCUMENT.read_text():
        said = DOCUMENT.read_text().split(MARK)[1].strip()
        assert said == found, f"docs/SQLALCHEMY.md should say:\n{found}"
