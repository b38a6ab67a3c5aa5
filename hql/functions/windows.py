"""Functions that need a window. Renderers as in aggregates.py."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions.aggregates import call, over_rows
from hartonomous.hql.functions.base import Function, Resolver
from hartonomous.hql.functions.coerce import can_cast
from hartonomous.hql.functions.resolve import P, anything, meet, whole
from hartonomous.hql.types import BIGINT, FLOAT, Type


def _offset_types(name: str) -> Resolver:
    """(value [, offset [, default]]): value and default meet."""

    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
        if not 1 <= len(types) <= 3:
            raise BindFault(f"{name} takes (value, [offset], [default])", code="ARGUMENTS")
        both = meet(name, [types[0], *types[2:]])
        if len(types) > 1 and not can_cast(types[1], BIGINT):
            raise BindFault(f"{name}: {types[1]} is not a number of rows", code="TYPE_MISMATCH")
        return both, (both, BIGINT, both)[: len(types)]

    return resolve


_window = partial(over_rows, "window")


_V = P("value", anything)
_OFFSET = (_V, P("offset", whole, optional=True), P("default", anything, optional=True))

WINDOWS: tuple[Function, ...] = (
    _window("ROW_NUMBER", (), BIGINT, call("row_number"), "1, 2, 3 … in the window's order.",
            "ROW_NUMBER() OVER (ORDER BY n)"),
    _window("RANK", (), BIGINT, call("rank"), "The place; equal rows share one, then a gap.",
            "RANK() OVER (ORDER BY n)"),
    _window("DENSE_RANK", (), BIGINT, call("dense_rank"),
            "The place; equal rows share one, without gaps.", "DENSE_RANK() OVER (ORDER BY n)"),
    _window("PERCENT_RANK", (), FLOAT, call("percent_rank"), "(RANK - 1) / (rows - 1).",
            "PERCENT_RANK() OVER (ORDER BY n)"),
    _window("CUME_DIST", (), FLOAT, call("cume_dist"),
            "The fraction of rows not after this one.", "CUME_DIST() OVER (ORDER BY n)"),
    _window("NTILE", (P("count", whole),), BIGINT, call("ntile"),
            "The number of the row's part when rows are cut into `count` parts.",
            "NTILE(2) OVER (ORDER BY n)"),
    _window("LAG", _OFFSET, 0, call("lag"), "The value `offset` (1) rows before, or `default`.",
            "LAG(n, 1, 0) OVER (ORDER BY n)", _offset_types("LAG")),
    _window("LEAD", _OFFSET, 0, call("lead"), "The value `offset` (1) rows after, or `default`.",
            "LEAD(n) OVER (ORDER BY n)", _offset_types("LEAD")),
    _window("FIRST_VALUE", (_V,), 0, call("first_value"), "The value of the frame's first row.",
            "FIRST_VALUE(n) OVER (ORDER BY n)"),
    _window("LAST_VALUE", (_V,), 0, call("last_value"), "The value of the frame's last row.",
            "LAST_VALUE(n) OVER (ORDER BY n)"),
    _window("NTH_VALUE", (_V, P("place", whole)), 0, call("nth_value"),
            "The value of the frame's row at `place`, or NULL.",
            "NTH_VALUE(n, 2) OVER (ORDER BY n)"),
)  # fmt: skip
