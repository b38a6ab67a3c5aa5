"""The values that a caller hands over with a text: by name (`@n`, `:n`) or in order (`?`), and the
variables that the text declares beside them.

Names are folded and without marks; the `?` of a text are "?0", "?1" … . An Arrow table, reader or
data frame is a table parameter: it stands in FROM as `@name`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from hartonomous.hql.arrow_tables import conform, table_fields
from hartonomous.hql.errors import ParameterFault
from hartonomous.hql.plan import Field
from hartonomous.hql.types import Type
from hartonomous.storage.catalog import fold
from hartonomous.storage.errors import Error

#: values that a text may take; a bound against mistakes (a list of rows given as parameters)
PARAMETERS_MAX = 10_000
#: types of values that are certainly no tables
PLAIN = (str, int, float, bytes, list, tuple, Decimal, pa.Scalar)


class ParameterSet:
    """One call's parameters and variables. `raw` holds the values as they were given; types, and
    the values in their types' form, are worked out when a query is bound. `variables` are the
    types of those names that were declared."""

    __slots__ = ("_resolved", "consumed", "raw", "table_fields", "tables", "variables")

    def __init__(self, given: Mapping[str, Any] | Sequence[Any] | None = None) -> None:
        self.raw: dict[str, Any] = {}
        self.tables: dict[str, pa.Table | pa.RecordBatchReader] = {}
        self.table_fields: dict[str, tuple[Field, ...]] = {}
        self.variables: dict[str, Type] = {}
        self.consumed = False  # a reader was read: the statement cannot be tried again
        self._resolved: tuple[dict[str, Type], dict[str, Any], Any] | None = None
        if given:
            self._take(given)

    def _take(self, given: Mapping[str, Any] | Sequence[Any]) -> None:
        taken = named(given)
        if len(taken) > PARAMETERS_MAX:
            raise ParameterFault(f"{len(taken):,} parameters; at most {PARAMETERS_MAX:,} are taken")
        for name, value in taken.items():
            if is_table(value):
                self.tables[name] = as_arrow(name, value)
                self.table_fields[name] = table_fields(name, self.tables[name].schema)
            else:
                self.raw[name] = value

    def _resolve(self) -> tuple[dict[str, Type], dict[str, Any], Any]:
        if self._resolved is None:
            from hartonomous.hql.values import parameter_value

            types: dict[str, Type] = {}
            values: dict[str, Any] = {}
            for name, value in self.raw.items():
                types[name], values[name] = parameter_value(name, value)
            self._resolved = types, values, self._signature(types)
        return self._resolved

    def _signature(self, types: Mapping[str, Type]) -> Any:
        return (tuple(types.items()), tuple(self.table_fields.items()))

    @property
    def types(self) -> dict[str, Type]:
        """Types by name. Raises ParameterFault for a value that HQL has no type for."""
        return self._resolve()[0]

    @property
    def values(self) -> dict[str, Any]:
        """Values in the form that plans take, by name."""
        return self._resolve()[1]

    @property
    def signature(self) -> Any:
        """Equal for calls that can share plans."""
        return self._resolve()[2]

    # --- variables ---

    def copy(self) -> ParameterSet:
        """The values of now."""
        out = ParameterSet()
        out.raw, out.variables = dict(self.raw), dict(self.variables)
        out.tables, out.table_fields = self.tables, self.table_fields
        out._resolved = self._resolved
        return out

    def is_given(self, name: str) -> bool:
        """Whether the caller gave a value or a table of that name."""
        return (name in self.raw or name in self.tables) and name not in self.variables

    def declare(self, name: str, type_: Type, value: Any) -> None:
        """A new variable, with a value of its type in the form that `to_python` gives."""
        assert name not in self.variables and not self.is_given(name), name
        self._resolve()  # by the types of the values: those of the caller
        self.variables[name] = type_
        self.assign({name: value})

    def assign(self, values: Mapping[str, Any]) -> None:
        """New values of variables, of their types, in the form that `to_python` gives."""
        from hartonomous.hql.values import parameter_value

        types, resolved, signature = self._resolve()
        resolved = dict(resolved)  # what runs may still read the old ones
        for name, value in values.items():
            resolved[name] = parameter_value(name, value)[1]
        if not values.keys() <= types.keys():
            types = types | {name: self.variables[name] for name in values}
            signature = self._signature(types)
        self.raw.update(values)
        self._resolved = types, resolved, signature

    def forget(self, names: Iterable[str]) -> None:
        """Takes variables back that a statement declared before it failed."""
        types, resolved, _ = self._resolve()
        types, resolved = dict(types), dict(resolved)
        for name in names:
            del self.variables[name], self.raw[name], types[name], resolved[name]
        self._resolved = types, resolved, self._signature(types)

    # --- tables ---

    def take_batches(self, name: str) -> Iterator[pa.RecordBatch]:
        """A table parameter's rows as they were given, to be read once."""
        source = self.tables[name]
        if isinstance(source, pa.RecordBatchReader):
            self.consumed = True
            return read_batches(name, source)
        return iter(source.to_batches())

    def spool(self, name: str) -> pa.Table:
        """A table parameter as a table that can be read again and again."""
        source = self.tables[name]
        if isinstance(source, pa.RecordBatchReader):
            self.consumed = True
            source = pa.Table.from_batches(read_batches(name, source), source.schema)
        table = conform(source, self.table_fields[name])
        self.tables[name] = table
        return table


