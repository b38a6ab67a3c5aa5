"""A frame: one running text with its variables. A batch, a routine's body, or the text of EXEC."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hartonomous.hql.parameters import ParameterSet
from hartonomous.hql.types import INT, Type

if TYPE_CHECKING:
    from hartonomous.hql.scripts.cursors import Cursor
    from hartonomous.hql.scripts.table_variables import TableVariable
    from hartonomous.hql.statements.declare import VariableDefinition
    from hartonomous.storage.variables import TableVariables

#: how deep routines and texts of EXEC may call one another, as in T-SQL
CALLS_MAX = 32


class Frame:
    """`parameters` are what the text was given and what it declared; `routine` says kind and name
    of the routine whose body it is ("procedure dbo.p"; "text of EXEC"; None for a batch).

    `declared` finds the DECLARE of a variable, which may run again in a loop. `tables` are its
    table variables by folded name, `rows` what they hold (None: it never had one), `cursors` its
    LOCAL cursors by folded name, `temporary` the names in the catalog of the #temp tables that a
    routine or a text of EXEC made, by folded name. `identity` is the last IDENTITY
    value that its own statements gave out. `returns` is the type of what RETURN gives, and
    `return_value` that value in Python's form; of a function that fills the table variable
    `result_table`, its rows as an Arrow table. `definer` is who made the routine, with whose rights
    its body runs; None: with those of the session's account.
    """

    __slots__ = (
        "caller",
        "cursors",
        "declared",
        "definer",
        "depth",
        "identity",
        "parameters",
        "result_table",
        "return_value",
        "returns",
        "routine",
        "rows",
        "tables",
        "temporary",
    )

    def __init__(
        self,
        parameters: ParameterSet | None = None,
        *,
        caller: Frame | None = None,
        routine: str | None = None,
        definer: str | None = None,
    ) -> None:
        self.parameters = parameters if parameters is not None else ParameterSet()
        self.caller = caller
        self.routine = routine
        self.definer = definer
        self.depth: int = caller.depth + 1 if caller is not None else 0
        self.returns: Type = INT
        self.return_value: Any = None
        self.result_table: str | None = None
        self.identity: int | None = None
        self.declared: dict[str, VariableDefinition] = {}
        self.tables: dict[str, TableVariable] = {}
        self.rows: TableVariables | None = None
        self.cursors: dict[str, Cursor] = {}
        self.temporary: dict[str, str] = {}

    @property
    def tables_signature(self) -> tuple[tuple[str, int], ...]:
        """Equal where plans that name table variables can be shared."""
        if not self.tables:
            return ()
        return tuple([(name, table.entry.id) for name, table in self.tables.items()])

    def values(self, names: Iterable[str]) -> dict[str, Any]:
        """The values of variables now, by folded name, as rows would have them."""
        return {name: self.parameters.raw[name] for name in names}

    def close(self) -> None:
        """The text is over: lets go of what it declared. Idempotent."""
        self.tables.clear()
        for cursor in self.cursors.values():
            cursor.close()
        self.cursors.clear()
