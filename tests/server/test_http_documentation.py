"""docs/HTTP.md: its examples are answered as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from http_server import HttpServer, http_server

from hartonomous.server.http_rows import FORMS
from hartonomous.server.problems import CODES
from hartonomous.server.settings import ServerSettings

TEXT = (Path(__file__).parents[2] / "docs" / "HTTP.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```http\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


def parted(block: str) -> tuple[str, dict[str, str], str]:
    """First line, headers, body."""
    head, _, body = block.partition("\n\n")
    first, *headers = head.splitlines()
    return first, dict(line.split(": ", 1) for line in headers), body


def test_examples() -> None:
    blocks = BLOCK.findall(TEXT)
    assert len(blocks) == 6
    with http_server() as server:
        for asked, answered in zip(blocks[::2], blocks[1::2], strict=True):
            play(server, asked, answered)


def play(server: HttpServer, asked: str, answered: str) -> None:
    (method, path, _), headers, body = _request(asked)
    status, said, found = server.ask(method, path, body.encode(), headers)
    first, expected, wanted = parted(answered)
    assert first.split()[1] == str(status)
    assert expected.items() <= dict(said.items()).items()
    assert _untimed(found.decode()) == _untimed(wanted), asked


def _request(block: str) -> tuple[list[str], dict[str, str], str]:
    first, headers, body = parted(block)
    return first.split(), headers, body


def _untimed(text: str) -> str:
    return re.sub(r'"elapsed_ms":[0-9.]+', '"elapsed_ms":0', text).strip()


@pytest.mark.parametrize("kind", FORMS)
def test_forms_are_listed(kind: str) -> None:
    assert f"`{kind}`" in TEXT


def test_statuses_are_listed() -> None:
    table = " ".join(re.findall(r"^\| ([0-9, ]+) \|", TEXT, re.MULTILINE))
    listed = {int(number) for number in re.findall(r"[0-9]{3}", table)}
    assert {int(status) for status in CODES.values()} <= listed


def test_settings_exist() -> None:
    names = set(re.findall(r"`(?:--)?([a-z]+_[a-z_]+)`", TEXT))
    assert len(names) == 4
    assert names <= set(ServerSettings.__dataclass_fields__)
