"""Functions of nothing in particular."""

from __future__ import annotations

from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.resolve import P, scalar, text
from hartonomous.hql.types import INT, UNIQUEIDENTIFIER

SYSTEM: tuple[Function, ...] = (
    scalar("NEWID", (), UNIQUEIDENTIFIER, "CAST(uuid() AS BLOB)",
           "A new random identifier (version 4).", "LEN(CAST(NEWID() AS NVARCHAR))",
           volatile=True),
    scalar("ISNUMERIC", (P("text", text),), INT,
           "(CASE WHEN TRY_CAST({0} AS DOUBLE) IS NULL THEN 0 ELSE 1 END)",
           "1 when the text is a number.", "ISNUMERIC('1e3')", null_on_null=False),
)  # fmt: skip
