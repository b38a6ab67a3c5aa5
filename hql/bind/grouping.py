"""GROUP BY: its grouping sets, and the rule that a column outside it stands in an aggregate.

An expression of a grouped block may be built from grouping expressions (recognised by equal
structure), aggregates, constants, parameters and columns of outer blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import Any

from hartonomous.hql import ast, plan
from hartonomous.hql.bind.context import fault
from hartonomous.hql.bind.scope import Scope
from hartonomous.hql.bind.walk import columns_of, operands, subquery

#: functions that ask which grouping set a row belongs to
GROUPING_NAMES = frozenset(["GROUPING", "GROUPING_ID"])
#: CUBE of 12 columns has so many
SETS_MAX = 4096

Groups = tuple[plan.Expr, ...]
Sets = tuple[tuple[int, ...], ...]


def bind_group_by(
    elements: Sequence[ast.GroupingElement], scope: Scope
) -> tuple[Groups, Sets | None]:
    """The grouping expressions, and the grouping sets as index tuples into them (None = plain)."""
    groups: list[plan.Expr] = []
    plain = all(e.kind == "PLAIN" for e in elements)
    choices: list[list[tuple[int, ...]]] = []
    for element in elements:
        bound = [_bind_set(exprs, groups, scope) for exprs in element.sets]
        choices.append(list(_expand(element, bound, scope)))
    if plain:
        return tuple(groups), None
    total = 1
    for choice in choices:
        total *= len(choice)
    if total > SETS_MAX:
        message = f"{total} grouping sets are more than {SETS_MAX}"
        raise fault(scope.span(elements[0]), message, "GROUPING")
    sets = []
    for picked in product(*choices):
        merged = [i for part in picked for i in part]
        sets.append(tuple(sorted(set(merged))))
    return tuple(groups), tuple(sets)


def _bind_set(
    exprs: tuple[ast.Expression, ...], groups: list[plan.Expr], scope: Scope
) -> tuple[int, ...]:
    indices = []
    for node in exprs:
        expr = scope.bind(node)
        if expr not in groups:
            groups.append(expr)
        indices.append(groups.index(expr))
    return tuple(indices)


def _expand(
    element: ast.GroupingElement, sets: list[tuple[int, ...]], scope: Scope
) -> Iterator[tuple[int, ...]]:
    """The grouping sets that one element of GROUP BY stands for."""
    if element.kind == "ROLLUP":
        for length in range(len(sets), -1, -1):
            yield tuple([i for part in sets[:length] for i in part])
    elif element.kind == "CUBE":
        if len(sets) > 12:
            message = f"CUBE of {len(sets)} makes more than {SETS_MAX} grouping sets"
            raise fault(scope.span(element), message, "GROUPING")
        for length in range(len(sets), -1, -1):
            for picked in combinations(sets, length):
                yield tuple([i for part in picked for i in part])
    else:
        yield from sets


class GroupCheck:
    """Looks for columns of a grouped block that are neither grouped nor aggregated, and puts the
    grouping expressions themselves in the place of their equals: what differs otherwise (the place
    in the text, for errors at execution) would hide from the engine that they are the same."""

    def __init__(self, groups: Groups, scope: Scope) -> None:
        self.groups = groups
        self.relations = {v.relation for v in scope.sources}
        self.grouped = {g.__class__ for g in groups}
        self.calls = {g: g for g in groups if g.__class__ is not plan.Column}

    def checked(self, expr: plan.Expr) -> plan.Expr:
        """The expression, checked, with the grouping expressions in it."""
        self.check(expr)
        if not self.calls:
            return expr
        from hartonomous.hql.rules.tree import substitute

        return substitute(expr, self.calls)

    def check(self, expr: plan.Expr) -> None:
        """Raises GROUPING naming the column and the remedy."""
        if expr.__class__ in self.grouped and expr in self.groups:
            return
        if expr.__class__ is plan.Column:
            if expr.relation in self.relations:
                raise self._outside(expr)
            return
        if expr.__class__ is plan.Aggregate:
            self._check_aggregate(expr)
            return
        for operand in operands(expr):
            self.check(operand)
        query = subquery(expr)
        if query is not None:
            self._check_inside(query)

    def _check_aggregate(self, aggregate: plan.Aggregate) -> None:
        if aggregate.function.name not in GROUPING_NAMES:
            return
        for argument in aggregate.arguments:
            if argument not in self.groups:
                raise fault(
                    argument.span,
                    f"{aggregate.function.name} asks about an expression of GROUP BY, and this is "
                    "none",
                    "GROUPING",
                )

    def _check_inside(self, node: Any) -> None:
        """Correlated columns inside a subquery obey the same rule, and so do those in the
        subquery's own aggregates; an aggregate over this block's columns alone is this block's."""
        from hartonomous.hql.rules.tree import children

        if isinstance(node, plan.Expr):
            if node in self.groups:
                return
            if isinstance(node, plan.Aggregate) and self._is_own(node):
                return
            if isinstance(node, plan.Column):
                if node.relation in self.relations:
                    raise self._outside(node)
                return
        for child in children(node):
            self._check_inside(child)

    def _is_own(self, aggregate: plan.Aggregate) -> bool:
        read = {c.relation for c in columns_of(aggregate)}
        return bool(read & self.relations) and max(read) in self.relations

    def _outside(self, column: plan.Column) -> Exception:
        name = column.name
        return fault(
            column.span,
            f'"{name}" is neither in GROUP BY nor inside an aggregate',
            "GROUPING",
            f"GROUP BY {name}, or write MAX({name})",
        )
