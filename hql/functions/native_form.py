"""Operators and casts on wide values as the native calls they stand for, whatever the family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.functions import geometry, vectors

if TYPE_CHECKING:
    from hartonomous.hql import plan


def native_form(expr: plan.Expr) -> plan.Expr | None:
    """The native call that an operator or a Cast on wide values stands for; None for anything
    else."""
    return geometry.native_form(expr) or vectors.native_form(expr)
