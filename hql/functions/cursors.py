"""CURSOR_STATUS: whether a cursor is there, and open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.resolve import P, exactly, resolver
from hartonomous.hql.types import INT, NVARCHAR

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.context import Context
    from hartonomous.hql.operators.base import Execution

OPEN, EMPTY, CLOSED, UNKNOWN = 1, 0, -1, -3


@frozen
class Statuses:
    """The kernel of one run of a statement."""

    context: Context

    def __call__(self, count: int, *arguments: Any) -> pa.Array:
        import pyarrow as pa

        from hartonomous.hql.scripts.functions import argument_rows

        rows = argument_rows(count, arguments, (NVARCHAR, NVARCHAR))
        return pa.array([self._status(*row) for row in rows], pa.int32())

    def _status(self, scope: str | None, name: str | None) -> int | None:
        from hartonomous.storage.catalog import fold  # with pyarrow

        if scope is None or name is None:
            return None
        owners = {"local": self.context.frame.cursors, "global": self.context.session.cursors}
        if fold(scope) not in owners:
            raise ExecutionFault(
                f"CURSOR_STATUS: '{scope}' is no kind of cursor",
                code="BAD_VALUE",
                hint="'local' or 'global'",
            )
        cursor = owners[fold(scope)].get(fold(name))
        if cursor is None:
            return UNKNOWN
        if cursor.opened is None:
            return CLOSED
        return EMPTY if cursor.opened.count == 0 else OPEN


def _in_execution(execution: Execution) -> Statuses:
    assert execution.context is not None, "a function of a session, and no statement around it"
    return Statuses(execution.context)


def _unbound(*arguments: Any) -> Any:
    raise AssertionError("CURSOR_STATUS runs in a statement")


CURSORS: tuple[Function, ...] = (
    Function(
        name="CURSOR_STATUS",
        kind="scalar",
        resolve=resolver(
            "CURSOR_STATUS", (P("kind", exactly(NVARCHAR)), P("cursor", exactly(NVARCHAR))), INT
        ),
        kernel=_unbound,
        parameters=("kind", "cursor"),
        doc="Of a cursor, `'local'` or `'global'`: 1 open, 0 open and known to have no rows, -1 "
        "closed, -3 there is none of that name.",
        example="CURSOR_STATUS('global', 'c')",
        volatile=True,
        in_execution=_in_execution,
    ),
)
