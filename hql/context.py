"""What a running statement may use: its session, its transaction, its parameters, its limits.

A statement's `run(context)` gets one of these and gives a Result. Queries go through `query` and
`table`, which bind (cached with the statement), plan and start them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
    from hartonomous.hql.security.accounts import Account
    from hartonomous.hql.session import Session
    from hartonomous.storage.catalog import Catalog
    from hartonomous.storage.transaction import Transaction

#: plans kept for one query or value of a statement: one for each combination of parameter types
VARIANTS_MAX = 32
#: under which the plans of `trusted` are kept
TRUSTED = "trusted"
#: queries and values of one statement that have plans kept
PARTS_MAX = 1_024


class Memory:
    """What was worked out for one statement of a text and may be used again when it runs again.
    Everything in it holds for one version of the catalog. A key is (part, …): a part of the
    statement, and what else decides, as the types of parameters. The oldest go first."""

    __slots__ = ("_parts", "_version")

    def __init__(self) -> None:
        self._version = -1
        self._parts: dict[Any, dict[tuple[Any, ...], Any]] = {}

    def find(self, catalog: Catalog, key: tuple[Any, ...]) -> Any:
        """What was kept under `key`, or None."""
        if catalog.version != self._version:
            return None
        variants = self._parts.get(key[0])
        return variants.get(key) if variants is not None else None

    def keep(self, catalog: Catalog, key: tuple[Any, ...], value: Any) -> None:
        """Keeps a value that holds for a version of the catalog."""
        if catalog.version != self._version:
            self._parts.clear()
            self._version = catalog.version
        variants = self._parts.setdefault(key[0], {})
        variants[key] = value
        if len(variants) > VARIANTS_MAX:
            del variants[next(iter(variants))]
        if len(self._parts) > PARTS_MAX:
            del self._parts[next(iter(self._parts))]


@dataclass(slots=True)
class Context:
    """One statement's run. `text` is the statement's own text; `prepared` is the statement, for
    functions that it calls. `is_trusted`: what runs is our own, on nobody's behalf."""

    session: Session
    transaction: Transaction
    frame: Frame
    limits: Limits
    memory: Memory
    text: str = ""
    messages: list[str] = field(default_factory=list)
    prepared: Prepared | None = None
    is_trusted: bool = False

    @property
    def parameters(self) -> ParameterSet:
        """The caller's parameters and the frame's variables."""
        return self.frame.parameters

    @property
    def catalog(self) -> Catalog:
        """What names are looked up in: what the statement may know of."""
        if self.session.account is None:
            return self.transaction.catalog
        return self.seen(self.transaction.catalog)

    def seen(self, catalog: Catalog) -> Catalog:
        """What the statement may know of a catalog."""
        from hartonomous.hql.security.visible import visible

        return visible(catalog, self.rights)

    @property
    def account(self) -> Account | None:
        """Who reads and changes rows; None: nobody is asked."""
        return None if self.is_trusted else self.session.account

    @property
    def rights(self) -> Account | None:
        """Whose rights count: in a routine's body those of who made it. None: all."""
        if self.account is None:
            return None
        definer = self.frame.definer
        if definer is None:
            return self.account
        from hartonomous.hql.security.accounts import Accounts
        from hartonomous.hql.security.checking import account_of_definer

        return account_of_definer(Accounts.of(self.session.database), definer)

    def trusted(self) -> Context:
        """The same, for what we do on our own: all rights, all rows. Its plans are kept apart."""
        memory = self.memory.find(self.catalog, (TRUSTED,))
        if memory is None:
            memory = Memory()
            self.memory.keep(self.catalog, (TRUSTED,), memory)
        return replace(self, is_trusted=True, memory=memory)

    @property
    def branch(self) -> str:
        """The branch that the statement reads and changes."""
        return self.session.branch

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
