"""Quotes of CSV files: the pass over bytes finds what a reader of characters finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hartonomous.hql.copying import csv_bytes


def unclosed_by_characters(text: str, delimiter: str) -> int | None:
    """The definition: a quote opens a field only at its start, and a doubled one closes nothing."""
    line, opened, place, at_start = 1, 0, 0, True
    while place < len(text):
        character = text[place]
        if opened and character == '"':
            if text[place + 1 : place + 2] == '"':
                place += 1
            else:
                opened = 0
        elif not opened and character == '"' and at_start:
            opened = line
        at_start = not opened and character in f"{delimiter}\r\n"
        line += character == "\n"
        place += 1
    return opened or None


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text('"",;\n\rxé', min_size=1, max_size=40), width=st.integers(1, 9))
def test_unclosed_quotes(
    text: str, width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_bytes, "_SLICE", width)
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())
    assert csv_bytes.find_unclosed_quote(path, ",") == unclosed_by_characters(text, ",")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text("0xX+81", max_size=12), width=st.integers(1, 9))
def test_odd_integers(
    text: str, width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_bytes, "_SLICE", width)
    path = tmp_path / "x.csv"
    path.write_text(text)
    found = csv_bytes.may_hold_odd_integers(path)
    assert found == ("+" in text or "0x" in text.lower())
