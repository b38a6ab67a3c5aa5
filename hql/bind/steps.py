"""What the recursive part of a common table may be: each of its rows comes from one row of the
table's last step. So steps can be counted and bounded, and the answer does not depend on how the
engine works through them. T-SQL and PostgreSQL ask for the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from hartonomous.hql import plan as p
from hartonomous.hql.rules.tree import any_of, walk, walk_block


def why_not_a_step(plan: p.Plan, number: int) -> str | None:
    """What keeps a bound recursive member of common table `number` from being a step, in words
    that follow "the recursive part"; None if nothing does."""
    block = plan.body
    if plan.limit is not None or plan.offset is not None:
        return "cannot have TOP or LIMIT"
    if plan.ctes or plan.json is not None or isinstance(block, p.ValuesBlock):
        return "must be a plain SELECT"
    if isinstance(block, p.Plan):
        return why_not_a_step(block, number)
    if isinstance(block, p.SetBlock):
        if not block.all:
            return f"cannot have {block.op} without ALL"
        sides = (block.left, block.right)
        return next((why for s in sides if (why := why_not_a_step(s, number))), None)
    return _why_not_a_block(block, number)


def _why_not_a_block(block: p.SelectBlock, number: int) -> str | None:
    if block.distinct:
        return "cannot have DISTINCT"
    if block.group_by is not None or any_of(walk_block(block), p.Aggregate):
        return "cannot group or aggregate"
    uses = [n for n in walk(block) if isinstance(n, p.CteReference) and n.cte == number]
    if len(uses) != 1:
        return "must name the table once"
    reached = [(s, outer) for s, outer in _sources(block.source, False) if s is uses[0]]
    if not reached:
        return "must name the table in its own FROM, not in a subquery"
    if reached[0][1]:
        return "cannot have the table on the side of an outer join that may be missing"
    return None


def _sources(joined: p.Joined | p.Source | None, nullable: bool) -> Iterator[tuple[p.Source, bool]]:
    """The relations of a FROM clause, and whether an outer join may leave each out."""
    if isinstance(joined, p.Joined):
        yield from _sources(joined.left, nullable or joined.kind in ("RIGHT", "FULL"))
        yield from _sources(joined.right, nullable or joined.kind in ("LEFT", "FULL"))
    elif joined is not None:
        yield joined, nullable
