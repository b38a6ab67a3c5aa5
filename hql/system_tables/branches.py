"""sys.branches, sys.tags: the names that history has. SHOW BRANCHES, SHOW TAGS show the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.system_tables.base import Row, of_tuples
from hartonomous.hql.types import BIGINT, BIT, NVARCHAR, VARBINARY
from hartonomous.storage.catalog import fold

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def _branches(context: Context) -> list[Row]:
    """`fork_sequence` is the last commit that a branch has in common with its parent;
    `holds_horizon`: but for it VACUUM could remove more of the past."""
    branches = context.session.database.branches()
    holders = context.session.database.horizon_holders()
    names = {b.id: b.name for b in branches}
    current = fold(context.branch)
    return [
        (
            b.name,
            fold(b.name) == current,
            None if b.parent is None else names.get(b.parent),
            None if b.parent is None else b.fork,
            b.sequence,
            b.commit or None,
            b.name in holders,
        )
        for b in branches
    ]


def _tags(context: Context) -> list[Row]:
    """`is_kept`: AS OF can still show the commit."""
    database = context.session.database
    first = database.horizon
    return [(t.name, t.sequence, t.commit, t.sequence >= first) for t in database.tags()]


BRANCHES = of_tuples(
    _branches,
    name=NVARCHAR,
    is_current=BIT,
    parent_name=NVARCHAR,
    fork_sequence=BIGINT,
    sequence=BIGINT,
    commit_hash=VARBINARY,
    holds_horizon=BIT,
)

TAGS = of_tuples(_tags, name=NVARCHAR, sequence=BIGINT, commit_hash=VARBINARY, is_kept=BIT)
