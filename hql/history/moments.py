"""Moments: what COMMIT 'hash', BRANCH 'b' and a time mean, as places in the history of commits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.bind.context import locate
from hartonomous.hql.errors import BindFault
from hartonomous.hql.scripts.values import evaluate
from hartonomous.hql.types import DATETIMEOFFSET, NVARCHAR
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.storage.commit_log import CommitPlace

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def find_moment(context: Context, time: ast.SystemTime) -> CommitPlace:
    """The commit that FOR SYSTEM_TIME AS OF means now."""
    database = context.session.database
    if time.kind == "COMMIT":
        return find_commit(context, time.value)
    try:
        if time.kind == "BRANCH":
            name = _text(context, time.value, "the branch")
            return database.head_of(name)
        at = evaluate(context, time.value, DATETIMEOFFSET, key=("moment", time), name="the time")
        if at is None:
            raise BindFault("FOR SYSTEM_TIME AS OF: the time is NULL")
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        return database.commit_at((at - _EPOCH) // timedelta(microseconds=1), context.branch)
    except Error as error:
        locate(error, time.value.span)


def find_commit(context: Context, value: ast.Expression) -> CommitPlace:
    """The commit that a value names: the first digits of its hash, or a tag. A bare name is the
    name itself."""
    try:
        if isinstance(value, ast.ColumnName) and len(value.parts) == 1:
            text = value.parts[0].text
        else:
            text = _text(context, value, "the commit")
        return context.session.database.find_commit(text)
    except Error as error:
        locate(error, value.span)


def _text(context: Context, value: ast.Expression, name: str) -> str:
    text = evaluate(context, value, NVARCHAR, key=("moment", value), name=name)
    if text is None:
        raise BindFault(f"{name} is NULL")
    return str(text)
