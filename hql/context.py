"""What a running statement may use: its session, its workspace, its parameters, its limits.

A statement's `run(context)` gets one of these and gives a Result. Queries go through `query` and
`table`, which bind (cached with the statement), plan and start them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql.result import Result

if TYPE_CHECKING:
    from hartonomous.hql import ast
    from hartonomous.hql.execute import PreparedPlan
    from hartonomous.hql.limits import Limits
    from hartonomous.hql.parameters import ParameterSet
    from hartonomous.hql.session import Session
    from hartonomous.hql.workspace import Workspace
    from hartonomous.storage.catalog import Catalog

#: plans kept for one statement, one for each combination of parameter types
VARIANTS_MAX = 8


class Memory:
    """What was worked out for one statement of a text and may be used again when it runs again.

    Everything in it holds for one catalog and for certain parameter types. Catalogs are compared
    by identity, because a rolled back change and another one may have the same version.
    """

    __slots__ = ("_catalog", "_kept")

    def __init__(self) -> None:
        self._catalog: Catalog | None = None
        self._kept: dict[Any, Any] = {}

    def find(self, catalog: Catalog, key: Any) -> Any:
        """What was kept under `key`, or None."""
        return self._kept.get(key) if catalog is self._catalog else None

    def keep(self, catalog: Catalog, key: Any, value: Any) -> None:
        if catalog is not self._catalog or len(self._kept) >= VARIANTS_MAX:
            self._kept.clear()
            self._catalog = catalog
        self._kept[key] = value


@dataclass(slots=True)
class Context:
    """One statement's run. `text` is the statement's own text."""

    session: Session
    workspace: Workspace
    parameters: ParameterSet
    limits: Limits
    memory: Memory
    text: str = ""
    messages: list[str] = field(default_factory=list)

    @property
    def catalog(self) -> Catalog:
        return self.workspace.catalog

    def query(
        self,
        query: ast.Query,
        *,
        key: Any = None,
        hidden: bool = False,
        tables: Mapping[str, pa.Table] | None = None,
    ) -> Result:
        """Starts a query. `key` names it within the statement, for the plan cache (None: not
        kept). `hidden` makes `__address` visible. `tables` are Arrow tables that stand in FROM as
        `@name`, beside the parameters."""
        return self.session.engine.query(self, query, key=key, hidden=hidden, tables=tables)

    def table(self, query: ast.Query, **options: Any) -> pa.Table:
        """All rows of a query."""
        return self.query(query, **options).to_table()
