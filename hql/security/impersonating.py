"""EXECUTE AS: a session tries on another account, to see what it may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.ast import Option
from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import TransactionFault
from hartonomous.hql.result import Result
from hartonomous.hql.security.accounts import Accounts
from hartonomous.hql.security.audit import note
from hartonomous.hql.security.checking import denied
from hartonomous.storage.errors import NotFound

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.execute_as import ExecuteAs


def run_execute_as(statement: ExecuteAs, context: Context) -> Result:
    """EXECUTE AS USER = 'u' for who has CONTROL; EXECUTE AS CALLER for everybody. Not in a
    transaction or a routine, which began with other rights."""
    from hartonomous.hql.models.options import plain_value

    session = context.session
    if session.in_transaction or context.frame.routine is not None:
        where = "a transaction is open" if session.in_transaction else "not inside a routine"
        raise place(TransactionFault(f"EXECUTE AS: {where}"), statement)
    if statement.user is None:
        if session.callers:
            session.account = session.callers.pop()
        return Result()
    if session.account is not None and not session.account.is_owner:
        raise denied("EXECUTE AS USER needs the right CONTROL on the database", statement)
    name = str(plain_value(Option("USER", statement.user, span=statement.user.span), context))
    found = Accounts.of(session.database).find(name)
    if found is None:
        raise place(NotFound(f'there is no user "{name}"'), statement)
    note(session, "EXECUTE AS", found.name)
    session.callers.append(session.account)
    session.account = found
    return Result()
