"""The syntax tree of expressions, queries and relations: frozen, typed, printable.

All of it is found here (`ast.Literal`, `ast.Query`); nodes, names and expressions are written down
in ast_expressions.py.

Every node carries the `span` of its text; spans take no part in equality, so two texts that mean
the same parse to equal trees. `str(node)` is HQL again (printer.py). Statements are in
statements/, one file each. Names are kept as written; comparing them is the binder's work.

Not sqlglot's classes: importing sqlglot costs 130 ms, more than half of importing pyarrow and
duckdb together, its nodes are untyped dictionaries, and both printers would be ours all the same.
"""

from __future__ import annotations

from hartonomous.hql.ast_expressions import NOWHERE as NOWHERE
from hartonomous.hql.ast_expressions import Between as Between
from hartonomous.hql.ast_expressions import Binary as Binary
from hartonomous.hql.ast_expressions import Case as Case
from hartonomous.hql.ast_expressions import Cast as Cast
from hartonomous.hql.ast_expressions import Collate as Collate
from hartonomous.hql.ast_expressions import ColumnName as ColumnName
from hartonomous.hql.ast_expressions import Default as Default
from hartonomous.hql.ast_expressions import Exists as Exists
from hartonomous.hql.ast_expressions import Expression as Expression
from hartonomous.hql.ast_expressions import Frame as Frame
from hartonomous.hql.ast_expressions import FrameBound as FrameBound
from hartonomous.hql.ast_expressions import FunctionCall as FunctionCall
from hartonomous.hql.ast_expressions import Identifier as Identifier
from hartonomous.hql.ast_expressions import InList as InList
from hartonomous.hql.ast_expressions import InQuery as InQuery
from hartonomous.hql.ast_expressions import IsDistinct as IsDistinct
from hartonomous.hql.ast_expressions import IsNull as IsNull
from hartonomous.hql.ast_expressions import Like as Like
from hartonomous.hql.ast_expressions import Literal as Literal
from hartonomous.hql.ast_expressions import MethodCall as MethodCall
from hartonomous.hql.ast_expressions import NamedArgument as NamedArgument
from hartonomous.hql.ast_expressions import Node as Node
from hartonomous.hql.ast_expressions import ObjectName as ObjectName
from hartonomous.hql.ast_expressions import OrderItem as OrderItem
from hartonomous.hql.ast_expressions import Placeholder as Placeholder
from hartonomous.hql.ast_expressions import Quantified as Quantified
from hartonomous.hql.ast_expressions import Span as Span
from hartonomous.hql.ast_expressions import Star as Star
from hartonomous.hql.ast_expressions import StaticCall as StaticCall
from hartonomous.hql.ast_expressions import Subquery as Subquery
from hartonomous.hql.ast_expressions import TypeName as TypeName
from hartonomous.hql.ast_expressions import Unary as Unary
from hartonomous.hql.ast_expressions import Variable as Variable
from hartonomous.hql.ast_expressions import VectorLiteral as VectorLiteral
from hartonomous.hql.ast_expressions import WindowSpec as WindowSpec
from hartonomous.hql.frozen import frozen

# --- relations -----------------------------------------------------------------------------------


class Relation(Node):
    """Something that can stand in FROM."""

    __slots__ = ()


@frozen
class SystemTime(Node):
    """FOR SYSTEM_TIME AS OF; kind: COMMIT, BRANCH, TIME."""

    kind: str
    value: Expression


@frozen
class TableName(Relation):
    """A table, view or CTE by name."""

    name: ObjectName
    alias: Identifier | None = None
    columns: tuple[Identifier, ...] = ()
    as_of: SystemTime | None = None


@frozen
class VariableTable(Relation):
    """`@t` in FROM: a table variable or a table parameter."""

    name: str
    alias: Identifier | None = None
    columns: tuple[Identifier, ...] = ()


@frozen
class Derived(Relation):
    """(query) AS t(a, b); VALUES as a table too. lateral is set by APPLY."""

    query: Query
    alias: Identifier | None = None
    columns: tuple[Identifier, ...] = ()


@frozen
class FunctionTable(Relation):
    """f(…) in FROM; `schema` is OPENJSON's WITH list: (name, type, path)."""

    call: FunctionCall
    alias: Identifier | None = None
    columns: tuple[Identifier, ...] = ()
    schema: tuple[tuple[Identifier, TypeName, str | None], ...] = ()


@frozen
class Join(Relation):
    """kind: INNER, LEFT, RIGHT, FULL, CROSS, CROSS APPLY, OUTER APPLY. A comma is CROSS."""

    kind: str
    left: Relation
    right: Relation
    on: Expression | None = None


# --- queries -------------------------------------------------------------------------------------


@frozen
class SelectItem(Node):
    """`e [AS] name`, `name = e`, `*`. assign_to: `@v = e` assigns (then no name)."""

    expression: Expression
    alias: Identifier | None = None
    assign_to: str | None = None


@frozen
class Top(Node):
    count: Expression
    percent: bool = False
    with_ties: bool = False


@frozen
class GroupingElement(Node):
    """kind: PLAIN (one expression in sets[0]), SETS, ROLLUP, CUBE (each set a tuple)."""

    kind: str
    sets: tuple[tuple[Expression, ...], ...]


@frozen
class Select(Node):
    """One SELECT block."""

    items: tuple[SelectItem, ...]
    distinct: bool = False
    top: Top | None = None
    into: ObjectName | None = None
    source: Relation | None = None
    where: Expression | None = None
    group_by: tuple[GroupingElement, ...] = ()
    having: Expression | None = None


@frozen
class Values(Node):
    rows: tuple[tuple[Expression, ...], ...]


@frozen
class SetOperation(Node):
    """op: UNION, INTERSECT, EXCEPT. INTERSECT binds tighter."""

    op: str
    all: bool
    left: QueryBody
    right: QueryBody


@frozen
class CommonTable(Node):
    name: Identifier
    columns: tuple[Identifier, ...]
    query: Query


@frozen
class ForJson(Node):
    """FOR JSON PATH | AUTO [, ROOT('r')] [, INCLUDE_NULL_VALUES] [, WITHOUT_ARRAY_WRAPPER]."""

    mode: str = "PATH"
    root: str | None = None
    include_nulls: bool = False
    without_wrapper: bool = False


@frozen
class Option(Node):
    """One hint of OPTION (…): name as in HQL.md ("RECALL", "TIMEOUT", "USE INDEX", "NO INDEX",
    "MEMORY", "MAXRECURSION"); value None, an expression or an index name."""

    name: str
    value: Expression | Identifier | None = None


@frozen
class Query(Node):
    """A whole query: WITH, body, ORDER BY, OFFSET/FETCH or LIMIT, FOR JSON, OPTION."""

    body: QueryBody
    ctes: tuple[CommonTable, ...] = ()
    recursive: bool = False
    order_by: tuple[OrderItem, ...] = ()
    limit: Expression | None = None
    offset: Expression | None = None
    for_json: ForJson | None = None
    options: tuple[Option, ...] = ()

    @property
    def has_clauses(self) -> bool:
        """Whether it is more than its body in parentheses."""
        return bool(
            self.ctes or self.order_by or self.limit or self.offset or self.for_json or self.options
        )


#: what a Query wraps; a Query inside one is a parenthesised query with clauses of its own
QueryBody = Select | Values | SetOperation | Query
