"""The bound of a recursive common table: a hidden column that counts the steps.

    anchor UNION ALL SELECT … FROM c        →  (anchor, 0) UNION ALL SELECT …, c.__depth + 1 FROM c

A step beyond the bound raises RECURSION. The bound is 10,000 steps, or OPTION (MAXRECURSION n), 0
being none. The binder sees to it that each row of a step comes from one row of the step before
(bind/steps.py). UNION without ALL is not counted: it ends by itself once no new rows come, else at
the statement's time and memory limits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hartonomous.hql import plan as p
from hartonomous.hql.lower.names import quote
from hartonomous.hql.rules.tree import sources

if TYPE_CHECKING:
    from hartonomous.hql.lower.fragment import Fragment

STEPS_MAX = 10_000


class Depth:
    """Counts the steps of the recursive common tables of one fragment."""

    COLUMN = "__depth"

    def __init__(self, limit: p.Expr | int, expr: Callable[[p.Expr], str]) -> None:
        self._limit, self._expr = limit, expr

    def recursive_query(self, cte: p.Cte, fragment: Fragment) -> tuple[str, bool]:
        """The text of a recursive common table, and whether it has the column."""
        body = cte.plan.body
        assert isinstance(body, p.SetBlock), "a recursive table is anchor UNION step"
        if self._limit == 0 or not body.all:
            return fragment.query(cte.plan), False
        anchor = f"SELECT *, 0 FROM ({fragment.query(body.left)}) AS q"
        return f"({anchor}) UNION ALL ({self._step(body.right, cte, fragment)})", True

    def _step(self, plan: p.Plan, cte: p.Cte, fragment: Fragment) -> str:
        block = plan.body
        if isinstance(block, p.SetBlock):
            left, right = (self._step(s, cte, fragment) for s in (block.left, block.right))
            return f"({left}) UNION ALL ({right})"
        assert isinstance(block, p.SelectBlock)
        use = next(
            s
            for s in sources(block.source)
            if isinstance(s, p.CteReference) and s.cte == cte.number
        )
        depth = f"r{use.relation}.{quote(self.COLUMN)}"
        bound = str(self._limit) if isinstance(self._limit, int) else self._expr(self._limit)
        span = block.outputs[0].expr.span
        message = (
            f"HQL:RECURSION:{span.line}:{span.column}:"
            f'"{cte.name}" takes more than the steps that MAXRECURSION allows ('
        )
        text = "'" + message.replace("'", "''") + f"' || {bound} || ')'"
        counted = f"CASE WHEN {depth} >= {bound} THEN error({text}) ELSE {depth} + 1 END"
        return fragment.select(block, counted)
