"""The history of the shell: a file that shells share."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hartonomous.hql.shell import history as module
from hartonomous.hql.shell.history import StatementHistory, history_path, read_entries


def loaded(path: Path) -> StatementHistory:
    history = StatementHistory(path)
    history._loaded_strings = list(history.load_history_strings())
    history._loaded = True
    return history


def test_texts_come_back_in_order_and_are_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history"
    first = loaded(path)
    for text in ("SELECT 1;", "SELECT\n  '+'\n\n# 2;", " secret;", "x", "x", "", "ä"):
        first.append_string(text)
    kept = ["SELECT 1;", "SELECT\n  '+'\n\n# 2;", "x", "ä"]
    assert list(read_entries(path)) == kept
    assert loaded(path).get_strings() == kept
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_shells_side_by_side_append_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "history"
    one, two = loaded(path), loaded(path)
    one.append_string("one")
    two.append_string("two")
    one.append_string("three")
    assert list(read_entries(path)) == ["one", "two", "three"]


def test_a_file_that_cannot_be_written_costs_no_more(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history = loaded(tmp_path / "file" / "history")
    assert history.trouble is not None
    history.append_string("SELECT 1;")
    assert history.get_strings() == ["SELECT 1;"]


def test_it_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history"
    history = loaded(path)
    for number in range(100):
        history.append_string(f"SELECT {number};")
    size = path.stat().st_size
    monkeypatch.setattr(module, "FILE_MAX", size // 2)
    again = loaded(path)
    assert path.stat().st_size <= size // 4
    assert again.get_strings()[-1] == "SELECT 99;"
    assert all(text.startswith("SELECT ") for text in again.get_strings())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    monkeypatch.delenv("HQL_HISTORY", raising=False)
    assert history_path() == Path("/state/hartonomous/history")
    monkeypatch.setenv("HQL_HISTORY", "/x/y")
    assert history_path() == Path("/x/y")
    monkeypatch.setenv("HQL_HISTORY", "")
    assert history_path() is None


def test_a_file_that_others_could_read_becomes_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text("")
    path.chmod(0o644)
    StatementHistory(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
