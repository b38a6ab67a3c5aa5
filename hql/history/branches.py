"""CREATE BRANCH, DROP BRANCH, SHOW BRANCHES."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault, TransactionFault
from hartonomous.hql.history.moments import find_commit
from hartonomous.hql.result import Result
from hartonomous.hql.system_tables.branches import BRANCHES
from hartonomous.storage.branches import MAIN_NAME
from hartonomous.storage.catalog import fold
from hartonomous.storage.errors import NotFound

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.create_branch import CreateBranch
    from hartonomous.hql.statements.drop_branch import DropBranch


def run_create_branch(statement: CreateBranch, context: Context) -> Result:
    """CREATE BRANCH: from the session's branch, another one, or a commit."""
    refuse_inside(context, "CREATE BRANCH")
    database, session = context.session.database, context.session
    name = statement.name.text
    if statement.commit is not None:
        at = database.as_of(find_commit(context, statement.commit))
        database.create_branch(name, at=at)
    else:
        source = statement.source.text if statement.source is not None else session.branch
        database.create_branch(name, source=source)
    return Result()


def run_drop_branch(statement: DropBranch, context: Context) -> Result:
    """DROP BRANCH: not the one that the session is on."""
    refuse_inside(context, "DROP BRANCH")
    name = statement.name.text
    is_main = fold(name) == fold(MAIN_NAME)  # which nobody can drop, wherever they are
    if fold(name) == fold(context.session.branch) and not is_main:
        message = f'the session is on branch "{name}"'
        raise place(BindFault(message, hint="USE BRANCH main first"), statement.name)
    try:
        context.session.database.drop_branch(name)
    except NotFound:
        if not statement.if_exists:
            raise
    return Result()


def run_show_branches(context: Context) -> Result:
    """SHOW BRANCHES."""
    return Result.of_table(BRANCHES.fields, BRANCHES.rows(context))


def refuse_inside(context: Context, what: str) -> None:
    """TRANSACTION for what stands outside transactions."""
    if context.session.in_transaction:
        raise TransactionFault(f"{what}: a transaction is open", hint="COMMIT it first")
