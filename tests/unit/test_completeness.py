"""When the shell sends what was typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hartonomous.hql.shell.completeness import is_to_send, read_ending
from hartonomous.hql.shell.line_marks import line_marks

SENT = [
    "",
    "-- only a comment",
    "SELECT 1;",
    "SELECT 1; -- done",
    "SELECT 1\nGO",
    "SELECT 1\n",
    "SELECT a FROM\n  ",
    "BEGIN TRAN;",
    "BEGIN TRANSACTION t;",
    "BEGIN SELECT 1; END;",
    "BEGIN TRY SELECT 1; END TRY BEGIN CATCH SELECT 2; END CATCH;",
    "SELECT CASE WHEN 1 = 1 THEN 2 END;",
    "CREATE PROCEDURE p AS SELECT 1;\n",
    "CREATE OR ALTER PROC p AS SELECT 1;\nGO",
    "CREATE FUNCTION f(@a INT) RETURNS INT AS RETURN @a;",
    "CREATE FUNCTION f() RETURNS TABLE AS RETURN SELECT 1 AS a;",
    "CREATE PROCEDURE p AS BEGIN SELECT 1; SELECT 2; END;",
    "SELECT $;",
    "SELECT $\nGO",
]
KEPT = [
    ("SELECT 1", "-"),
    ("SELECT (1,", "("),
    ("SELECT ';", "'"),
    ("SELECT ';\n", "'"),
    ('SELECT ";', '"'),
    ("SELECT [a;", "]"),
    ("/* a ;", "*"),
    ("/* a\n\n", "*"),
    ("BEGIN SELECT 1;", "e"),
    ("BEGIN SELECT 1;\n\n", "e"),
    ("BEGIN TRY SELECT 1; END TRY BEGIN CATCH SELECT 2;", "e"),
    ("IF 1 = 1 BEGIN SELECT CASE WHEN 1 = 1 THEN 2 END;", "e"),
    ("CREATE PROCEDURE p AS SELECT 1;", "-"),
    ("CREATE PROCEDURE p AS SELECT 1; SELECT 2;", "-"),
    ("CREATE PROCEDURE p AS BEGIN TRAN;", "-"),
    ("CREATE PROCEDURE p AS BEGIN TRY SELECT 1; END TRY BEGIN CATCH SELECT 2; END CATCH;", "-"),
    ("CREATE PROCEDURE p AS RETURN 1;", "-"),
    ("SELECT 1\nGO on", "-"),
    ("SELECT $", "-"),
]


@pytest.mark.parametrize("text", SENT)
def test_sent(text: str) -> None:
    assert is_to_send(text)


@pytest.mark.parametrize(("text", "mark"), KEPT)
def test_kept_and_what_the_prompt_shows(text: str, mark: str) -> None:
    assert not is_to_send(text)
    assert read_ending(text).mark == mark


PIECES = (
    *("SELECT a", "(", ")", "'it''s'", "'", "N'", '"a', '"', "[b", "]", "/*", "*/", "-- '", ";"),
    *("BEGIN", "BEGIN TRAN", "END", "CASE", "TRY", "GO", "\n", "\n", "\nGO\n", " ", "1.5", "@v"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_the_marks_of_all_lines_are_those_of_the_texts_above_them(pieces: list[str]) -> None:
    text = " ".join(pieces)
    lines = text.split("\n")
    above = ["\n".join(lines[:number]) for number in range(len(lines))]
    assert line_marks(text) == [read_ending(one).mark for one in above]
