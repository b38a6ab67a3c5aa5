"""What stands in a plan's FROM: tables, indexes that narrow them, functions, subqueries, joins.
plan.py says what a plan is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.frozen import frozen
from hartonomous.hql.plan_expressions import Expr
from hartonomous.hql.types import Type

if TYPE_CHECKING:
    from hartonomous.hql.functions.base import Function
    from hartonomous.hql.plan import Plan
    from hartonomous.storage.catalog import TableEntry
    from hartonomous.storage.commit_log import CommitPlace


@frozen
class Field:
    """An output column. `nocase`: its texts compare without case (COLLATE NOCASE)."""

    name: str
    type: Type
    nocase: bool = False


@frozen
class Output:
    """A select item: the name it is shown under, and its expression."""

    name: str
    expr: Expr


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
    `region` one that an index may use (rule use_index), `seek` an index that may use ranges of its
    first columns, `seeks` others (rule seek_index), `matching` ways to find only the rows that
    match others (rule match_rows);
    `address` and `row_id` add the BIGINT columns `__address` (UPDATE, DELETE) and `__row_id` (ties
    of a top-k); `moment` is the commit AS OF which the table is read. The rest is filled by rules:
    `computed` columns are native functions of this scan's columns (hoist_native); `ordinal` adds
    `__ordinal`, a row's place in the scan; at most one of `lookup` (point_lookup), `nearest`
    (top_k) and `limit` (fold_limits) says that only some rows are read, always a superset of those
    needed."""

    table: TableEntry
    ranges: tuple[Range, ...] = ()
    address: bool = False
    row_id: bool = False
    ordinal: bool = False
    computed: tuple[Output, ...] = ()
    lookup: Lookup | None = None
    region: Region | None = None
    seek: Index | None = None
    seeks: tuple[Index, ...] = ()
    matching: tuple[Matching, ...] = ()
    nearest: Nearest | None = None
    first: First | None = None
    limit: Expr | None = None
    moment: CommitPlace | None = None


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
class First:
    """The first `count` rows (a sum of its parts: limit, offset) that lie within the scan's ranges,
    in the order of `index`: after `equal` columns that have one value, its next ones settle the
    first `depth` columns of the ORDER BY; with `ties`, also the rows that are equal to the last of
    them there."""

    index: Index
    equal: int
    depth: int
    descending: bool
    count: tuple[Expr, ...]
    ties: bool


@frozen
class Index:
    """An index of the scanned table, by its id and for people by its name. `forced`: used whether
    it seems to pay or not."""

    id: int
    title: str
    forced: bool = False


@frozen
class Matching:
    """Rows whose columns, the first of `index`, equal `values`: each the name of a column of
    relation `other`, of any of its rows, or a Constant or Parameter. The other one is a scan, a
    table that came as a parameter, or rows that the text gives, which are `given` then."""

    index: Index
    other: int
    values: tuple[str | Expr, ...]
    given: Given | None = None


@frozen
class Given:
    """Rows of a VALUES whose cells are all Constant or Parameter (casts of them that lose
    nothing)."""

    fields: tuple[Field, ...]
    rows: tuple[tuple[Expr, ...], ...]


@frozen
class Region:
    """Rows whose geometry may come within `distance` (None: 0) of the geometry `of`, as `index`
    finds them: a superset of those that a test above lets through."""

    index: Index
    of: Expr
    distance: Expr | None = None


@frozen
class Range:
    """`low <(=) column <(=) high`, or column IN values, or IS NULL, or LIKE a pattern (and its
    escape); ends are Constant or Parameter. `folds`: about the column's texts in lower case. Only
    ever used to leave rows out that cannot match: the exact test stays above."""

    column: str
    low: Expr | None = None
    high: Expr | None = None
    low_open: bool = False
    high_open: bool = False
    values: tuple[Expr, ...] | None = None
    is_null: bool = False
    like: tuple[Expr, ...] | None = None
    folds: bool = False


@frozen
class ArrowSource(Source):
    """An Arrow table that came as a parameter, or a system table's rows; `key` finds it at
    execution (`@rows`, or `sys.tables`), `moment` is as in Scan."""

    key: str
    moment: CommitPlace | None = None


@frozen
class Coefficients(Source):
    """TensorAtomCoefficients: the numbers of models' tensors, one a row, made as they are read.
    Filled by rule coefficients: `tests` are conjuncts that the scan applies itself, `ranges` leave
    out whole rows of tensors (ranges of TensorAtoms' columns). With `partials` a row is a tensor
    atom that has such a coefficient, and each partial is a column of it. `moment` is as in Scan."""

    tests: tuple[Test, ...] = ()
    ranges: tuple[Range, ...] = ()
    partials: tuple[Partial, ...] | None = None
    moment: CommitPlace | None = None


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
