"""Whether the arguments of a call may stand in a function's body in the place of its parameters, as
often as these are named there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hartonomous.hql import ast, plan
from hartonomous.hql.bind.walk import operands, subquery
from hartonomous.hql.scripts.routines import Routine
from hartonomous.hql.syntax import trees
from hartonomous.storage.catalog import fold

#: nodes of an argument that may stand in several places
COPIED_NODES_MAX = 64


def may_copy(body: ast.Node, routine: Routine, arguments: Sequence[plan.Expr]) -> bool:
    """Whether every argument may stand wherever its parameter does."""
    if all(isinstance(a, plan.Column | plan.Constant | plan.Parameter) for a in arguments):
        return True
    uses, inside = _uses(body)
    for parameter, argument in zip(routine.parameters, arguments, strict=True):
        name = fold(parameter.name)
        is_whole, is_costly = _look(argument)
        if is_whole and (uses[name] > 1 or name in inside):
            return False
        if is_costly and uses[name] > 1:
            return False
    return True


def _uses(body: ast.Node) -> tuple[Counter[str], set[str]]:
    """How often a body names each parameter, and which of them inside a query. What CASE compares
    and NULLIF takes counts twice: it is compared again and again."""
    uses: Counter[str] = Counter()
    inside: set[str] = set()
    for node in trees.walk(body):
        if isinstance(node, ast.Variable):
            uses[fold(node.name)] += 1
        elif isinstance(node, ast.Query):
            inside |= {fold(n.name) for n in trees.walk(node) if isinstance(n, ast.Variable)}
        elif isinstance(node, ast.Case) and node.operand is not None:
            uses.update(_named_in(node.operand))
        elif isinstance(node, ast.FunctionCall):
            uses.update(name for a in node.arguments for name in _named_in(a))
    return uses, inside


def _named_in(node: ast.Node) -> list[str]:
    return [fold(n.name) for n in trees.walk(node) if isinstance(n, ast.Variable)]


def _look(argument: plan.Expr) -> tuple[bool, bool]:
    """Whether an argument must stay where the call stands and be computed once (it is volatile, an
    aggregate or a window), and whether it should be computed only once."""
    is_whole, count, has_query, is_native, has_column = False, 0, False, False, False
    stack: list[Any] = [argument]
    while stack:
        node = stack.pop()
        count += 1
        has_query |= subquery(node) is not None
        has_column |= isinstance(node, plan.Column)
        if isinstance(node, plan.Call):
            is_whole |= node.function.volatile
            is_native |= node.function.is_native
        is_whole |= isinstance(node, plan.Aggregate | plan.Window)
        stack.extend(operands(node))
    return is_whole, has_query or (is_native and has_column) or count > COPIED_NODES_MAX
