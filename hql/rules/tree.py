"""Walking and rebuilding plans: the few helpers that every rule is written with.

A node is any dataclass of plan.py that can hold an expression. Nodes are frozen, so a change makes
new nodes on the path to the root and shares the rest; where nothing changed the same object comes
back, which is how a rule sees that it had no effect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, TypeVar

from hartonomous.hql import plan as p

NODES: tuple[type, ...] = (
    p.Expr,
    p.Source,
    p.Joined,
    p.Output,
    p.Order,
    p.Range,
    p.Lookup,
    p.Nearest,
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


@cache
def _slots(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind) if f.name not in _LEAVES)


def children(node: Any) -> Iterator[Any]:
    """The nodes directly inside a node, in the order of its attributes."""
    for name in _slots(type(node)):
        yield from _nodes(getattr(node, name))


def _nodes(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)
    elif isinstance(value, NODES):
        yield value


def walk(node: Any) -> Iterator[Any]:
    """The node and all nodes inside it, from the top."""
    yield node
    for child in children(node):
        yield from walk(child)


def walk_block(node: Any) -> Iterator[Any]:
    """As walk, but not into subqueries, derived tables and CTEs: what one SELECT block says."""
    yield node
    for child in children(node):
        if not isinstance(child, p.Plan):
            yield from walk_block(child)


def rebuild(node: N, change: Callable[[Any], Any]) -> N:
    """The node with `change` applied to each node directly inside it."""
    new: dict[str, Any] = {}
    for name in _slots(type(node)):
        old = getattr(node, name)
        changed = _rebuild_value(old, change)
        if changed is not old:
            new[name] = changed
    return dataclasses.replace(node, **new) if new else node  # type: ignore[type-var]


def _rebuild_value(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, tuple):
        items = tuple(_rebuild_value(item, change) for item in value)
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return change(value) if isinstance(value, NODES) else value


def transform(node: N, change: Callable[[Any], Any]) -> N:
    """Apply `change` to every node, from the leaves up."""
    return change(rebuild(node, lambda child: transform(child, change)))  # type: ignore[no-any-return]


def substitute(node: N, replacements: dict[p.Expr, p.Expr]) -> N:
    """Replace whole expressions, the largest first."""

    def change(inner: Any) -> Any:
        if isinstance(inner, p.Expr) and inner in replacements:
            return replacements[inner]
        return rebuild(inner, change)

    return change(node) if replacements else node  # type: ignore[no-any-return]


def conjuncts(expr: p.Expr | None) -> tuple[p.Expr, ...]:
    """The parts of an AND."""
    if expr is None:
        return ()
    if isinstance(expr, p.Call) and expr.function.name == "AND":
        return tuple(part for a in expr.arguments for part in conjuncts(a))
    return (expr,)


def columns_in(node: Any) -> Iterator[p.Column]:
    """All column references inside a node (or a tuple of nodes), subqueries included."""
    return (n for top in _nodes(node) for n in walk(top) if isinstance(n, p.Column))


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


def replace_sources(node: N, replacements: dict[int, p.Source]) -> N:
    """The node with relations replaced by number, wherever they stand."""

    def change(inner: Any) -> Any:
        if isinstance(inner, p.Source) and inner.relation in replacements:
            return replacements[inner.relation]
        return inner

    return transform(node, change) if replacements else node


def scans(node: Any) -> Iterator[p.Scan]:
    return (n for n in walk(node) if isinstance(n, p.Scan))


def any_of(nodes: Iterable[Any], *kinds: type) -> bool:
    """Whether one of the nodes is of one of these kinds."""
    return any(isinstance(n, kinds) for n in nodes)
