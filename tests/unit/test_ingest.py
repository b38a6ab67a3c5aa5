"""INGEST, as golden scripts cannot show it: odd files, large ones, batches, Ctrl-C, others."""

from __future__ import annotations

import os
import sysconfig
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hartonomous import hql
from hartonomous.hql.atoms import adding
from hartonomous.hql.ingest import pipeline, reading, sources, walk
from hartonomous.hql.modalities import decoding
from hartonomous.storage.errors import Cancelled, Error, ReadOnly

STDLIB = Path(sysconfig.get_path("stdlib"))
FIGURES = ("files", "chunks", "new", "skipped", "errors", "bytes")


def ingest(connection: hql.Connection, path: Path | str, extra: str = "") -> dict[str, int]:
    row = connection.execute(f"INGEST @path {extra}", {"path": str(path)}).fetchall()[0]
    return dict(zip(FIGURES, row[:-1], strict=True))


def rows(connection: hql.Connection, text: str) -> list[Any]:
    return connection.execute(text).fetchall()


def state(connection: hql.Connection) -> list[Any]:
    """Everything that an ingest leaves, but for numbers and times."""
    return rows(
        connection,
        "SELECT s.SourceUri, s.StartByte, s.EndByte, s.SourceHash, a.Modality, a.CanonicalText, "
        "a.ContentHash FROM AtomSources AS s JOIN Atoms AS a ON a.AtomId = s.AtomId "
        "ORDER BY s.SourceUri, s.StartByte",
    )


@pytest.fixture
def database() -> Any:
    with hql.connect(":memory:") as connection:
        yield connection


# --- real files ----------------------------------------------------------------------------------


def test_sources_of_the_standard_library(database: hql.Connection) -> None:
    """Every chunk is a slice of its file, in order, and nothing but white space is left out."""
    folder = STDLIB / "json"
    figures = ingest(database, folder, "AS TEXT")
    files = sorted(folder.glob("*.py"))
    assert figures["files"] == len(files) and figures["errors"] == 0
    assert figures["bytes"] == sum(f.stat().st_size for f in files)
    assert figures["chunks"] == rows(database, "SELECT COUNT(*) FROM AtomSources")[0][0]
    found = state(database)
    for file in files:
        data, at = file.read_bytes(), 0
        for _, start, end, digest, modality, text, content in (
            r for r in found if r[0] == file.as_uri()
        ):
            assert data[at:start].strip() == b"" and data[start:end].decode() == text
            assert (modality, digest) == ("text", sha256(data).digest())
            assert content == sha256(text.encode()).digest()
            at = end
        assert data[at:].strip() == b""
    assert ingest(database, folder, "AS TEXT")["new"] == 0
    assert state(database) == found


