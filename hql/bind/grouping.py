"""GROUP BY: its grouping sets, and the rule that a column outside it stands in an aggregate.

An expression of a grouped block may be built from grouping expressions (recognised by equal
structure), aggregates, constants, parameters and columns of outer blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from typing import Any

from hartonomous.hql import ast, functions, plan
from hartonomous.hql.bind.context import fault
from hartonomous.hql.bind.conversions import is_folded, operator, unfold
from hartonomous.hql.bind.scope import Scope
from hartonomous.hql.bind.walk import columns_of, operands, subquery
from hartonomous.hql.types import INT, Type

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


def representative(expr: plan.Expr) -> plan.Aggregate:
    """The least, by code point, of a group's values that differ in case only."""
    return aggregate("MIN", expr, expr.type)


def _one_of(value: plan.Expr, group: plan.Expr, has_sets: bool) -> plan.Expr:
    """The least of the values that fall into one group; NULL in sets that leave the group out."""
    least = representative(value)
    if not has_sets:
        return least
    zero = plan.Constant(type=INT, span=group.span, value=0)
    is_in = operator("=", (aggregate("GROUPING", group, INT), zero), group.span)
    return plan.Case(type=least.type, span=group.span, whens=((is_in, least),))


def aggregate(name: str, argument: plan.Expr, type_: Type) -> plan.Aggregate:
    """An aggregate of the registry over one expression."""
    function = functions.find(name)
    assert function is not None
    return plan.Aggregate(type=type_, span=argument.span, function=function, arguments=(argument,))


class GroupCheck:
    """Looks for columns of a grouped block that are neither grouped nor aggregated, and puts the
    grouping expressions themselves in the place of their equals: what differs otherwise (the place
    in the text, for errors at execution) would hide from the engine that they are the same."""

    def __init__(self, groups: Groups, sets: Sets | None, scope: Scope) -> None:
        self.groups = groups
        #: for what is grouped without case, one of the group's values to show
        self.shown = {
            unfold(g): _one_of(unfold(g), g, sets is not None)
            for g in groups
            if is_folded(g) and unfold(g) not in groups
        }
        self.relations = {v.relation for v in scope.sources}
        self.grouped = {g.__class__ for g in groups}
        self.calls = {g: g for g in groups if g.__class__ is not plan.Column}
        # in a subquery the engine sees an outer aggregate, but not that this is what is grouped by
        self.within = {
            g: g if g.type.is_wide else _one_of(g, g, sets is not None) for g in self.calls
        }

    def checked(self, expr: plan.Expr) -> plan.Expr:
        """The expression, checked, with the grouping expressions in it."""
        if self.shown:
            expr = self._show(expr)
        self.check(expr)
        return self._put(expr, self.calls) if self.calls else expr

    def _put(self, node: Any, replacements: dict[plan.Expr, plan.Expr]) -> Any:
        from hartonomous.hql.rules.tree import rebuild

        if isinstance(node, plan.Expr):
            if node in replacements:
                return replacements[node]
            if isinstance(node, plan.Aggregate) and self._is_own(node):
                replacements = self.calls
        elif isinstance(node, plan.Plan):
            replacements = self.within
        return rebuild(node, lambda inner: self._put(inner, replacements))

    def _show(self, node: Any, inside: bool = False) -> Any:
        is_own = isinstance(node, plan.Aggregate) and (not inside or self._is_own(node))
        if is_own or node in self.groups:
            return node
        if isinstance(node, plan.Expr) and node in self.shown:
            return self.shown[node]
        from hartonomous.hql.rules.tree import rebuild

        inside = inside or isinstance(node, plan.Plan)
        return rebuild(node, lambda n: self._show(n, inside))

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
