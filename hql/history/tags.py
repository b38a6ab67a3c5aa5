"""CREATE TAG, DROP TAG, SHOW TAGS: names for commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.errors import BindFault
from hartonomous.hql.history.branches import refuse_inside
from hartonomous.hql.history.moments import find_commit
from hartonomous.hql.result import Result
from hartonomous.hql.system_tables.branches import TAGS
from hartonomous.storage.errors import NotFound

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.create_tag import CreateTag
    from hartonomous.hql.statements.drop_tag import DropTag


def run_create_tag(statement: CreateTag, context: Context) -> Result:
    """CREATE TAG: of a commit, by default the last one of the session's branch."""
    refuse_inside(context, "CREATE TAG")
    database = context.session.database
    if statement.commit is not None:
        commit = find_commit(context, statement.commit)
    else:
        commit = database.head_of(context.session.branch)
    if not commit.sequence:
        raise BindFault("there is no commit yet that a tag could name")
    database.create_tag(statement.name.text, commit.hash)
    return Result()


def run_drop_tag(statement: DropTag, context: Context) -> Result:
    """DROP TAG."""
    refuse_inside(context, "DROP TAG")
    try:
        context.session.database.drop_tag(statement.name.text)
    except NotFound:
        if not statement.if_exists:
            raise
    return Result()


def run_show_tags(context: Context) -> Result:
    """SHOW TAGS."""
    return Result.of_table(TAGS.fields, TAGS.rows(context))