def test_a_changed_file_touches_what_changed(database: hql.Connection, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    parts = [f"Part {i}\n======\n\n" + f"word{i} " * 100 for i in range(20)]
    file.write_text("\n\n".join(parts))
    assert ingest(database, file)["new"] == 20
    before = dict(rows(database, "SELECT AtomId, IngestedAt FROM AtomSources"))
    parts[7] = parts[7].replace("word7", "other")
    del parts[12]
    file.write_text("\n\n".join(parts))
    figures = ingest(database, file)
    assert (figures["chunks"], figures["new"]) == (19, 1)
    after = dict(rows(database, "SELECT AtomId, IngestedAt FROM AtomSources"))
    assert len(after) == 19 and len(set(before) & set(after)) == 18
    assert all(after[i] == before[i] for i in set(before) & set(after))
    assert rows(database, "SELECT COUNT(*) FROM Atoms") == [(21,)]
    assert state(database)[12][5].startswith("Part 13")


def test_modalities_do_not_touch_each_others_rows(database: hql.Connection, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("def f(a):\n    return a + 1\n\n\nclass C:\n    pass\n")
    assert ingest(database, file, "AS TEXT")["new"] == 1
    assert ingest(database, file, "AS CODE")["new"] == 2
    assert ingest(database, file, "AS TEXT")["skipped"] == 1
    assert ingest(database, file, "AS CODE")["skipped"] == 1
    kinds = "SELECT Modality, COUNT(*) FROM AtomSources AS s JOIN Atoms AS a ON "
    kinds += "a.AtomId = s.AtomId GROUP BY Modality ORDER BY Modality"
    assert rows(database, kinds) == [("code", 2), ("text", 1)]
    file.write_text("a = 1\n")
    assert ingest(database, file, "AS CODE")["chunks"] == 0
    assert rows(database, kinds) == [("text", 1)]
    assert rows(database, "SELECT COUNT(*) FROM CodeAtoms") == [(0,)]


# --- odd files -----------------------------------------------------------------------------------


def test_odd_files_are_errors_and_the_rest_is_read(
    database: hql.Connection, tmp_path: Path
) -> None:
    (tmp_path / "good.txt").write_text("A cat.")
    (tmp_path / "latin.txt").write_bytes(
        ("Schöne Grüße aus München, wo Bäume blühen. " * 5).encode("latin-1")
    )
    (tmp_path / "wide.txt").write_text("Größe", encoding="utf-16")
    (tmp_path / "program").write_bytes(b"\x7fELF\0\0")
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("hidden")
    name = os.fsencode(tmp_path) + b"/\xff.txt"
    Path(os.fsdecode(name)).write_text("A name that is no UTF-8.")
    figures = ingest(database, tmp_path)
    assert (figures["files"], figures["chunks"], figures["errors"]) == (7, 4, 3)
    errors = rows(database, "SELECT SourceUri, Code FROM IngestErrors ORDER BY SourceUri")
    uri = tmp_path.as_uri()
    assert errors == [
        (f"{uri}/dangling.txt", "FILE"),
        (f"{uri}/pipe", "FILE"),
        (f"{uri}/program", "BINARY"),
    ]
    texts = {r[0].rpartition("/")[2]: r[5] for r in state(database)}
    assert texts["latin.txt"].startswith("Schöne Grüße") and texts["wide.txt"].endswith("Größe")
    assert texts["%FF.txt"] == "A name that is no UTF-8."
    # what could not be read can be, later
    (tmp_path / "program").write_text("echo A dog.")
    (tmp_path / "good.txt").write_bytes(b"\0")
    assert ingest(database, tmp_path)["errors"] == 3
    errors = rows(database, "SELECT SourceUri FROM IngestErrors ORDER BY SourceUri")
    assert [e[0].rpartition("/")[2] for e in errors] == ["dangling.txt", "good.txt", "pipe"]
    assert "A cat." in [r[5] for r in state(database)], "what was read before stays"


def test_permission_denied_is_an_error_row(
    database: hql.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("secret")

    def refuse(path: Path, mode: str) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert ingest(database, tmp_path)["errors"] == 1
    assert rows(database, "SELECT Code, Message FROM IngestErrors") == [
        ("FILE", "Permission denied")
    ]


def test_files_in_order(tmp_path: Path) -> None:
    for name in ("b/2.txt", "b/10.txt", "a.txt", "b/__pycache__/x.pyc", ".h/x", "c/.x"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / "back").symlink_to(tmp_path / "b")

    def found(pattern: str) -> list[str]:
        return [str(p.relative_to(tmp_path)) for p in walk.find_files(f"{tmp_path}/{pattern}")]

    assert found("") == ["a.txt", "b/10.txt", "b/2.txt"]
    assert found("b") == ["b/10.txt", "b/2.txt"]
    assert found("*.txt") == ["a.txt"]
    assert found("[ab]*") == ["a.txt", "b/10.txt", "b/2.txt", "back/10.txt", "back/2.txt"]
    assert found("c/.x") == ["c/.x"]


# --- large ones, and batches ---------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that has a bound has a small one."""
    monkeypatch.setattr(sources, "HELD_BYTES_MAX", 5_000)
    monkeypatch.setattr(decoding, "BLOCK_BYTES", 6_000)
    monkeypatch.setattr(pipeline, "BATCH_CHUNKS", 7)
    monkeypatch.setattr(reading, "LOOKED_UP", 3)
    monkeypatch.setattr(pipeline, "AHEAD", 1)


def test_bounds_do_not_show(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Sources held or not, batches of any size: the same atoms and sources."""
    folder = STDLIB / "email"
    with hql.connect(":memory:") as connection:
        figures = ingest(connection, folder, "AS TEXT")
        whole = state(connection)
    request.getfixturevalue("small")
    with hql.connect(tmp_path / "small.hdb") as connection:
        assert ingest(connection, folder, "AS TEXT") == figures
        assert state(connection) == whole
        assert rows(connection, "SELECT COUNT(*) FROM Commits")[0][0] > 10
        again = ingest(connection, folder, "AS TEXT")
        assert again["chunks"] == 0
        assert again["skipped"] == len({r[0] for r in whole}), "all but the empty ones"
        assert rows(connection, "VERIFY DATABASE") == []


@pytest.mark.usefixtures("small")
def test_large_files_that_are_not_what_they_seem(
    database: hql.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "SAMPLE_BYTES", 1_000)
    text = "A sentence that says little. " * 1_000
    (tmp_path / "a.txt").write_bytes(text.encode() + b"\0")
    (tmp_path / "b.txt").write_bytes(
        text.encode() + ("Schöne Grüße aus Köln. " * 9).encode("cp1252")
    )
    (tmp_path / "c.txt").write_bytes(text.encode() + "Größe".encode()[:3])
    figures = ingest(database, tmp_path)
    assert (figures["files"], figures["errors"]) == (3, 1)
    assert rows(database, "SELECT SourceUri, Code FROM IngestErrors") == [
        ((tmp_path / "a.txt").as_uri(), "BINARY")
    ]
    found = [r[5] for r in state(database)]
    assert found and any("Schöne Grüße aus Köln." in t for t in found)


def test_an_element_that_says_the_same_twice(database: hql.Connection, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>" + "x" * 3_600)
    assert ingest(database, tmp_path)["chunks"] == 3
    assert [r[1:3] for r in state(database)] == [(3, 3_603)]


@pytest.mark.usefixtures("small")
def test_an_interrupted_ingest_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = STDLIB / "email"
    with hql.connect(":memory:") as connection:
        ingest(connection, folder, "AS TEXT")
        whole = state(connection)
    batches = 0
    add = adding.add_atoms

    def failing(*arguments: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches in (3, 20, 40):
            raise KeyboardInterrupt
        return add(*arguments)

    with hql.connect(tmp_path / "cut.hdb") as connection:
        monkeypatch.setattr("hartonomous.hql.ingest.storing.add_atoms", failing)
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                ingest(connection, folder, "AS TEXT")
            assert {r[:3] for r in state(connection)} < {r[:3] for r in whole}
        ingest(connection, folder, "AS TEXT")
        assert state(connection) == whole
        assert rows(connection, "SELECT COUNT(*), COUNT(DISTINCT ContentHash) FROM Atoms") == [
            (len({r[6] for r in whole}),) * 2
        ]


# --- statements around it ------------------------------------------------------------------------


@pytest.mark.usefixtures("small")
def test_cancel_ends_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = adding.add_atoms
    with hql.connect(tmp_path / "x.hdb") as connection:

        def cancelling(*arguments: Any) -> Any:
            connection.cancel()
            return add(*arguments)

        monkeypatch.setattr("hartonomous.hql.ingest.storing.add_atoms", cancelling)
        with pytest.raises(Cancelled):
            ingest(connection, STDLIB / "email", "AS TEXT")
        assert not [t for t in threading.enumerate() if t.name.startswith("hql ingest")]
        assert rows(connection, "SELECT COUNT(*) FROM Atoms")[0][0] > 0, "a whole batch stays"


def test_time_limit(tmp_path: Path) -> None:
    with (
        hql.connect(tmp_path / "x.hdb", timeout=0.001) as connection,
        pytest.raises(Cancelled) as caught,
    ):
        ingest(connection, STDLIB / "email", "AS TEXT")
    assert caught.value.code == "TIMEOUT"


def test_reader_cannot_ingest(tmp_path: Path) -> None:
    hql.connect(tmp_path / "x.hdb").close()
    with (
        hql.connect(tmp_path / "x.hdb", read_only=True) as connection,
        pytest.raises(ReadOnly),
    ):
        ingest(connection, STDLIB / "json")


def test_implicit_transaction(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A cat.")
    with hql.connect(":memory:", autocommit=False) as connection:
        ingest(connection, tmp_path)
        connection.rollback()
        assert rows(connection, "SELECT COUNT(*) FROM Atoms") == [(0,)]


def test_a_failed_ingest_in_a_transaction_is_undone_alone(
    database: hql.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("A cat.\n\n" * 1_000)
    monkeypatch.setattr(pipeline, "BATCH_CHUNKS", 1)
    database.execute("CREATE TABLE t (a INT); BEGIN TRAN; INSERT INTO t VALUES (1)")
    calls = iter((False, True))
    add = adding.add_atoms

    def failing(*arguments: Any) -> Any:
        if next(calls):
            raise Error("no")
        return add(*arguments)

    monkeypatch.setattr("hartonomous.hql.ingest.storing.add_atoms", failing)
    (tmp_path / "b.txt").write_text("A dog.")
    with pytest.raises(Error, match="no"):
        ingest(database, tmp_path)
    database.execute("COMMIT")
    assert rows(database, "SELECT (SELECT COUNT(*) FROM t), (SELECT COUNT(*) FROM Atoms)") == [
        (1, 0)
    ]


def test_two_sessions_at_once(tmp_path: Path) -> None:
    """Both meet the same chunks first: one makes the tables and atoms, the other finds them."""
    folder, failures = STDLIB / "json", []

    def run() -> None:
        try:
            with hql.connect(tmp_path / "x.hdb") as mine:
                ingest(mine, folder, "AS TEXT")
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with hql.connect(tmp_path / "x.hdb") as connection, hql.connect(":memory:") as alone:
        ingest(alone, folder, "AS TEXT")
        assert {r[5] for r in state(connection)} == {r[5] for r in state(alone)}
        assert len(state(connection)) == len(state(alone))
        assert rows(connection, "VERIFY DATABASE") == []
