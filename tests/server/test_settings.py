"""Settings of a server: from a file, from the command line; SQLSTATEs of all codes."""

import dataclasses
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hartonomous.hql import errors as hql_errors
from hartonomous.hql.shell.main import main
from hartonomous.server.serve import settings_of
from hartonomous.server.settings import ServerSettings, make_settings, read_settings
from hartonomous.server.sqlstates import SQLSTATES, sqlstate_of
from hartonomous.storage import errors as storage_errors
from hartonomous.storage.errors import Error


def test_words_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    path = tmp_path / "server.toml"
    path.write_text('port = 1\nthreads = 2\norigins = ["https://a.example"]\nidle_timeout = 5\n')
    _, settings = settings_of(["db", "--config", str(path), "--port", "3", "--read-only"])
    assert (settings.port, settings.threads, settings.grace) == (3, 2, 10.0)
    assert settings.origins == ("https://a.example",) and settings.idle_timeout == 5.0
    assert settings.read_only


def test_every_setting_is_a_word() -> None:
    given = {bool: [], int: ["7"], float: ["7"], str: ["x"]}
    for field in dataclasses.fields(ServerSettings):
        word = "--" + field.name.replace("_", "-")
        kind = next(k for k in given if k.__name__ in str(field.type))
        _, settings = settings_of(["db", word, *given[kind]])
        assert getattr(settings, field.name) != field.default or field.name == "log_level", word


def test_what_has_no_limit(tmp_path: Path) -> None:
    _, settings = settings_of(["db", "--idle-timeout", "none", "--statement-timeout", "none"])
    assert (settings.idle_timeout, settings.statement_timeout) == (None, None)
    path = tmp_path / "server.toml"
    path.write_text('slow_statement = "none"\n')
    assert settings_of(["db", "--config", str(path)])[1].slow_statement is None
    with pytest.raises(hql_errors.ConfigurationFault):
        make_settings({"threads": "none"})


def test_every_setting_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    said = capsys.readouterr().out
    for field in dataclasses.fields(ServerSettings):
        word = re.escape("--" + field.name.replace("_", "-"))
        assert re.search(rf"^  {word}[ ,][^\n]*\n? +\w", said, re.MULTILINE), field.name


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prot": 1}, 'there is no setting "prot"'),
        ({"port": "1"}, "port cannot be '1'"),
        ({"port": True}, "port cannot be True"),
        ({"threads": 0}, "threads"),
        ({"threads": -1}, "threads cannot be negative"),
        ({"port": 70_000}, "port"),
        ({"origins": "https://a.example"}, "origins is a list of texts"),
        ({"origins": [1]}, "origins is a list of texts"),
    ],
)
def test_what_cannot_be_is_said(given: dict[str, Any], message: str) -> None:
    with pytest.raises(hql_errors.ConfigurationFault, match=re.escape(message)) as fault:
        make_settings(given)
    assert fault.value.code == "CONFIGURATION"


def test_every_setting_is_described() -> None:
    text = (Path(__file__).parents[2] / "docs" / "SERVER.md").read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if line.startswith("| `")]
    for field in dataclasses.fields(ServerSettings):
        row = next((line for line in table if f"`{field.name}`" in line.split("|")[1]), None)
        assert row is not None, field.name
        if isinstance(field.default, (int, float)) and field.default is not False:
            number = field.default if field.default < 1 << 20 else field.default >> 20
            assert f"{number:g}" in row.split("|")[2], field.name


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(hql_errors.FileFault):
        read_settings(tmp_path / "missing.toml", {})
    (tmp_path / "bad.toml").write_text("port = = 1")
    with pytest.raises(hql_errors.ConfigurationFault, match="is not TOML"):
        read_settings(tmp_path / "bad.toml", {})


@pytest.fixture
def has_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs in this process, whose engine is there already and stays as it is."""
    monkeypatch.setattr("hartonomous.hql.engine.relational.limit_memory", lambda memory_bytes: None)


@pytest.mark.usefixtures("has_an_engine")
def test_an_address_that_cannot_be_listened_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", ":memory:", "--host", "0.0.0.0", "--port", "0"]) == 1
    assert "this database has no users" in capsys.readouterr().err


@pytest.mark.usefixtures("has_an_engine")
def test_a_port_that_is_taken_leaves_the_database_free(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", str(tmp_path / "db"), "--port", port]) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err
    code = "import sys; from hartonomous.hql.shell.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "-c", "CREATE TABLE t (n INT)", str(tmp_path / "db")]
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_every_code_has_its_sqlstate() -> None:
    codes: set[str] = set()
    for module in (storage_errors, hql_errors):
        drawn = (module.__doc__ or "").split("\nError\n")[1]
        codes |= {c for c in re.findall(r"\b[A-Z][A-Z_]{3,}\b", drawn)}
    codes -= {"EXECUTION", "ERROR", "COMMIT", "COPY", "THROW", "RAISERROR", "INTERFACE", "BEGIN"}
    assert codes - set(SQLSTATES) == set()
    assert all(re.fullmatch(r"[0-9A-Z]{5}", state) for state in SQLSTATES.values())
    assert sqlstate_of(Error("x")) == "XX000"
    assert sqlstate_of(storage_errors.DataError("x", code="ODD")) == "22000"
