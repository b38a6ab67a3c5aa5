"""Functions of nothing in particular."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.casts import cast_sql
from hartonomous.hql.functions.resolve import P, scalar, text
from hartonomous.hql.types import FLOAT, INT, NVARCHAR, UNIQUEIDENTIFIER, Type

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span


def _render_numeric(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    number = cast_sql(args[0], NVARCHAR, FLOAT, True, span)
    return f"(CASE WHEN {number} IS NULL THEN 0 ELSE 1 END)"


SYSTEM: tuple[Function, ...] = (
    scalar("NEWID", (), UNIQUEIDENTIFIER, "CAST(uuid() AS BLOB)",
           "A new random identifier (version 4).", "LEN(CAST(NEWID() AS NVARCHAR))",
           volatile=True),
    scalar("ISNUMERIC", (P("text", text),), INT,
           _render_numeric, "1 when the text casts to FLOAT.", "ISNUMERIC('1e3')",
           null_on_null=False),
)  # fmt: skip
