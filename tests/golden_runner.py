"""Runs one golden script against the engine: sessions, tags, commands, twists; knows no pytest.

A script is a sequence of blocks; a blank line ends a block:

    # why this is tested
    > CREATE TABLE t (a INT);         a statement; lines that begin with two blanks continue it
    [plan, types]a> SELECT a FROM t   tags in brackets, then the session's name
    !> SELECT b FROM t;               `!`: must fail, and the error is the output
    @reopen                           a runner command
    ----
    expected output                   sessions prefix their lines, plan lines start with `| `

Output of a statement: its messages (`-- text`), its rows (`1 | abc | NULL`; sorted unless the
outermost query has ORDER BY; floats at six significant digits; strings that would be unclear in
quotes), or `n rows` for a change. A block without output prints `ok`.

Tags: `plan` (EXPLAIN's lines first), `types` (a line with names and types first), `brief` (that
there are rows, and not which: for answers that differ with the data's version).
Commands: `@reopen` closes all sessions, the next statement opens the folder again; `@crash` does
that on a copy of the folder as it lies on the disk now; `@set rules=off|on|NAME` (NAME is left
out); `@set batch=1|off`; `@params JSON`, parameters of the next statement; `@file NAME` writes the
two-blank lines below it into a file; `@read NAME` prints one. In statements `{folder}` is the
folder of such files, `{library}` that of Python's standard library, `{smollm}` and `{minilm}` real
models (tests/model_files.py); answers that name one of the latter show what was written.
"""

from __future__ import annotations

import json
import re
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import golden_hooks
import model_files
from golden_format import (
    TWISTS,
    format_messages,
    format_plan,
    format_rows,
    format_types,
    is_ordered,
)

from hartonomous import hql
from hartonomous.hql.errors import SyntaxFault
from hartonomous.hql.syntax.parse import parse_batch
from hartonomous.storage.errors import Error

LINE = re.compile(r"(?:\[(?P<tags>[\w ,]+)\]\s*)?(?P<name>\w*)(?P<bang>!?)> ?(?P<text>.*)", re.S)
TAGS = {"plan", "types", "brief"}
EXPLAIN = re.compile(r"(^|;)\s*EXPLAIN\b", re.I)
#: the name of EXPLAIN's only column
PLAN = "plan"
#: the folder of Python's standard library: real text and code that every machine has
LIBRARY = Path(sysconfig.get_path("stdlib")).as_posix()
MODELS = {
    "{smollm}": lambda: model_files.model_file(*model_files.SMOLLM),
    "{minilm}": lambda: model_files.model_folder(*model_files.MINILM),
}
#: a temporary table would be lost by reopening
TEMPORARY = re.compile(r"[\s(]#\w+")


def brief(rows: int) -> str:
    return "some rows" if rows > 0 else "no rows"


