"""The values that a caller hands over with a text: by name (`@n`, `:n`) or in order (`?`).

Names are folded and without marks; the `?` of a text are "?0", "?1" … . An Arrow table, reader or
data frame is a table parameter: it stands in FROM as `@name`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from hartonomous.hql.errors import ParameterFault
from hartonomous.hql.plan import Field
from hartonomous.hql.types import Type
from hartonomous.storage.catalog import fold

#: values that a text may take; a bound against mistakes (a list of rows given as parameters)
PARAMETERS_MAX = 10_000


class ParameterSet:
    """Types and values of one call's parameters. `signature` is equal for calls that can share
    plans."""

    __slots__ = ("consumed", "signature", "table_fields", "tables", "types", "values")

    def __init__(self, given: Mapping[str, Any] | Sequence[Any] | None = None) -> None:
        self.types: dict[str, Type] = {}
        self.values: dict[str, Any] = {}
        self.tables: dict[str, pa.Table | pa.RecordBatchReader] = {}
        self.table_fields: dict[str, tuple[Field, ...]] = {}
        self.consumed = False  # a reader was read: the statement cannot be tried again
        self.signature: Any = ()
        if given:
            self._take(given)

    def _take(self, given: Mapping[str, Any] | Sequence[Any]) -> None:
        if isinstance(given, (str, bytes)) or not isinstance(given, (Mapping, Sequence)):
            raise ParameterFault(
                f"parameters are a dict or a sequence, not {type(given).__name__}",
                hint='execute(text, {"name": value}) or execute(text, [value, …])',
            )
        if len(given) > PARAMETERS_MAX:
            raise ParameterFault(f"{len(given):,} parameters; at most {PARAMETERS_MAX:,} are taken")
        if isinstance(given, Mapping):
            for name, value in given.items():
                if not isinstance(name, str):
                    raise ParameterFault(f"a parameter's name is text, not {name!r}")
                self._add(fold(name.lstrip("@:")), value)
        else:
            for i, value in enumerate(given):
                self._add(f"?{i}", value)
        tables = tuple(self.table_fields.items())
        self.signature = (tuple(self.types.items()), tables)

    def _add(self, name: str, value: Any) -> None:
        from hartonomous.hql.values import parameter_value

        if is_table(value):
            self._add_table(name, value)
            return
        self.types[name], self.values[name] = parameter_value(name, value)

    def _add_table(self, name: str, value: Any) -> None:
        from hartonomous.hql.arrow_tables import table_fields

        self.tables[name] = as_arrow(name, value)
        self.table_fields[name] = table_fields(name, self.tables[name].schema)

    def spool(self, name: str) -> pa.Table:
        """A table parameter as a table that can be read again and again."""
        from hartonomous.hql.arrow_tables import conform

        source = self.tables[name]
        if isinstance(source, pa.RecordBatchReader):
            self.consumed = True
            source = source.read_all()
        table = conform(source, self.table_fields[name])
        self.tables[name] = table
        return table


def is_table(value: Any) -> bool:
    """Whether a parameter stands for rows: Arrow tables, batches, readers, data frames."""
    if isinstance(value, (pa.Table, pa.RecordBatch, pa.RecordBatchReader)):
        return True
    if value is None or isinstance(value, (str, int, float, bytes, list, tuple, pa.Scalar)):
        return False
    is_frame = hasattr(value, "columns") and type(value).__module__.startswith("pandas.")
    return is_frame or (hasattr(value, "__arrow_c_stream__") and hasattr(value, "columns"))


def as_arrow(name: str, value: Any) -> pa.Table | pa.RecordBatchReader:
    """Rows as an Arrow table or a reader that has not been read."""
    if isinstance(value, (pa.Table, pa.RecordBatchReader)):
        return value
    if isinstance(value, pa.RecordBatch):
        return pa.Table.from_batches([value])
    try:
        if type(value).__module__.startswith("pandas."):
            return pa.Table.from_pandas(value, preserve_index=False)
        return pa.table(value)
    except (pa.ArrowException, TypeError, ValueError) as fault:
        raise ParameterFault(f'parameter "{name}" is not a table: {fault}') from fault
