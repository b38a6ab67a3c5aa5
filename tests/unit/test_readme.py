"""README tells the truth: the tour is the demo's output, the example runs, the paths are there.

`pytest tests/unit/test_readme.py --golden-update` writes the tour.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TOUR = re.compile(r"(<!-- tour -->\n```\n)(.*?)(```\n<!-- end of tour -->)", re.DOTALL)
#: the line that says which versions were read
SOURCES = re.compile(r"^Python \d.*$", re.MULTILINE)
#: what differs between two runs on one machine
MEASURED = re.compile(
    r"\[\d[\d.,]* m?s\]|\b\d[\d.,]* (?:ms|µs|s|bytes|KiB|MiB)\b"
    r"|\b(?:[0-9a-f]{2}/)?[0-9a-f]{8,}(?:…|\b)|byte [\d,]+|offset \d+"
)


def readable(text: str) -> list[str]:
    """Lines with measured figures and hashes masked and blanks made one."""
    masked = (MEASURED.sub("#", line).rstrip() for line in text.splitlines())
    return [re.sub(r"\s+", " ", line) for line in masked]


def skeleton(text: str) -> list[str]:
    """What no version of Python changes: headings and the statements sent."""
    lines, sent = [], False
    for line in text.splitlines():
        sent = line.startswith("> ") or (sent and line.startswith("  "))
        if sent or line.startswith("== "):
            lines.append(line)
    return lines


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("demo") / "demo.hdb"
    command = [sys.executable, str(ROOT / "examples" / "demo.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_tour_is_what_the_demo_prints(printed: str, request: pytest.FixtureRequest) -> None:
    text = README.read_text(encoding="utf-8")
    if request.config.getoption("--golden-update") and not os.environ.get("CI"):
        new = TOUR.sub(lambda m: m[1] + printed.strip("\n") + "\n" + m[3], text)
        README.write_text(new, encoding="utf-8")
        return
    match = TOUR.search(text)
    assert match
    assert skeleton(match[2]) == skeleton(printed)
    if re.findall(SOURCES, match[2]) == re.findall(
        SOURCES, printed
    ):  # the same text, the same rows
        assert readable(match[2].strip("\n")) == readable(printed.strip("\n"))


def test_example_runs(tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(code) == 1
    done = subprocess.run(
        [sys.executable, "-c", code[0]], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[(1, 'First light'), (2, 'Rain, and a long read')]\n"


def test_commands_are_targets() -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    for page in (README, ROOT / "docs" / "TESTING.md"):
        named = re.findall(r"\bmake ([a-z]+)\b", page.read_text(encoding="utf-8"))
        assert named and set(named) <= set(targets)


@pytest.mark.parametrize(
    "page",
    ["README.md", "docs/README.md", "docs/TUTORIAL.md", "docs/TESTING.md", "docs/ARCHITECTURE.md"],
)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [x for x in links if not (ROOT / page).parent.joinpath(x).exists()] == []