class Runner:
    """One script's run. `folder` is empty and ours; `twist` is one of TWISTS."""

    def __init__(self, folder: Path, twist: str = "none") -> None:
        assert twist in TWISTS
        self.files = folder / "files"
        self.files.mkdir()
        self.database = folder / "script.hdb"
        self.twist = twist
        self.hooks = golden_hooks.Hooks()
        self.sessions: dict[str, Any] = {}
        self.parameters: Any = None
        self.crashes = 0

    def __enter__(self) -> Runner:
        if self.twist == "batch1":
            self.hooks.set("batch", "1")
        if self.twist == "norules":
            self.hooks.set("rules", "off")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.hooks.undo()

    # --- a script --------------------------------------------------------------------------------

    def script(self, text: str) -> str:
        """The script with its outputs as they are now."""
        if self.twist == "reopen" and TEMPORARY.search(text):
            self.twist = "none"
        blocks = text.strip("\n").split("\n\n")
        return "\n\n".join(self.block(block) for block in blocks) + "\n"

    def block(self, block: str) -> str:
        head, bar, _ = block.partition("\n----")
        lines: list[str] = []
        for raw in head.split("\n"):
            if raw.startswith("  ") and lines:
                lines[-1] += "\n" + raw
            elif raw and not raw.startswith("#"):
                lines.append(raw)
        if not lines and not bar:
            return block  # a comment on its own
        out = [x or "(empty line)" for line in lines for x in self.line(line)]
        return "\n".join([head, "----", *(out or ["ok"])])

    def line(self, line: str) -> Iterator[str]:
        if line.startswith("@"):
            yield from self.command(*line[1:].split(maxsplit=1))
            return
        match = LINE.match(line)
        assert match, f"not a golden line: {line!r}"
        tags = set(re.split(r"[ ,]+", match["tags"])) if match["tags"] else set()
        assert tags <= TAGS, f"unknown tags {tags - TAGS}"
        prefix = f"{match['name']}: " if match["name"] else ""
        text = match["text"].replace("{folder}", self.files.as_posix())
        text = text.replace("{library}", LIBRARY)
        for word, find in MODELS.items():
            if word in text:
                text = text.replace(word, find().as_posix())
        try:
            out = self.statement(match["name"], text, tags)
        except Error as error:
            assert match["bang"], f"unexpected {error.code} from\n{text}\n{error}"
            out = f"{error.code}: {error}".replace(self.files.as_posix(), "{folder}").splitlines()
        else:
            assert not match["bang"], f"no error from\n{text}\nbut\n" + "\n".join(out)
        finally:
            if self.twist == "reopen" and not any(s.in_transaction for s in self.sessions.values()):
                self.close()
        yield from (prefix + x.replace(LIBRARY, "{library}") for x in out)

    # --- one statement ---------------------------------------------------------------------------

    def session(self, name: str) -> Any:
        if name not in self.sessions:
            self.sessions[name] = hql.connect(self.database)
        return self.sessions[name]

    def statement(self, name: str, text: str, tags: set[str]) -> list[str]:
        if self.twist == "reparse":
            text = self.printed(text)
        session, parameters = self.session(name), self.parameters
        self.parameters = None
        out: list[str] = []
        if "plan" in tags:
            plan = session.execute(f"EXPLAIN {text}", parameters).fetchall()
            out += format_plan(plan)
        cursor = session.execute(text, parameters)
        results = self.results(cursor, text, tags)
        return out + format_messages(cursor.messages) + results

    @staticmethod
    def printed(text: str) -> str:
        """The text as its own trees print it, which must be a fixed point."""
        try:
            first = parse_batch(text)
        except SyntaxFault:
            return text
        once = "\n".join(f"{s};" for s in first)
        second = parse_batch(once)
        assert tuple(second) == tuple(first), f"printing changes the meaning:\n{text}\n{once}"
        assert [str(s) for s in second] == [str(s) for s in first], f"no fixed point:\n{once}"
        return once

    @staticmethod
    def results(cursor: Any, text: str, tags: set[str]) -> list[str]:
        if cursor.description is None:
            if "brief" in tags:
                return [brief(cursor.rowcount)]
            return [f"{cursor.rowcount} rows"] if cursor.rowcount >= 0 else []
        out: list[str] = []
        while True:
            if EXPLAIN.search(text) and [c[0] for c in cursor.description] == [PLAN]:
                out += format_plan(cursor.fetchall())
            else:
                if "types" in tags:
                    out.append(format_types(cursor.description))
                table = cursor.fetch_arrow_table()
                if "brief" in tags:
                    out.append(brief(table.num_rows))
                else:
                    out += format_rows(table, ordered=is_ordered(text))
            if not cursor.nextset():
                return out

    # --- commands --------------------------------------------------------------------------------

    def close(self) -> None:
        for session in self.sessions.values():
            session.close()
        self.sessions.clear()

    def command(self, name: str, argument: str = "") -> list[str]:
        match name:
            case "reopen":
                self.close()
            case "crash":
                self.crashes += 1
                copy = self.database.with_name(f"script{self.crashes}.hdb")
                shutil.copytree(self.database, copy)
                self.close()
                self.database = copy
            case "set":
                self.hooks.set(*argument.split("=", 1))
                for session in self.sessions.values():
                    session.session._texts.clear()  # plans made before
            case "params":
                self.parameters = json.loads(argument)
            case "file":
                first, _, rest = argument.partition("\n")
                lines = [line.removeprefix("  ") for line in rest.split("\n")]
                (self.files / first).parent.mkdir(parents=True, exist_ok=True)
                (self.files / first).write_text("\n".join(lines) + "\n", encoding="utf-8")
            case "read":
                return (self.files / argument).read_text(encoding="utf-8").splitlines()
            case _:
                raise AssertionError(f"unknown command @{name}")
        return []
