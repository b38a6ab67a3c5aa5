"""The logical plan: what the binder makes, what rules rewrite, what lower.py turns into operators.

A plan keeps the shape of SELECT blocks (clauses, not single relational operators), so that it
renders one to one as a fragment for the relational engine. Every expression is bound: it has a
type, and every column names the relation it comes from by that relation's number, which is unique
in the statement. All values are frozen.

Implicit conversions are explicit here: the binder has put a Cast wherever a value changes type, so
both operands of a comparison and all branches of a CASE have one type.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from hartonomous.hql.ast import NOWHERE, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.types import Type

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.functions.base import Function
    from hartonomous.storage.catalog import TableEntry


# --- expressions ---------------------------------------------------------------------------------


@frozen(kw_only=True)
class Expr:
    """A bound scalar expression."""

    type: Type
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@frozen
class Column(Expr):
    """A column of relation number `relation` (of this block or, if correlated, an outer one)."""

    relation: int
    name: str


@frozen
class Constant(Expr):
    """A value known now, in Python's form: None, bool, int, float, Decimal, str, bytes (VARBINARY
    and, 16 of them, UNIQUEIDENTIFIER), date, time, datetime (naive, UTC), numpy float32[n].
    Equal are constants of one type and the same bits (arrays compare as bytes, 0.0 is not -0.0)."""

    value: Any

    def _identity(self) -> tuple[Any, ...]:
        value = self.value
        if isinstance(value, float):
            value = value.hex()
        elif hasattr(value, "tobytes"):
            value = value.tobytes()
        return self.type, value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())


@frozen
class Parameter(Expr):
    """A parameter or variable: its type is known at planning, its value at execution."""

    name: str


@frozen
class Call(Expr):
    """A scalar function or operator of the registry; operators are functions named by their sign
    (`+`, `=`, `AND`, `IS NULL` …)."""

    function: Function
    arguments: tuple[Expr, ...]


@frozen
class Cast(Expr):
    """Conversion of `operand` to `type`; `try_` gives NULL for a value that has no counterpart."""

    operand: Expr
    try_: bool = False


@frozen
class Case(Expr):
    """Searched CASE (the simple form has become comparisons)."""

    whens: tuple[tuple[Expr, Expr], ...]
    otherwise: Expr | None = None


@frozen
class InList(Expr):
    operand: Expr
    values: tuple[Expr, ...]
    negated: bool = False


@frozen
class InQuery(Expr):
    operand: Expr
    query: Plan
    negated: bool = False


@frozen
class Quantified(Expr):
    """op: = <> < <= > >=; quantifier: ANY, ALL."""

    op: str
    left: Expr
    quantifier: str
    query: Plan


@frozen
class Exists(Expr):
    query: Plan


@frozen
class ScalarQuery(Expr):
    query: Plan


@frozen
class Order:
    """Sort key. nulls_first is always decided (NULLs are lowest unless the text says otherwise)."""

    expr: Expr
    descending: bool = False
    nulls_first: bool = True


@frozen
class Aggregate(Expr):
    function: Function
    arguments: tuple[Expr, ...]
    distinct: bool = False
    filter: Expr | None = None
    order_by: tuple[Order, ...] = ()


@frozen
class FrameEdge:
    """kind as in ast.FrameBound."""

    kind: str
    offset: Expr | None = None


@frozen
class Window(Expr):
    """A ranking function, or an aggregate, over a window. frame: (unit, start, end, exclude)."""

    function: Function
    arguments: tuple[Expr, ...]
    partition_by: tuple[Expr, ...] = ()
    order_by: tuple[Order, ...] = ()
    frame: tuple[str, FrameEdge, FrameEdge | None, str | None] | None = None
    distinct: bool = False
    filter: Expr | None = None


# --- relations -----------------------------------------------------------------------------------


@frozen
class Field:
    """An output column. `nocase`: its texts compare without case (COLLATE NOCASE)."""

    name: str
    type: Type
    nocase: bool = False


@frozen(kw_only=True)
class Source:
    """Something in FROM. `relation` is unique in the statement; `alias` is for people. Fields of
    one source have different names (compared without case), so that a Column says which is meant:
    of a subquery's two columns `a` the second is called `a:2`."""

    relation: int
    alias: str
    fields: tuple[Field, ...]


