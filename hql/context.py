"""What a running statement may use: its session, its transaction, its parameters, its limits.

A statement's `run(context)` gets one of these and gives a Result. Queries go through `query` and
`table`, which bind (cached with the statement), plan and start them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from hartonomous.hql import ast
    from hartonomous.hql.limits import Limits
    from hartonomous.hql.parameters import ParameterSet
    from hartonomous.hql.plan import BoundQuery
    from hartonomous.hql.result import Result
    from hartonomous.hql.run import Prepared
    from hartonomous.hql.scripts.frame import Frame
    from hartonomous.hql.session import Session
    from hartonomous.storage.catalog import Catalog
    from hartonomous.storage.transaction import Transaction

#: plans kept for one statement: one for each of its queries and values, and each combination of
#: parameter types
VARIANTS_MAX = 32


class Memory:
    """What was worked out for one statement of a text and may be used again when it runs again.
    Everything in it holds for one version of the catalog."""

    __slots__ = ("_kept", "_version")

    def __init__(self) -> None:
        self._version = -1
        self._kept: dict[Any, Any] = {}

    def find(self, catalog: Catalog, key: Any) -> Any:
        """What was kept under `key`, or None."""
        return self._kept.get(key) if catalog.version == self._version else None

    def keep(self, catalog: Catalog, key: Any, value: Any) -> None:
        if catalog.version != self._version or len(self._kept) >= VARIANTS_MAX:
            self._kept.clear()
            self._version = catalog.version
        self._kept[key] = value


@dataclass(slots=True)
class Context:
    """One statement's run. `text` is the statement's own text; `prepared` is the statement, for
    functions that it calls."""

    session: Session
    transaction: Transaction
    frame: Frame
    limits: Limits
    memory: Memory
    text: str = ""
    messages: list[str] = field(default_factory=list)
    prepared: Prepared | None = None

    @property
    def parameters(self) -> ParameterSet:
        """The caller's parameters and the frame's variables."""
        return self.frame.parameters

    @property
    def catalog(self) -> Catalog:
        return self.transaction.catalog

    def query(self, query: ast.Query, **options: Any) -> Result:
        """Starts a query; see queries.start_query for the options."""
        from hartonomous.hql.queries import start_query

        return start_query(self, query, **options)

    def table(self, query: ast.Query, **options: Any) -> pa.Table:
        """All rows of a query."""
        return self.query(query, **options).to_table()

    def bind(self, query: ast.Query, **options: Any) -> BoundQuery:
        """What a query means; it is not run."""
        from hartonomous.hql.queries import bind_only

        return bind_only(self, query, **options)
