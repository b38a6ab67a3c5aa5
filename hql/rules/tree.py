"""Walking and rebuilding plans: the few helpers that every rule is written with.

A node is any dataclass of plan.py that can hold an expression. Nodes are frozen, so a change makes
new nodes on the path to the root and shares the rest; where nothing changed the same object comes
back, which is how a rule sees that it had no effect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from hartonomous.hql import functions
from hartonomous.hql import plan as p
from hartonomous.hql.types import BIT

NODES: tuple[type, ...] = (
    p.Expr,
    p.Source,
    p.Joined,
    p.Output,
    p.Order,
    p.Range,
    p.Lookup,
    p.Matching,
    p.First,
    p.Nearest,
    p.Region,
    p.Test,
    p.FrameEdge,
    p.SelectBlock,
    p.ValuesBlock,
    p.SetBlock,
    p.Cte,
    p.Plan,
)

#: attributes that never hold a node
_LEAVES = frozenset({"type", "span", "fields", "table", "function", "value", "name", "json"})

N = TypeVar("N")


_SLOTS: dict[Any, tuple[str, ...]] = {
    kind: tuple(f.name for f in dataclasses.fields(kind) if f.name not in _LEAVES)
    for kind in vars(p).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
}


def children(node: Any) -> list[Any]:
    """The nodes directly inside a node, in the order of its attributes."""
    found: list[Any] = []
    for name in _SLOTS[type(node)]:
        _collect(getattr(node, name), found)
    return found


def _collect(value: Any, found: list[Any]) -> None:
    if value.__class__ is tuple:
        for item in value:
            _collect(item, found)
    elif isinstance(value, NODES):
        found.append(value)


def walk(node: Any, *, block: bool = False) -> Iterator[Any]:
    """The node and all nodes inside it, from the top; a tuple of nodes one after the other. With
    `block`, not those inside subqueries, derived tables and CTEs: what one SELECT block says.
    Without recursion, because statements may nest deep."""
    stack: list[Any] = []
    _collect(node, stack)
    stack.reverse()
    while stack:
        node = stack.pop()
        yield node
        inside = children(node)
        if block:
            inside = [c for c in inside if not isinstance(c, p.Plan)]
        stack.extend(reversed(inside))


def walk_block(node: Any) -> Iterator[Any]:
    return walk(node, block=True)


def rebuild(node: N, change: Callable[[Any], Any]) -> N:
    """The node with `change` applied to each node directly inside it."""
    new: dict[str, Any] = {}
    for name in _SLOTS[type(node)]:
        old = getattr(node, name)
        if old.__class__ is tuple:
            changed = _rebuild_tuple(old, change)
        else:
            changed = change(old) if isinstance(old, NODES) else old
        if changed is not old:
            new[name] = changed
    return dataclasses.replace(node, **new) if new else node  # type: ignore[type-var]


def _rebuild_tuple(values: tuple[Any, ...], change: Callable[[Any], Any]) -> tuple[Any, ...]:
    new: list[Any] = []
    is_changed = False
    for old in values:
        if old.__class__ is tuple:
            item: Any = _rebuild_tuple(old, change)
        else:
            item = change(old) if isinstance(old, NODES) else old
        is_changed = is_changed or item is not old
        new.append(item)
    return tuple(new) if is_changed else values


def transform(node: N, change: Callable[[Any], Any]) -> N:
    """Apply `change` to every node, from the leaves up."""

    def up(inner: Any) -> Any:
        return change(rebuild(inner, up))

    return up(node)  # type: ignore[no-any-return]


def transform_plans(node: N, change: Callable[[p.Plan], p.Plan]) -> N:
    """Apply `change` to every query of a plan, the innermost first."""
    return transform(node, lambda inner: change(inner) if isinstance(inner, p.Plan) else inner)


def substitute(node: N, replacements: dict[p.Expr, p.Expr]) -> N:
    """Replace whole expressions, the largest first."""

    def change(inner: Any) -> Any:
        if isinstance(inner, p.Expr) and inner in replacements:
            return replacements[inner]
        return rebuild(inner, change)

    return change(node) if replacements else node


def conjuncts(expr: p.Expr | None) -> tuple[p.Expr, ...]:
    """The parts of an AND."""
    if expr is None:
        return ()
    if isinstance(expr, p.Call) and expr.function.name == "AND":
        return tuple(part for a in expr.arguments for part in conjuncts(a))
    return (expr,)


def call(name: str, left: p.Expr, right: p.Expr) -> p.Call:
    """A test of two operands, by an operator of the registry."""
    function = functions.find(name)
    assert function is not None, name
    return p.Call(type=BIT, span=right.span, function=function, arguments=(left, right))


def all_of(tests: Iterable[p.Expr]) -> p.Expr | None:
    """The inverse of conjuncts; None of nothing."""
    where: p.Expr | None = None
    for test in tests:
        where = test if where is None else call("AND", where, test)
    return where


def columns_in(node: Any) -> Iterator[p.Column]:
    """All column references inside a node (or a tuple of nodes), subqueries included."""
    return (n for n in walk(node) if isinstance(n, p.Column))


def relations_defined(node: Any) -> set[int]:
    """The numbers of all relations that stand inside a node."""
    return {n.relation for n in walk(node) if isinstance(n, p.Source)}


def is_closed(plan: p.Plan) -> bool:
    """Whether a plan refers to nothing outside itself: no outer columns, no outer CTEs."""
    inside = relations_defined(plan)
    ctes = {n.number for n in walk(plan) if isinstance(n, p.Cte)}
    return all(
        (not isinstance(n, p.Column) or n.relation in inside)
        and (not isinstance(n, p.CteReference) or n.cte in ctes)
        for n in walk(plan)
    )


def sources(joined: p.Joined | p.Source | None) -> Iterator[p.Source]:
    """The relations of a FROM clause, from left to right."""
    if isinstance(joined, p.Joined):
        yield from sources(joined.left)
        yield from sources(joined.right)
    elif joined is not None:
        yield joined


def null_supplied(joined: p.Joined | p.Source | None) -> set[int]:
    """Relations whose columns may be NULL because an outer join found no match."""
    if not isinstance(joined, p.Joined):
        return set()
    found = null_supplied(joined.left) | null_supplied(joined.right)
    if joined.kind in ("LEFT", "FULL"):
        found |= {s.relation for s in sources(joined.right)}
    if joined.kind in ("RIGHT", "FULL"):
        found |= {s.relation for s in sources(joined.left)}
    return found


def map_sources(
    joined: p.Joined | p.Source | None, change: Callable[[p.Source], p.Source]
) -> p.Joined | p.Source | None:
    """The FROM clause with each relation replaced (not those inside subqueries)."""
    if joined is None:
        return None
    if isinstance(joined, p.Joined):
        left, right = map_sources(joined.left, change), map_sources(joined.right, change)
        assert left is not None and right is not None
        if left is joined.left and right is joined.right:
            return joined
        return dataclasses.replace(joined, left=left, right=right)
    return change(joined)


def conditions(joined: p.Joined | p.Source | None) -> list[p.Expr]:
    """The ON conditions of a FROM clause."""
    if not isinstance(joined, p.Joined):
        return []
    on = [joined.on] if joined.on is not None else []
    return [*conditions(joined.left), *conditions(joined.right), *on]


def map_conditions(
    joined: p.Joined | p.Source, change: Callable[[p.Expr], p.Expr]
) -> p.Joined | p.Source:
    """The FROM clause with each ON condition replaced."""
    if not isinstance(joined, p.Joined):
        return joined
    left, right = map_conditions(joined.left, change), map_conditions(joined.right, change)
    on = None if joined.on is None else change(joined.on)
    return dataclasses.replace(joined, left=left, right=right, on=on)


def scans(node: Any) -> Iterator[p.Scan]:
    return (n for n in walk(node) if isinstance(n, p.Scan))


def any_of(nodes: Iterable[Any], *kinds: type) -> bool:
    """Whether one of the nodes is of one of these kinds."""
    return any(isinstance(n, kinds) for n in nodes)
