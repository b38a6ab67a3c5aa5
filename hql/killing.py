"""KILL: ends a session of somebody's, or one statement of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault, TransactionFault
from hartonomous.hql.models.options import parameter
from hartonomous.hql.result import Result
from hartonomous.hql.watching_rights import may_end
from hartonomous.storage.errors import NotFound

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.session import Session
    from hartonomous.hql.statements.kill import Kill


def run_kill(statement: Kill, context: Context) -> Result:
    """Of what one may not see it says what it says of what is not there."""
    number = _number(statement.number, context)
    found = _statement if statement.one_statement else _session
    if not found(number, context.session):
        what = "statement" if statement.one_statement else "session"
        fault = NotFound(f"there is no {what} {number}", hint=f"sys.{what}s lists them")
        raise place(fault, statement.number)
    return Result()


def _session(number: int, own: Session) -> bool:
    if number == own.number:
        raise TransactionFault("KILL: this is the session itself", hint="close the connection")
    for session in own.activity.sessions():
        if session.number == number and may_end(own, session.author):
            if session.door == "server":
                raise TransactionFault(
                    "KILL: this is the server's own session", hint="SIGTERM ends a server"
                )
            session.kill()
            return True
    return False


def _statement(number: int, own: Session) -> bool:
    for watched in own.activity.statements():
        session, limits = watched.session, watched.limits
        if watched.number == number and session is not None and limits is not None:
            if may_end(own, session.author):
                limits.cancel()
                return True
            return False
    for source in own.activity.elsewhere:
        for statement in source():
            if statement.number == number and may_end(own, statement.author):
                statement.cancel()
                return True
    return False


def _number(node: ast.Expression, context: Context) -> int:
    if isinstance(node, ast.Literal):
        value = node.value
    else:
        assert isinstance(node, (ast.Variable, ast.Placeholder))
        value = parameter(node, context)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise place(BindFault("KILL takes the number of a session or statement"), node)