def read_batches(name: str, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """A caller's reader. What it raises is the caller's, and is no bug of ours."""
    schema = reader.schema
    while True:
        try:
            batch = reader.read_next_batch()
            if batch.schema != schema:
                raise ValueError(f"a batch has columns {batch.schema.names} of other types")
        except StopIteration:
            return
        except Error:
            raise
        except Exception as fault:
            raise ParameterFault(
                f"@{name} cannot be read: {type(fault).__name__}: {fault}"
            ) from fault
        yield batch


def check_count(text: str, given: Mapping[str, Any] | Sequence[Any] | None) -> None:
    """PARAMETER for a sequence that is certainly longer than what the text asks for. (A `?` may
    also stand in a string, so that only a surplus is certain.)"""
    if not given:
        return
    if type(given) not in (tuple, list) and (
        isinstance(given, (Mapping, str, bytes)) or not isinstance(given, Sequence)
    ):
        return
    if len(given) > text.count("?"):
        raise ParameterFault(
            f"{len(given):,} values for {text.count('?'):,} ?",
            hint="give a value for each ?; values for @name come in a dict",
        )


def named(given: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    """Parameters by folded name; those of a sequence are ?0, ?1 …"""
    if type(given) in (tuple, list):  # asked first: abstract classes are slow to ask
        return {f"?{i}": value for i, value in enumerate(given)}
    if isinstance(given, (str, bytes)) or not isinstance(given, (Mapping, Sequence)):
        raise ParameterFault(
            f"parameters are a dict or a sequence, not {type(given).__name__}",
            hint='execute(text, {"name": value}) or execute(text, [value, …])',
        )
    if not isinstance(given, Mapping):
        return {f"?{i}": value for i, value in enumerate(given)}
    out: dict[str, Any] = {}
    for name, value in given.items():
        if not isinstance(name, str):
            raise ParameterFault(f"a parameter's name is text, not {name!r}")
        key = fold(name.lstrip("@:"))
        if key in out:
            raise ParameterFault(f"@{key} was given twice; names are matched without case")
        out[key] = value
    return out


def is_table(value: Any) -> bool:
    """Whether a parameter stands for rows: Arrow tables, batches, readers, data frames."""
    if value is None or isinstance(value, PLAIN):
        return False
    if isinstance(value, (pa.Table, pa.RecordBatch, pa.RecordBatchReader)):
        return True
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
