"""A shell for tests: what was written, without a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from hartonomous.hql import connect
from hartonomous.hql.shell.state import Settings, Shell
from hartonomous.hql.shell.terminal import Terminal

#: what a test reads of standard error
Errors = pytest.CaptureFixture[str]

#: something of every kind to look at
DEFINITIONS = """
CREATE TABLE people (id INT IDENTITY PRIMARY KEY, name NVARCHAR(20) NOT NULL DEFAULT 'x',
    age INT CHECK (age > 0), twice AS (age * 2));
INSERT INTO people (name, age) VALUES ('Ada', 36), ('Bob', 1);
CREATE SCHEMA other;
CREATE TABLE other.places (id INT);
GO
CREATE VIEW adults AS SELECT name FROM people WHERE age > 17
GO
CREATE PROCEDURE greet @name NVARCHAR(20) = 'you' AS PRINT @name
GO
CREATE FUNCTION next_of(@n INT) RETURNS INT AS BEGIN RETURN @n + 1 END
GO
"""


class TestShell(Shell):
    """`shown(text)` enters a text and gives what it wrote. `columns` None: no terminal."""

    __test__ = False

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        columns: int | None = 80,
        has_unicode: bool = True,
        has_colours: bool = False,
    ) -> None:
        self.written = io.BytesIO()
        terminal = None
        if columns is not None:
            terminal = Terminal(
                size=(columns, 24), has_unicode=has_unicode, has_colours=has_colours
            )
        settings = Settings(pager="off")
        super().__init__(connect(path), settings, out=self.written, terminal=terminal)

    def shown(self, text: str, *, fails: bool = False) -> str:
        """What a text writes where results go; whether it fails is checked."""
        self.written.seek(0)
        self.written.truncate()
        assert self.enter(text) is not fails, self.written.getvalue().decode()
        return self.written.getvalue().decode()

    def lines(self, text: str) -> list[str]:
        return self.shown(text).splitlines()
