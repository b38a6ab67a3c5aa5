"""HQL in notebooks: `%load_ext hartonomous.hql.notebook`, then `%hql` and `%%hql`.

    %hql_connect atlas.hdb          (in memory until then)
    %hql SELECT COUNT(*) FROM Atoms
    rows = %hql SELECT * FROM t WHERE a > {limit + 1}

    %%hql nearest <<
    SELECT TOP (10) * FROM {frame} ORDER BY VECTOR_DISTANCE('cosine', v, {query})

`{…}` is a Python expression of the notebook, and its value a parameter: a number, a text, a vector,
or a table (a data frame or an Arrow table) where a table may stand. It is never pasted into the
text. Inside quotes and comments braces are braces. A cell shows every result; the last one is the
cell's value, or goes to the variable before `<<`.
"""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand
from IPython.display import display

from hartonomous import hql
from hartonomous.hql.shell.faults import describe
from hartonomous.hql.shell.running import count_rows
from hartonomous.hql.values import format_value, to_python
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    import pandas
    from IPython.core.interactiveshell import InteractiveShell

    from hartonomous.hql.dbapi import Connection
    from hartonomous.hql.plan import Field

#: rows and characters of a value that are shown
ROWS_SHOWN = 50
CHARACTERS_SHOWN = 80

#: quotes and comments, which stay as they are, or {an expression}
_PIECES = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\{(?P<expression>[^{}]+)\}", re.DOTALL
)
_TARGET = re.compile(r"\s*([^\W\d]\w*)\s*<<\s*")


class Rows:
    """A result: shown as a table; `df()` is a pandas DataFrame, `arrow` the Arrow table, and it
    iterates over tuples."""

    def __init__(self, fields: tuple[Field, ...], arrow: pa.Table) -> None:
        self.fields = fields
        self.arrow = arrow

    @property
    def columns(self) -> list[str]:
        return [field.name for field in self.fields]

    def df(self) -> pandas.DataFrame:
        """As Cursor.fetch_df gives it."""
        from hartonomous.hql.frames import to_pandas

        return to_pandas(self.arrow, self.fields, None)

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._tuples(self.arrow)

    def _tuples(self, table: pa.Table) -> Iterator[tuple[Any, ...]]:
        for batch in table.to_batches():
            columns = (to_python(batch.column(i), f.type) for i, f in enumerate(self.fields))
            yield from zip(*columns, strict=True)

    def _shown(self) -> list[list[str]]:
        return [
            [_short(format_value(v, f.type)) for v, f in zip(row, self.fields, strict=True)]
            for row in self._tuples(self.arrow.slice(0, ROWS_SHOWN))
        ]

    def _count(self) -> str:
        count = count_rows(len(self))
        return f"{count}, {ROWS_SHOWN} shown" if len(self) > ROWS_SHOWN else count

    def __repr__(self) -> str:
        rows = [self.columns, *self._shown()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(v.ljust(w) for v, w in zip(r, widths, strict=True)) for r in rows]
        return "\n".join([*(line.rstrip() for line in lines), f"({self._count()})"])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(value)}</td>" for value in row) + "</tr>"
            for row in self._shown()
        )
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<p>{self._count()}</p>"
        )


def _short(text: str) -> str:
    return text if len(text) <= CHARACTERS_SHOWN else text[: CHARACTERS_SHOWN - 1] + "…"


def split_expressions(text: str) -> tuple[str, dict[str, str]]:
    """The text with `@notebook_1`, `@notebook_2` … in place of `{…}`, and the expressions by name.

    >>> split_expressions("SELECT {x + 1}, '{y}'")
    ("SELECT @notebook_1, '{y}'", {'notebook_1': 'x + 1'})
    """
    expressions: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        if match["expression"] is None:
            return match[0]
        name = f"notebook_{len(expressions) + 1}"
        expressions[name] = match["expression"].strip()
        return f"@{name}"

    return _PIECES.sub(replace, text), expressions


@contextlib.contextmanager
def _as_the_shell_says_it(text: str | None = None) -> Iterator[None]:
    """Errors of HQL are shown with their place in the text and their hint, without the frames of
    Python below, which say nothing of what is wrong. IPython asks an exception for its lines."""
    try:
        yield
    except Error as error:
        lines = describe(error, text).rstrip("\n").split("\n")
        vars(error)["_render_traceback_"] = lambda: lines
        raise


@magics_class
class HQLMagics(Magics):
    """%hql, %%hql, %hql_connect: one connection a notebook."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._notebook = shell
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = hql.connect()
        return self._connection

    @no_var_expand
    @line_magic
    def hql_connect(self, line: str) -> None:
        """%hql_connect FOLDER, or a server's URL: another database; alone: one in memory."""
        with _as_the_shell_says_it():
            connected = hql.connect(line.strip().strip("'\"") or None)
        self.close()
        self._connection = connected

    @no_var_expand
    @line_cell_magic
    def hql(self, line: str, cell: str | None = None) -> Rows | None:
        """%hql STATEMENTS, or %%hql [NAME <<] with statements below."""
        target = _TARGET.match(line)
        rest = line[target.end() :] if target else line
        text = rest if cell is None else f"{rest}\n{cell}"
        results = list(self._run(text))
        for earlier in results[:-1]:
            display(earlier)  # type: ignore[no-untyped-call]
        last = results[-1] if results else None
        if target is None:
            return last
        self._notebook.user_ns[target[1]] = last
        return None

    def _run(self, text: str) -> Iterator[Rows]:
        text, expressions = split_expressions(text)
        value_of: Callable[[str], Any] = self._notebook.ev
        parameters = {name: value_of(code) for name, code in expressions.items()}
        messages: list[str] = []
        connection = self.connection
        with connection.lock, _as_the_shell_says_it(text):
            try:
                for result in connection.session.results(text, parameters or None, messages):
                    if result.has_rows:
                        assert result.fields is not None
                        yield Rows(result.fields, result.to_table())
                    elif result.row_count >= 0:
                        print(f"{count_rows(result.row_count)} changed")
            finally:
                for message in messages:
                    print(message)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext hartonomous.hql.notebook`."""
    shell.register_magics(HQLMagics(shell))


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """`%unload_ext`: closes the connection."""
    magics = shell.magics_manager.registry.get("HQLMagics")
    if isinstance(magics, HQLMagics):
        magics.close()
