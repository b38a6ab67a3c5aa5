"""pytest's side of golden scripts: collects `tests/golden/**/*.golden`, compares, updates.

`pytest --golden-update` writes the answers into the scripts; review them as a diff.
`pytest --twist NAME` runs every script under another configuration: rows must not change.
"""

from __future__ import annotations

import difflib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from golden_format import TWISTS, comparable
from hypothesis import settings

# no test asserts a time, hypothesis's own deadline of 200 ms included
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")

#: a script says so in its first lines where a twist cannot hold, and why
EXEMPT = re.compile(r"^# not under (?P<twists>[\w, ]+): \S+", re.MULTILINE)
#: or that it is for `-m slow`, and why
SLOW = re.compile(r"^# slow: \S+", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden-update", action="store_true", help="write the answers of scripts")
    parser.addoption("--twist", choices=TWISTS, default="none", help="run scripts under a twist")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix != ".golden":
        return None
    collector: pytest.Collector = GoldenFile.from_parent(parent, path=file_path)
    return collector


class Mismatch(Exception):
    """The answers differ from the script's."""


class GoldenFile(pytest.File):
    def collect(self) -> Iterable[pytest.Item]:
        item: pytest.Item = GoldenItem.from_parent(self, name=self.path.stem)
        if SLOW.search(self.path.read_text(encoding="utf-8")):
            item.add_marker(pytest.mark.slow)
        yield item


class GoldenItem(pytest.Item):
    def runtest(self) -> None:
        from golden_runner import Runner  # the whole engine: not for runs without golden scripts

        twist = str(self.config.getoption("--twist"))
        update = bool(self.config.getoption("--golden-update"))
        assert not (update and (os.environ.get("CI") or twist != "none")), (
            "answers are written on a developer's machine only, and without a twist"
        )
        old = self.path.read_text(encoding="utf-8")
        if any(twist in re.split(r"[ ,]+", m["twists"]) for m in EXEMPT.finditer(old)):
            pytest.skip(f"the script says that it does not hold under {twist}")
        with tempfile.TemporaryDirectory() as folder, Runner(Path(folder), twist) as runner:
            new = runner.script(old)
        if update:
            if new != old:
                self.path.write_text(new, encoding="utf-8")
        elif comparable(new, twist) != comparable(old, twist):
            raise Mismatch(
                "\n".join(
                    difflib.unified_diff(
                        comparable(old, twist),
                        comparable(new, twist),
                        f"{self.path.name} (script)",
                        "now",
                        lineterm="",
                    )
                )
            )

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        if isinstance(excinfo.value, (Mismatch, AssertionError)):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo, style))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"golden: {self.path.parent.name}/{self.name}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Pass rates by file, wherever a worker measured them."""
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, ())]
    rates = sorted({v for r in reports for k, v in r.user_properties if k == "sqllogictest"})
    if rates:
        terminalreporter.section("sqllogictest: records passed, by file")
        for line in rates:
            terminalreporter.write_line(line)
