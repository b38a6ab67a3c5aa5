"""Backslash commands of the shell that show what there is, without a terminal."""

from __future__ import annotations

import pytest
from shells import Errors, TestShell


def test_describe_all(full: TestShell) -> None:
    shown = full.shown(r"\d")
    for row in (
        "│ dbo    │ people  │ table     │    2 │",
        "│ other  │ places  │ table     │    0 │",
    ):
        assert row in shown
    assert "│ adults  │ view " in shown and "│ greet   │ procedure" in shown
    assert "│ next_of │ function" in shown
    assert "Atoms" not in shown and "Atoms" in full.shown(r"\dS")


def test_describe_one(full: TestShell, capsys: Errors) -> None:
    assert full.shown(r"\d people") == (
        "Table dbo.people\n"
        "┌────────┬──────────────┬──────────┬─────────────┐\n"
        "│ column │ type         │ null     │ value       │\n"
        "├────────┼──────────────┼──────────┼─────────────┤\n"
        "│ id     │ INT          │ NOT NULL │ IDENTITY    │\n"
        "│ name   │ NVARCHAR(20) │ NOT NULL │ DEFAULT 'x' │\n"
        "│ age    │ INT          │          │             │\n"
        "│ twice  │ INT          │          │ AS age * 2  │\n"
        "└────────┴──────────────┴──────────┴─────────────┘\n"
        "Keys and indexes:\n"
        '    "PK_people" PRIMARY KEY (id)\n'
        "Checks:\n"
        '    "CK_people_1" CHECK (age > 0)\n'
    )
    assert "Query:\nSELECT name FROM people WHERE age > 17\n" in full.shown(r"\d ADULTS")
    assert "PRINT @name" in full.shown(r"\d greet")
    assert "RETURN @n + 1" in full.shown(r"\d dbo.next_of")
    assert "│ row_count " in full.shown(r"\d sys.tables")
    assert "│ CanonicalText " in full.shown(r"\d Atoms")
    assert full.shown(r"\d other.*").startswith("Table other.places\n")
    full.shown(r"\d nope")
    assert capsys.readouterr().err.endswith("there is nothing like nope; \\dS lists all\n")


def test_foreign_keys_are_described_from_both_sides(shell: TestShell) -> None:
    shell.enter("CREATE TABLE p (id INT PRIMARY KEY)")
    shell.enter("CREATE TABLE c (a INT REFERENCES p ON DELETE CASCADE, up INT REFERENCES p)")
    assert shell.shown(r"\d c").endswith(
        'Foreign keys:\n    "FK_c_p" (a) REFERENCES p (id) ON DELETE CASCADE\n'
        '    "FK_c_p_2" (up) REFERENCES p (id)\n'
    )
    assert shell.shown(r"\d p").endswith(
        'Referred to by:\n    "c" "FK_c_p" (a) REFERENCES p (id) ON DELETE CASCADE\n'
        '    "c" "FK_c_p_2" (up) REFERENCES p (id)\n'
    )


def test_names_with_marks(shell: TestShell) -> None:
    shell.enter("CREATE TABLE [a b's] (x INT); CREATE TABLE [a_b] (y INT)")
    assert "│ x " in shell.shown(r"\d [a b's]")
    assert "│ x " in shell.shown(r'\d "a b' + "'s\"")
    assert "a b's" not in shell.shown(r"\dt a_b")


@pytest.mark.parametrize(
    ("line", "there", "missing"),
    [
        (r"\dt", "people", "Atoms"),
        (r"\dt p?ople", "people", "places"),
        (r"\dt other.*", "places", "people"),
        (r"\dtS", "Atoms", "sys.tables"),
        (r"\dt+", "id INT, name NVARCHAR(20)", "Atoms"),
        (r"\dv", "adults", "SELECT"),
        (r"\dv+", "SELECT name FROM people", "greet"),
        (r"\di", "PK_people", "PK_Atoms"),
        (r"\di+", "searches", "PK_Atoms"),
        (r"\diS", "PK_Atoms", "searches"),
        (r"\dp", "@name NVARCHAR(20) = 'you'", "PRINT"),
        (r"\dp+", "CREATE PROCEDURE greet", "next_of"),
        (r"\df", "next_of", "JSON_VALUE"),
        (r"\df *json*", "JSON_VALUE", "next_of"),
        (r"\dfS", "ABS", "example"),
        (r"\ds", "other", "schema"),
        (r"\dn o*", "other", "dbo"),
    ],
)
def test_lists(full: TestShell, line: str, there: str, missing: str) -> None:
    shown = full.shown(line)
    assert there in shown and missing not in shown


def test_lists_of_nothing(shell: TestShell, capsys: Errors) -> None:
    for line, what in (("dt", "tables"), ("dv", "views"), ("dp", "procedures"), ("dm", "models")):
        shell.shown(f"\\{line}")
        assert capsys.readouterr().err == f"there are no {what}\n"
    shell.shown(r"\dt x*")
    assert capsys.readouterr().err == "there are no tables like x*\n"


def test_lists_heed_the_open_transaction_and_leave_what_was_typed(shell: TestShell) -> None:
    shell.enter("SELECT 1 AS first; BEGIN TRAN; CREATE TABLE t (a INT)")
    assert "│ t " in shell.shown(r"\dt")
    assert "first" in shell.last_text
    shell.enter("ROLLBACK")
    assert shell.shown(r"\dt") == ""