@frozen
class Scan(Source):
    """Rows of a stored table. `fields` are the columns that the statement reads (rule
    prune_columns narrows them); `ranges` are conjuncts that zone maps may use (rule push_ranges),
    `region` one that an index may use (rule use_index);
    `address` and `row_id` add the BIGINT columns `__address` (UPDATE, DELETE) and `__row_id` (ties
    of a top-k). The rest is filled by rules: `computed` columns are native functions of this
    scan's columns (hoist_native); `ordinal` adds `__ordinal`, a row's place in the scan; at most
    one of `lookup` (point_lookup), `nearest` (top_k) and `limit` (fold_limits) says that only some
    rows are read, always a superset of those needed."""

    table: TableEntry
    ranges: tuple[Range, ...] = ()
    address: bool = False
    row_id: bool = False
    ordinal: bool = False
    computed: tuple[Output, ...] = ()
    lookup: Lookup | None = None
    region: Region | None = None
    nearest: Nearest | None = None
    limit: Expr | None = None


@frozen
class Lookup:
    """Equality with all columns of key `key`: one Constant or Parameter for each."""

    key: int
    columns: tuple[str, ...]
    values: tuple[Expr, ...]


@frozen
class Nearest:
    """The `count` rows (a sum of its parts: limit, offset) whose computed column `by` is smallest,
    ties by row id, among those that `filter` lets through (a plan over this very scan that gives
    one BIGINT column, the row's ordinal)."""

    by: str
    count: tuple[Expr, ...]
    nulls_first: bool = True
    filter: Plan | None = None
    index: Index | None = None


@frozen
class Index:
    """An index of the scanned table, by its id and for people by its name. `forced`: used whether
    it seems to pay or not."""

    id: int
    title: str
    forced: bool = False


@frozen
class Region:
    """Rows whose geometry may come within `distance` (None: 0) of the geometry `of`, as `index`
    finds them: a superset of those that a test above lets through."""

    index: Index
    of: Expr
    distance: Expr | None = None


@frozen
class Range:
    """`low <(=) column <(=) high`, or column IN values, or IS NULL; ends are Constant or
    Parameter. Only ever used to leave rows out that cannot match: the exact test stays above."""

    column: str
    low: Expr | None = None
    high: Expr | None = None
    low_open: bool = False
    high_open: bool = False
    values: tuple[Expr, ...] | None = None
    is_null: bool = False


@frozen
class ArrowSource(Source):
    """An Arrow table that came as a parameter, or a system table's rows; `key` finds it at
    execution (`@rows`, or `sys.tables`)."""

    key: str


@frozen
class Coefficients(Source):
    """TensorAtomCoefficients: the numbers of models' tensors, one a row, made as they are read.
    Filled by rule coefficients: `tests` are conjuncts that the scan applies itself, `ranges` leave
    out whole rows of tensors (ranges of TensorAtoms' columns). With `partials` a row is a tensor
    atom that has such a coefficient, and each partial is a column of it."""

    tests: tuple[Test, ...] = ()
    ranges: tuple[Range, ...] = ()
    partials: tuple[Partial, ...] | None = None


@frozen
class Test:
    """A conjunct about one column of Coefficients; the values are Constant or Parameter. op: = <>
    < <= > >= IN, NOT IN, BETWEEN."""

    column: str
    op: str
    values: tuple[Expr, ...]


@frozen
class Partial:
    """An aggregate over the coefficients of one tensor atom: COUNT (of no column), SUM, MIN, MAX;
    `name` is what the column is called."""

    name: str
    type: Type
    aggregate: str
    column: str | None = None


@frozen
class Pairs(Source):
    """Ordinals (`__left`, `__right`) of rows of two scans, by their relations, that may belong
    together: whose geometries come within `distance` (None: 0) of each other, or, with `nearest`,
    for each left row at least the `nearest` right rows that are nearest to it; with `empties`,
    empty geometries belong together, too. Found through `index` over `right_column`; a superset, as
    for a Region."""

    left: int
    left_column: str
    right: int
    right_column: str
    index: Index
    distance: Expr | None = None
    nearest: Expr | None = None
    empties: bool = False


