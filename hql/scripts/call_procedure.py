"""A client's call of a procedure (PEP 249's callproc): an EXEC made of its name and parameters.

callproc("dbo.p", [1, None])      DECLARE @total INT = ?;        for OUTPUT parameters
                                  EXEC dbo.p @id, @total OUTPUT
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import ParameterFault
from hartonomous.hql.parameters import named
from hartonomous.hql.scripts.routines import PROCEDURE, Routine, find_routine, read_routine
from hartonomous.storage.catalog import fold

if TYPE_CHECKING:
    from hartonomous.hql.ast import ObjectName
    from hartonomous.hql.result import Result
    from hartonomous.hql.session import Session
    from hartonomous.hql.types import Type

Given = Mapping[str, Any] | Sequence[Any]


def call_procedure(
    session: Session, name: str, given: Given, messages: list[str]
) -> tuple[list[Result], list[Any] | dict[str, Any]]:
    """The call's results, and a copy of what was given with the values of OUTPUT parameters."""
    session.check_open()
    routine = _find(session, _parsed(session, name))
    by_name = isinstance(given, Mapping)
    values = named(given)
    if by_name:
        _check_names(values)
    names = list(values) if by_name else _names(routine, len(values))
    passed = dict(zip(names, values.values(), strict=True))
    outputs = _outputs(routine, names)

    frame = session.open_frame(
        {n: v for n, v in passed.items() if n not in outputs}
        | {f"?{i}": passed[n] for i, n in enumerate(outputs)}
    )
    try:
        if outputs:
            variables = ", ".join(f"@{n} {type_} = ?" for n, type_ in outputs.items())
            list(session.results(f"DECLARE {variables}", None, messages, frame))
        arguments = ", ".join(_argument(n, by_name, n in outputs) for n in names)
        results = list(session.results(f"EXEC {name} {arguments}", None, messages, frame))
        passed |= {n: frame.parameters.raw[n] for n in outputs}
    finally:
        frame.close()
    if by_name:
        return results, dict(zip(given, passed.values(), strict=True))
    return results, list(passed.values())


def _check_names(names: Iterable[str]) -> None:
    """PARAMETER for a key that is no name: it would be read as HQL."""
    for name in names:
        if not re.fullmatch(r"[\w$#]+", name):
            raise ParameterFault(f"{name!r} is no parameter's name")


def _parsed(session: Session, name: str) -> ObjectName:
    """The name as HQL reads it; PARAMETER if it is anything else, as a text would be run."""
    from hartonomous.hql.statements.execute import Execute

    statement, *others = (p.statement for p in session.prepare(f"EXEC {name}"))
    if isinstance(statement, Execute) and not others:
        procedure = statement.procedure
        if statement == Execute(procedure):
            return procedure
    raise ParameterFault(
        f"{name!r} is no procedure's name", hint="its arguments come as the second parameter"
    )


def _find(session: Session, name: ObjectName) -> Routine | None:
    """The procedure; None for those of the system and if there is none, which EXEC says."""
    transaction = session.transaction if session.in_transaction else session.open_transaction()
    try:
        entry = find_routine(transaction.catalog, name)
    finally:
        if not session.in_transaction:
            transaction.rollback()
    return read_routine(entry) if entry is not None and entry.routine == PROCEDURE else None


def _names(routine: Routine | None, count: int) -> list[str]:
    """Names for values that come in order: the parameters', and others if there are too many."""
    known = [fold(p.name) for p in routine.parameters] if routine is not None else []
    return (known + [f"argument{i}" for i in range(len(known), count)])[:count]


def _outputs(routine: Routine | None, names: Sequence[str]) -> dict[str, Type]:
    """The OUTPUT parameters among these, with their types."""
    found = {n: routine.find_parameter(n) for n in names} if routine is not None else {}
    return {n: p.type for n, p in found.items() if p is not None and p.output}


def _argument(name: str, by_name: bool, is_output: bool) -> str:
    return (f"@{name} = " if by_name else "") + f"@{name}" + (" OUTPUT" if is_output else "")
