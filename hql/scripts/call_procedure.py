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
from hartonomous.hql.scripts.routines import PROCEDURE, find_routine, read_routine
from hartonomous.hql.session_interface import ProcedureParameter, SessionInterface
from hartonomous.storage.catalog import fold

if TYPE_CHECKING:
    from hartonomous.hql.ast import ObjectName
    from hartonomous.hql.result import Result
    from hartonomous.hql.session import Session

Given = Mapping[str, Any] | Sequence[Any]
Known = tuple[ProcedureParameter, ...]


def call_procedure(
    session: SessionInterface, name: str, given: Given, messages: list[str]
) -> tuple[list[Result], list[Any] | dict[str, Any]]:
    """The call's results, and a copy of what was given with the values of OUTPUT parameters."""
    session.check_open()
    known = session.find_procedure(name) or ()
    by_name = isinstance(given, Mapping)
    values = named(given)
    if by_name:
        _check_names(values)
    names = list(values) if by_name else _names(known, len(values))
    passed = dict(zip(names, values.values(), strict=True))
    outputs = {fold(p.name): p.type for p in known if p.is_output and fold(p.name) in passed}

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
        if outputs:
            passed |= frame.values(outputs)
    finally:
        frame.close()
    if by_name:
        return results, dict(zip(given, passed.values(), strict=True))
    return results, list(passed.values())


def find_procedure(session: Session, name: str) -> Known | None:
    """The parameters of a procedure; None for those of the system and if there is none, which
    EXEC says. Raises ParameterFault for what is no name."""
    parsed = _parsed(session, name)
    transaction = session.transaction if session.in_transaction else session.open_transaction()
    try:
        entry = find_routine(session.seen(transaction.catalog), parsed)
    finally:
        if not session.in_transaction:
            transaction.rollback()
    if entry is None or entry.routine != PROCEDURE:
        return None
    parameters = read_routine(entry).parameters
    return tuple([ProcedureParameter(p.name, str(p.type), p.output) for p in parameters])


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


def _names(known: Known, count: int) -> list[str]:
    """Names for values that come in order: the parameters', and others if there are too many."""
    names = [fold(parameter.name) for parameter in known]
    return (names + [f"argument{i}" for i in range(len(names), count)])[:count]


def _argument(name: str, by_name: bool, is_output: bool) -> str:
    return (f"@{name} = " if by_name else "") + f"@{name}" + (" OUTPUT" if is_output else "")
