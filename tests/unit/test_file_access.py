"""Statements read and write files in the session's folders only, whatever paths say."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hartonomous import hql
from hartonomous.hql.dbapi import Connection
from hartonomous.hql.errors import PermissionFault
from hartonomous.hql.security.files import FileAccess, reading
from hartonomous.storage.errors import Error


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """in/ may be read, out/ written; secret.csv lies beside them."""
    for name in ("in", "out", "in/sub", "inside"):
        (tmp_path / name).mkdir()
    (tmp_path / "secret.csv").write_text("a\n42\n")
    (tmp_path / "inside" / "t.csv").write_text("a\n43\n")
    (tmp_path / "in" / "t.csv").write_text("a\n1\n")
    (tmp_path / "in" / "sub" / "note.txt").write_text("a note that may be read")
    (tmp_path / "in" / "link.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "in" / "away").symlink_to(tmp_path)
    (tmp_path / "out" / "away").symlink_to(tmp_path)
    (tmp_path / "out" / "link.csv").symlink_to(tmp_path / "secret.csv")
    os.mkfifo(tmp_path / "in" / "pipe.csv")
    os.mkfifo(tmp_path / "out" / "pipe.csv")
    (tmp_path / "in" / "tokenizer.json").symlink_to(tmp_path / "secret.csv")
    return tmp_path


@pytest.fixture
def db(place: Path) -> Iterator[Connection]:
    with hql.connect(":memory:") as connection:
        connection.execute("CREATE TABLE t (a NVARCHAR(MAX))")
        connection.execute(
            "CREATE MODEL m ARCHITECTURE mlp(inputs = 2, hidden = 3, outputs = 1) WITH (SEED = 1)"
        )
        connection.session.files = FileAccess.of([place / "in"], [place / "out"])
        yield connection


ESCAPES = [
    "{place}/secret.csv",
    "../secret.csv",
    "sub/../../secret.csv",
    "{place}/in/../secret.csv",
    "link.csv",
    "{place}/in/link.csv",
    "away/secret.csv",
    "{place}/out/away/secret.csv",
    "{place}/inside/t.csv",
    "/etc/passwd",
    "~/secret.csv",
    "pipe.csv",
    "{place}",
    "/",
    "/dev/zero",
    "/proc/self/environ",
    "",
]
READS = [
    "COPY t FROM '{path}' WITH (FORMAT = csv)",
    "INGEST '{path}'",
    "CREATE MODEL n FROM '{path}'",
]
WRITES = [
    "COPY t TO '{path}' WITH (FORMAT = csv)",
    "EXPORT MODEL m TO '{path}'",
    "BACKUP DATABASE TO '{path}'",
]


@pytest.mark.parametrize("path", ESCAPES)
def test_no_path_leads_out(path: str, place: Path, db: Connection) -> None:
    before = sorted(str(p) for p in place.rglob("*"))
    for statement in (*READS, *WRITES):
        text = statement.format(path=path.format(place=place))
        with pytest.raises(Error) as error:
            db.execute(text)
        assert error.value.code == "PERMISSION", (text, error.value)
    assert sorted(str(p) for p in place.rglob("*")) == before
    assert (place / "secret.csv").read_text() == "a\n42\n"
    assert db.execute("SELECT * FROM t").fetchall() == []


def test_settings_are_paths_too(place: Path, db: Connection) -> None:
    for path in ("tokenizer.json", f"{place}/in/../x.json", "/etc/x.json"):
        with pytest.raises(PermissionFault):
            db.execute(
                "CREATE MODEL n ARCHITECTURE mlp(inputs = 2, hidden = 3, outputs = 1) "
                f"WITH (TOKENIZER = '{path}')"
            )


def test_what_is_allowed_works(place: Path, db: Connection) -> None:
    db.execute("COPY t FROM 't.csv'")
    db.execute(f"COPY t FROM '{place}/in/sub/../t.csv'")
    db.execute(f"COPY t TO '{place}/out/made.csv'")
    assert (place / "out" / "made.csv").read_text().split() == ["a", "1", "1"]
    db.execute(f"COPY t FROM '{place}/out/made.csv'")  # what may be written may be read
    with pytest.raises(PermissionFault):
        db.execute(f"COPY t TO '{place}/in/made.csv'")
    db.execute(f"EXPORT MODEL m TO '{place}/out/m'")
    db.execute(f"CREATE MODEL n FROM '{place}/out/m'")


def test_of_a_folder_what_leads_out_is_left_out(place: Path, db: Connection) -> None:
    (place / "in" / "sub" / "stolen.txt").symlink_to(place / "secret.csv")
    for text in ("INGEST 'sub'", "INGEST 'sub/*.txt'"):
        db.execute(text)
        sources = db.execute("SELECT DISTINCT SourceUri FROM AtomSources").fetchall()
        assert [s.rsplit("/", 1)[1] for (s,) in sources] == ["note.txt"]
    with pytest.raises(PermissionFault):
        db.execute("INGEST 'away/*.csv'")


def test_a_session_without_folders_touches_nothing(place: Path, db: Connection) -> None:
    db.session.files = FileAccess()
    for path in ("t.csv", f"{place}/in/t.csv", "/etc/passwd", "."):
        for statement in (*READS, *WRITES):
            with pytest.raises(PermissionFault):
                db.execute(statement.format(path=path))


def test_a_link_that_comes_between_is_found(place: Path) -> None:
    """The path was looked at, then somebody put a link in its place."""
    from hartonomous.hql.models.formats.files import ModelFile

    access = FileAccess.of([place / "in"])
    path = Path(access.resolve("t.csv"))
    path.unlink()
    path.symlink_to(place / "secret.csv")
    with reading(access), pytest.raises(PermissionFault):
        ModelFile(path)
    ModelFile(path).close()  # nobody is asked outside a statement of such a session


def test_devices_and_sockets_are_no_files(place: Path) -> None:
    access = FileAccess.of([place / "in", "/dev"])
    (place / "in" / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "in" / "socket"))
        for name in ("pipe.csv", "null", "socket", "/dev/zero"):
            with pytest.raises(PermissionFault):
                access.resolve(name)


def test_links_that_cannot_be_read_lead_nowhere(
    place: Path, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of /proc that are another's."""
    closed = os.fspath(place / "in" / "link.csv")
    readlink = os.readlink

    def refusing(path: str) -> str:
        if path == closed:
            raise PermissionError(13, "Permission denied", path)
        return readlink(path)

    monkeypatch.setattr(os, "readlink", refusing)
    with pytest.raises(PermissionFault):
        db.execute("COPY t FROM 'link.csv'")
    db.execute("INGEST 'sub'")
    db.execute("INGEST '*.csv'")
    secret = "SELECT COUNT(*) FROM Atoms WHERE CanonicalText LIKE '%42%'"
    assert db.execute(secret).fetchall() == [(0,)]
