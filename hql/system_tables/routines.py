"""sys.procedures, sys.functions and sys.parameters: what can be called, and with what.

sys.functions shows users' functions beside the system's, which have no id, no schema and no text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.system_tables.base import Row, of_tuples
from hartonomous.hql.types import BIGINT, BIT, INT, NVARCHAR

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.scripts.routines import Routine
    from hartonomous.storage.catalog import RoutineEntry


def _routines(context: Context) -> list[tuple[RoutineEntry, Routine]]:
    from hartonomous.hql.scripts.routines import read_routine

    return [(entry, read_routine(entry)) for entry in context.catalog.routines()]


def _shown(routine: Routine) -> str:
    return ", ".join(str(p) for p in routine.parameters)


def _procedures(context: Context) -> list[Row]:
    return [
        (e.id, e.schema, e.name, _shown(r), e.text)
        for e, r in _routines(context)
        if r.noun == "procedure"
    ]


def _functions(context: Context) -> list[Row]:
    from hartonomous.hql.functions import FUNCTIONS as registry

    users: list[Row] = [
        (e.id, e.schema, e.name, e.routine.split()[0].lower(), _shown(r), None, None, e.text)
        for e, r in _routines(context)
        if r.noun == "function"
    ]
    systems = {
        (None, None, f.name, f.kind, ", ".join(f.parameters), f.doc, f.example, None)
        for f in registry.values()
    }
    return [*users, *sorted(systems, key=lambda row: row[2])]


def _parameters(context: Context) -> list[Row]:
    return [
        (
            entry.id,
            entry.schema,
            entry.name,
            number,
            f"@{parameter.name}",
            str(parameter.type),
            parameter.output,
            None if parameter.default is None else str(parameter.default),
        )
        for entry, routine in _routines(context)
        for number, parameter in enumerate(routine.parameters, 1)
    ]


PROCEDURES = of_tuples(
    _procedures,
    object_id=BIGINT,
    schema_name=NVARCHAR,
    name=NVARCHAR,
    parameters=NVARCHAR,
    definition=NVARCHAR,
)

FUNCTIONS = of_tuples(
    _functions,
    object_id=BIGINT,
    schema_name=NVARCHAR,
    name=NVARCHAR,
    kind=NVARCHAR,
    parameters=NVARCHAR,
    doc=NVARCHAR,
    example=NVARCHAR,
    definition=NVARCHAR,
)

PARAMETERS = of_tuples(
    _parameters,
    object_id=BIGINT,
    schema_name=NVARCHAR,
    routine_name=NVARCHAR,
    parameter_id=INT,
    name=NVARCHAR,
    type=NVARCHAR,
    is_output=BIT,
    default_value=NVARCHAR,
)
