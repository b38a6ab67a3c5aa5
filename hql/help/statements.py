"""Statements as topics: a synopsis from the grammar, and hql/statements/NAME.md for the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from importlib.resources import files

from hartonomous.hql.help.syntax import query_synopsis, synopsis
from hartonomous.hql.help.topics import Topic
from hartonomous.hql.statements import STATEMENTS

_EXAMPLE = re.compile(r"```hql\n(.*?)```", re.DOTALL)


def text_of(name: str) -> str:
    """What is said of a statement: Markdown whose first paragraph says what it does."""
    path = files("hartonomous.hql") / "statements" / f"{name}.md"
    return path.read_text(encoding="utf-8").strip()


def examples_of(name: str) -> list[str]:
    """The examples of a statement; each runs as it stands."""
    return _EXAMPLE.findall(text_of(name))


def syntax_of(name: str) -> str:
    return query_synopsis() if name == "query" else synopsis(name)


def title_of(name: str) -> str:
    """The statement's title, told apart from others that begin alike."""
    return _TITLES.get(name, STATEMENTS[name].title)


def topics() -> Iterator[Topic]:
    for name in STATEMENTS:
        about = text_of(name).split("\n\n", 1)[0].replace("\n", " ")
        yield Topic(title_of(name), "statement", about, partial(_page, name), _OTHERS.get(name, ()))


def _page(name: str) -> str:
    text = _EXAMPLE.sub(lambda m: _indented(m[1]), text_of(name))
    return f"{title_of(name)}\n\n{_indented(syntax_of(name))}\n\n{text}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.rstrip().split("\n"))


_TITLES = {
    "block": "BEGIN … END",
    "execute": "EXEC procedure",
    "execute_text": "EXEC (text)",
    "set_option": "SET option",
    "set_variable": "SET @variable",
    "try_catch": "BEGIN TRY … CATCH",
}
#: further names that people look under
_OTHERS = {
    "begin_transaction": ("BEGIN TRANSACTION", "TRANSACTION"),
    "block": ("BEGIN", "END"),
    "declare": ("TABLE VARIABLE", "VARIABLE"),
    "declare_cursor": ("CURSOR",),
    "execute": ("EXEC", "EXECUTE", "CALL"),
    "execute_text": ("EXEC", "EXECUTE"),
    "if_else": ("ELSE",),
    "query": ("QUERY", "WITH", "UNION", "VALUES", "FROM", "JOIN", "WHERE", "GROUP BY", "ORDER BY"),
    "rollback": ("ROLLBACK TRAN",),
    "savepoint": ("SAVEPOINT",),
    "set_option": ("SET",),
    "set_variable": ("SET",),
    "try_catch": ("TRY", "CATCH", "TRY CATCH"),
    "wait_for": ("WAITFOR",),
}
