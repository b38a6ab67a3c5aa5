"""sys.functions: every function that can be called, from the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.system_tables.base import Row, of_tuples
from hartonomous.hql.types import NVARCHAR

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def _functions(context: Context) -> list[Row]:
    from hartonomous.hql.functions import FUNCTIONS as registry

    return sorted({(f.name, f.kind, f.doc, f.example) for f in registry.values()})


FUNCTIONS = of_tuples(_functions, name=NVARCHAR, kind=NVARCHAR, doc=NVARCHAR, example=NVARCHAR)
