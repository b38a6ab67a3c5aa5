"""Headings and bodies of the Python library's documentation, from Debian's python3.11-doc."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

from harness import kept

PACKAGE = "python3.11-doc"
LIBRARY = "usr/share/doc/python3.11/html/library"
#: a body shorter than this is only a list of what follows
CHARACTERS_MIN = 200
VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())  # noqa: SIM905


class Unavailable(Exception):
    """The package cannot be had; says why."""


def pairs() -> list[tuple[str, str]]:
    """(heading, body) of the sections of all pages, bodies without the sections inside them. Only
    headings that name one section, and bodies that stand in one."""
    found: list[tuple[str, str]] = []
    for path in sorted(_pages().glob("*.html")):
        parser = _Sections()
        parser.feed(path.read_text(encoding="utf-8"))
        found += [(h, b) for h, b in parser.found if h and len(b) >= CHARACTERS_MIN]
    headings, bodies = Counter(h for h, _ in found), Counter(b for _, b in found)
    return [(h, b) for h, b in found if headings[h] == bodies[b] == 1]


def _pages() -> Path:
    def make(folder: Path) -> None:
        for tool in ("apt-get", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise Unavailable(f"{PACKAGE} cannot be had: there is no {tool}")
        commands = (["apt-get", "download", PACKAGE], ["dpkg-deb", "-x"])
        for command in commands:
            if command[0] == "dpkg-deb":
                command = [*command, *map(str, folder.glob("*.deb")), str(folder)]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                why = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
                raise Unavailable(f"{PACKAGE} cannot be had: {why[0]}")

    return kept(PACKAGE, make) / LIBRARY


class _Sections(HTMLParser):
    """`found`: heading and body of each <section>."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str]] = []
        self._open: list[tuple[list[str], list[str]]] = []  # heading and body of open sections
        self._in_heading = False
        self._skipped = 0  # depth below a link to the heading itself

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipped:
            self._skipped += tag not in VOID
        elif tag in ("script", "style") or dict(attrs).get("class") == "headerlink":
            self._skipped = 1
        elif tag == "section":
            self._open.append(([], []))
        elif tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self._in_heading = True

    def handle_endtag(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif tag == "section":
            heading, body = self._open.pop()
            self.found.append((_plain(heading), _plain(body)))
        elif tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self._in_heading = False

    def handle_data(self, data: str) -> None:
        if self._open and not self._skipped:
            self._open[-1][0 if self._in_heading else 1].append(data)


def _plain(parts: list[str]) -> str:
    return " ".join("".join(parts).split())
