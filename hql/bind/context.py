"""What binding needs to know, and what one binding run keeps while it walks a statement."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, NoReturn

from hartonomous.hql import ast, plan
from hartonomous.hql.errors import BindFault, ExecutionFault, NotSupported
from hartonomous.hql.frozen import frozen
from hartonomous.hql.types import Type
from hartonomous.storage.catalog import Catalog, Entry, TableEntry
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.bind.inlined import Inlined
    from hartonomous.hql.bind.scope import Handler, Scope
    from hartonomous.hql.security.accounts import Account, Accounts
    from hartonomous.storage.commit_log import CommitPlace
    from hartonomous.storage.database import Database

#: expressions may nest so deep; later passes recurse over the tree, so this bounds them too
DEPTH_MAX = 128
#: how many levels a subquery, derived table or common table counts for
QUERY_DEPTH = 4
#: views may stand on views so deep
VIEW_DEPTH_MAX = 32


@frozen
class BindContext:
    """What names can mean while a statement is bound.

    - `catalog`: of the statement's snapshot or transaction; `schema`: the default schema.
    - `parameters`: types of variables and parameters, by folded name without its mark; `:name` and
      `?0`, `?1` … are looked up with their mark first (`:name` then without).
    - `table_parameters`: what `@rows` in FROM gives, by folded name: an Arrow schema or HQL fields,
      or the entry of a table variable.
    - `system_tables`: columns of system tables, by folded name (`sys.tables`, `commits`).
    - `temporary`: finds a `#temp` table by its name as written.
    - `parse_view`: HQL text of a query → its tree (for views and computed columns).
    - `hidden`: base tables also have the column `__address` (UPDATE and DELETE).
    - `database`: where the models of the catalog lie.
    - `find_moment`: what FOR SYSTEM_TIME AS OF means: a commit, and its catalog.
    - `rights`: whose rights count for what is named now; None: all. `accounts`: where those who
      made views and routines are found; None: nobody is asked.
    """

    catalog: Catalog
    schema: str = "dbo"
    parameters: Mapping[str, Type] = field(default_factory=dict)
    table_parameters: Mapping[str, pa.Schema | tuple[plan.Field, ...] | TableEntry] = field(
        default_factory=dict
    )
    system_tables: Mapping[str, tuple[plan.Field, ...]] = field(default_factory=dict)
    temporary: Callable[[str], Entry | None] | None = None
    parse_view: Callable[[str], ast.Query] | None = None
    hidden: bool = False
    database: Database | None = None
    find_moment: Callable[[ast.SystemTime], tuple[CommitPlace, Catalog]] | None = None
    rights: Account | None = None
    accounts: Accounts | None = None


class Statement:
    """The state of one binding run: numbers given out, things used, depth reached.

    `span` replaces every node's own span while a view's or computed column's text is bound, so
    that errors and marks point at the place in the user's text that named it.
    """

    __slots__ = (
        "arguments",
        "assignments",
        "bodies",
        "bind_query",
        "context",
        "depth",
        "grouped_calls",
        "handlers",
        "inlined",
        "moment",
        "moments",
        "nullif_depth",
        "of_session",
        "parameters",
        "relations",
        "span",
        "tables",
        "views",
        "volatile",
        "common_tables",
    )

    def __init__(
        self,
        context: BindContext,
        handlers: Mapping[type, Handler],
        bind_query: Callable[[ast.Query, Scope], plan.Plan],
    ) -> None:
        self.context = context
        self.handlers = handlers
        self.bind_query = bind_query
        self.relations = 0
        self.common_tables = 0
        self.depth = 0
        self.nullif_depth = 0
        self.volatile = False
        self.parameters: dict[str, Type] = {}
        self.tables: dict[str, None] = {}
        self.assignments: tuple[str, ...] = ()
        self.of_session: dict[str, None] = {}
        self.views: tuple[str, ...] = ()
        #: the commit AS OF which names are looked up now, and what every such clause meant
        self.moment: CommitPlace | None = None
        self.moments: list[tuple[ast.SystemTime, CommitPlace]] = []
        self.span: ast.Span | None = None
        #: the routine whose body is bound now
        self.inlined: Inlined | None = None
        #: bodies of functions that were bound in place
        self.bodies = 0
        #: calls of functions that must be equal wherever they stand, as they are grouped by
        self.grouped_calls: set[tuple[str, tuple[plan.Expr, ...]]] = set()
        #: in a routine's body: what its parameters stand for; no other variables are seen there
        self.arguments: Mapping[str, plan.Expr] | None = None

    def next_relation(self) -> int:
        self.relations += 1
        return self.relations

    def next_common_table(self) -> int:
        self.common_tables += 1
        return self.common_tables

    def span_of(self, node: ast.Node) -> ast.Span:
        """Where a node stands, for errors and plans."""
        if self.span is not None:
            return self.span
        return node.span if self.inlined is None else self.inlined.span(node.span)


def fault(span: ast.Span, message: str, code: str, hint: str | None = None) -> BindFault:
    """A BindFault at a place of the text."""
    return BindFault(message, code=code, line=span.line, column=span.column, hint=hint)


def not_supported(span: ast.Span, what: str, hint: str | None = None) -> NotSupported:
    """A NotSupported at a place of the text; `what` is what there is not yet."""
    return NotSupported(f"not supported yet: {what}", line=span.line, column=span.column, hint=hint)


def too_deep(
    span: ast.Span, what: str = "the statement", depth_max: int = DEPTH_MAX
) -> ExecutionFault:
    return ExecutionFault(
        f"{what} nests deeper than {depth_max} levels",
        code="RECURSION",
        line=span.line,
        column=span.column,
        hint="split it with WITH or a #temp table",
    )


def locate(error: Error, span: ast.Span) -> NoReturn:
    """Raise `error` again, with a place if it had none."""
    if error.line is None:
        error.line, error.column = span.line, span.column
    raise error


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """A hint that names the known name most like `name`, or None."""
    known: dict[str, str] = {}
    for candidate in candidates:
        known.setdefault(candidate.casefold(), candidate)
    near = difflib.get_close_matches(name.casefold(), known, 1, 0.6)
    return f"did you mean {known[near[0]]}?" if near else None
