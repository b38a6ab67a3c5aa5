"""The logical plan: what the binder makes, what rules rewrite, what lower.py turns into operators.

All of it is found here (`plan.Column`, `plan.Scan`): expressions are written down in
plan_expressions.py, what stands in FROM in plan_sources.py, whole queries in this file.

A plan keeps the shape of SELECT blocks (clauses, not single relational operators), so that it
renders one to one as a fragment for the relational engine. Every expression is bound: it has a
type, and every column names the relation it comes from by that relation's number, which is unique
in the statement. All values are frozen.

Implicit conversions are explicit here: the binder has put a Cast wherever a value changes type, so
both operands of a comparison and all branches of a CASE have one type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hartonomous.hql.frozen import frozen
from hartonomous.hql.plan_expressions import Aggregate as Aggregate
from hartonomous.hql.plan_expressions import Call as Call
from hartonomous.hql.plan_expressions import Case as Case
from hartonomous.hql.plan_expressions import Cast as Cast
from hartonomous.hql.plan_expressions import Column as Column
from hartonomous.hql.plan_expressions import Constant as Constant
from hartonomous.hql.plan_expressions import Exists as Exists
from hartonomous.hql.plan_expressions import Expr as Expr
from hartonomous.hql.plan_expressions import FrameEdge as FrameEdge
from hartonomous.hql.plan_expressions import InList as InList
from hartonomous.hql.plan_expressions import InQuery as InQuery
from hartonomous.hql.plan_expressions import Order as Order
from hartonomous.hql.plan_expressions import OutputColumn as OutputColumn
from hartonomous.hql.plan_expressions import Parameter as Parameter
from hartonomous.hql.plan_expressions import Quantified as Quantified
from hartonomous.hql.plan_expressions import ScalarQuery as ScalarQuery
from hartonomous.hql.plan_expressions import Window as Window
from hartonomous.hql.plan_sources import ArrowSource as ArrowSource
from hartonomous.hql.plan_sources import Coefficients as Coefficients
from hartonomous.hql.plan_sources import CteReference as CteReference
from hartonomous.hql.plan_sources import Derived as Derived
from hartonomous.hql.plan_sources import Field as Field
from hartonomous.hql.plan_sources import First as First
from hartonomous.hql.plan_sources import Given as Given
from hartonomous.hql.plan_sources import Index as Index
from hartonomous.hql.plan_sources import Joined as Joined
from hartonomous.hql.plan_sources import Lookup as Lookup
from hartonomous.hql.plan_sources import Matching as Matching
from hartonomous.hql.plan_sources import Nearest as Nearest
from hartonomous.hql.plan_sources import Output as Output
from hartonomous.hql.plan_sources import Pairs as Pairs
from hartonomous.hql.plan_sources import Partial as Partial
from hartonomous.hql.plan_sources import Range as Range
from hartonomous.hql.plan_sources import Region as Region
from hartonomous.hql.plan_sources import Scan as Scan
from hartonomous.hql.plan_sources import Source as Source
from hartonomous.hql.plan_sources import TableFunction as TableFunction
from hartonomous.hql.plan_sources import Test as Test
from hartonomous.hql.types import Type

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql import ast
    from hartonomous.storage.commit_log import CommitPlace


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
class BoundQuery:
    """What the planner keeps for a text: the plan, the parameters it needs, whether a volatile
    function occurs (then no result may be reused), and tables read (for locks and grants).
    `assignments` are the variables that `SELECT @v = e` sets, one for each output column.
    `of_session` names the parameters whose values are the session's (scripts/status.py). `moments`
    are the FOR SYSTEM_TIME clauses with the commits that they meant: the plan holds while they
    mean the same."""

    plan: Plan
    parameters: tuple[tuple[str, Type], ...] = ()
    volatile: bool = False
    tables: tuple[str, ...] = ()
    assignments: tuple[str, ...] = ()
    of_session: tuple[str, ...] = ()
    moments: tuple[tuple[ast.SystemTime, CommitPlace], ...] = ()


def schema_of(fields: tuple[Field, ...]) -> pa.Schema:
    """The Arrow schema of a result with these fields."""
    import pyarrow as pa

    return pa.schema([pa.field(f.name, f.type.arrow) for f in fields])
