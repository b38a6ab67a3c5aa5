r"""Lists of things: patterns as psql has them, and rows that are shown as results are."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql.result import Result
from hartonomous.hql.shell.commands.base import Arguments
from hartonomous.storage.catalog import fold

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


_PART = re.compile(r'\[([^\]]*)\]|"([^"]*)"|([^.\[\]"]+)')


class Pattern:
    """`name`, `schema.name`, with * and ? for any characters or one; None matches all. `said`
    is how a message ends that nothing matches."""

    def __init__(self, text: str | None) -> None:
        self.said = f" like {text}" if text else ""
        parts = [next(filter(None, m.groups()), "") for m in _PART.finditer(text or "*")]
        self._schema = fold(parts[-2]) if len(parts) > 1 else None
        self._name = fold(parts[-1]) if parts else "*"

    def matches(self, schema: str | None, name: str) -> bool:
        """Whether a name matches, as HQL compares names."""
        if self._schema is not None and not _matches(schema or "", self._schema):
            return False
        return _matches(name, self._name)


def _matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(fold(name), pattern.replace("[", "[[]"))


def query(shell: Shell, text: str) -> Result:
    """The rows of a query of ours, in a frame of its own; what was typed last is left alone."""
    (result,) = shell.connection.session.execute(text)
    return result


def list_matching(shell: Shell, given: Arguments, what: str, text: str) -> None:
    """Shows the rows of a query whose columns `schema` and `name` match the pattern. A schema that
    says nothing is left out."""
    pattern = Pattern(given.text or None)
    result = query(shell, text)
    assert result.fields is not None
    table = result.to_table()
    names = zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True)
    table = table.filter(pa.array([pattern.matches(s, n) for s, n in names], pa.bool_()))
    if not table.num_rows:
        shell.say(f"there are no {what}{pattern.said}")
        return
    fields = result.fields
    if not any(table.column(0).to_pylist()):
        table, fields = table.remove_column(0), fields[1:]
    shell.show(Result.of_table(fields, table))


def result_of(rows: Sequence[tuple[Any, ...]], types: Mapping[str, Any]) -> Result:
    """Rows of ours as a result."""
    from hartonomous.hql.plan import Field, schema_of

    fields = tuple(Field(name, type_) for name, type_ in types.items())
    schema = schema_of(fields)
    columns = list(zip(*rows, strict=True)) or [()] * len(fields)
    arrays = [pa.array(list(c), f.type) for c, f in zip(columns, schema, strict=True)]
    return Result.of_table(fields, pa.Table.from_arrays(arrays, schema=schema))


def show_plainly(shell: Shell, result: Result) -> None:
    """Shows rows without the lines that say how many and how long."""
    before = shell.settings
    shell.settings = replace(before, footer=False, timing=False)
    try:
        shell.show(result)
    finally:
        shell.settings = before