@frozen
class Derived(Source):
    """A subquery. `lateral` may see what stands left of it (APPLY)."""

    plan: Plan
    lateral: bool = False


@frozen
class CteReference(Source):
    """A use of common table `cte` (a number unique in the statement)."""

    cte: int


@frozen
class TableFunction(Source):
    """A set-returning function of the registry, e.g. OPENJSON, GENERATE_SERIES. `schema` is the
    WITH list of OPENJSON: (name, type, path or None)."""

    function: Function
    arguments: tuple[Expr, ...]
    lateral: bool = False
    schema: tuple[tuple[str, Type, str | None], ...] = ()


@frozen
class Joined:
    """kind: INNER, LEFT, RIGHT, FULL, CROSS. APPLY is CROSS or LEFT with a lateral right side."""

    kind: str
    left: Joined | Source
    right: Joined | Source
    on: Expr | None = None


# --- plans ---------------------------------------------------------------------------------------


@frozen
class Output:
    """A select item: the name it is shown under, and its expression."""

    name: str
    expr: Expr


@frozen
class SelectBlock:
    """group_by: None = not grouped, () = one group. grouping_sets are index tuples into group_by;
    None = plain."""

    outputs: tuple[Output, ...]
    source: Joined | Source | None = None
    where: Expr | None = None
    group_by: tuple[Expr, ...] | None = None
    grouping_sets: tuple[tuple[int, ...], ...] | None = None
    having: Expr | None = None
    distinct: bool = False


@frozen
class ValuesBlock:
    """Rows of expressions; all rows have the types of `fields` (casts are explicit)."""

    rows: tuple[tuple[Expr, ...], ...]


@frozen
class SetBlock:
    """op: UNION, INTERSECT, EXCEPT; both sides give the same types."""

    op: str
    all: bool
    left: Plan
    right: Plan


@frozen
class Cte:
    """A common table. A recursive one has a body that is a UNION [ALL] SetBlock whose right side
    refers to it."""

    number: int
    name: str
    fields: tuple[Field, ...]
    plan: Plan
    recursive: bool = False


@frozen
class Plan:
    """A query. `order_by` holds expressions over the block (SelectBlock: over its sources or,
    as OutputColumn, over its outputs). limit_ties: TOP … WITH TIES; limit_percent: TOP … PERCENT.
    `json` is FOR JSON's options (ast.ForJson), applied last: `fields` is then one JSON column, and
    the body's outputs say what its objects hold. `options` are OPTION's checked hints: RECALL,
    TIMEOUT in seconds, MEMORY in bytes, USE INDEX (name), NO INDEX, MAXRECURSION; a hint that was
    given as a variable holds an Expr."""

    fields: tuple[Field, ...]
    body: SelectBlock | ValuesBlock | SetBlock | Plan
    ctes: tuple[Cte, ...] = ()
    order_by: tuple[Order, ...] = ()
    limit: Expr | None = None
    offset: Expr | None = None
    limit_ties: bool = False
    limit_percent: bool = False
    json: Any = None
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        from hartonomous.hql.explain import describe_plan

        return describe_plan(self)


@frozen
class OutputColumn(Expr):
    """In ORDER BY: the block's output number `index`."""

    index: int


@frozen
class BoundQuery:
    """What the planner keeps for a text: the plan, the parameters it needs, whether a volatile
    function occurs (then no result may be reused), and tables read (for locks and grants).
    `assignments` are the variables that `SELECT @v = e` sets, one for each output column.
    `of_session` names the parameters whose values are the session's (scripts/status.py)."""

    plan: Plan
    parameters: tuple[tuple[str, Type], ...] = ()
    volatile: bool = False
    tables: tuple[str, ...] = ()
    assignments: tuple[str, ...] = ()
    of_session: tuple[str, ...] = ()


def schema_of(fields: tuple[Field, ...]) -> pa.Schema:
    """The Arrow schema of a result with these fields."""
    import pyarrow as pa

    return pa.schema([pa.field(f.name, f.type.arrow) for f in fields])
