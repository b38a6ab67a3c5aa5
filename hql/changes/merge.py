"""MERGE: one query joins source and target, and says of each row what becomes of it.

    SELECT t.__address, <number of the first WHEN that holds>, <new values>, <old ones for OUTPUT>
    FROM source LEFT | RIGHT | FULL | INNER JOIN target AS t ON condition
    WHERE <a WHEN holds>

The rows of each WHEN are then deleted, updated and inserted, in this order, so that a key may pass
from one row to another. A row of the target may be changed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql import ast
from hartonomous.hql.changes.assigning import (
    assigned_columns,
    assigned_value,
    column_count_fault,
    target_columns,
    without_identity_if,
)
from hartonomous.hql.changes.completion import Completion
from hartonomous.hql.changes.dml import (
    ADDRESS,
    complete_changed,
    old_rows,
    old_values,
    store_rows,
)
from hartonomous.hql.changes.output_clause import Carried, Merged, output_result, wants
from hartonomous.hql.changes.targets import Target, get_target, place, with_common_tables
from hartonomous.hql.errors import BindFault, ExecutionFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.plan import Field
from hartonomous.hql.result import Result
from hartonomous.hql.syntax import trees
from hartonomous.hql.system_schema.behaviour import PLAIN, RowChange, find_behaviour, given_shape
from hartonomous.hql.types import BIGINT, parse_type
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.chunk import distinct

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.merge import Merge, MergeClause

#: columns of the query: which WHEN holds, and the row's number where MERGE goes on counting
CLAUSE, ROW = "__clause", "__row"
#: the table of one row beside the source, whose absence says that a row of the target has no match
MARK = "__mark"


@frozen
class When:
    """A WHEN with the values that it gives, by column; those of INSERT only have what it names."""

    clause: MergeClause
    values: dict[str, ast.Expression]

    @property
    def action(self) -> str:
        return self.clause.action


def run_merge(statement: Merge, context: Context) -> Result:
    """MERGE; CARDINALITY if a row of the target would be changed twice."""
    target, whens, carried, query = merge_query(statement, context)
    result = context.query(query, key="merge", hidden=True)
    assert result.fields is not None
    brought = carried.fields(result.fields)
    rows = result.to_table()
    changes = _Changes(context, target, whens, rows)
    changes.apply()
    if carried.output is None:
        return Result(row_count=rows.num_rows)
    return output_result(
        context,
        carried.output,
        target.table,
        inserted=changes.inserted(),
        deleted=changes.deleted(),
        carried=(brought, rows),
        merged=changes.merged(),
    )


# --- the query -----------------------------------------------------------------------------------


def merge_query(
    statement: Merge, context: Context
) -> tuple[Target, list[When], Carried, ast.Query]:
    """What a MERGE changes, what its clauses give, what OUTPUT needs of the source, the query."""
    rights = tuple(dict.fromkeys(clause.action for clause in statement.clauses))
    target = get_target(context, statement.table, statement.alias, None, rights)
    _refuse_senseless(statement.clauses)
    whens = [_when(clause, target.table) for clause in statement.clauses]
    source = _source(statement, target)
    chosen = _chosen(target, statement.clauses)
    items = [
        trees.item(target.column(ADDRESS), ADDRESS),
        trees.item(_case(chosen, [ast.Literal(i, "INTEGER") for i in range(len(whens))]), CLAUSE),
        *_values(target, whens, chosen),
    ]
    if wants(statement.output, "deleted"):
        items += old_values(target)
    carried = Carried(context, statement.output, source)
    any_holds = chosen[0]
    for condition in chosen[1:]:
        any_holds = ast.Binary("OR", any_holds, condition)
    query = trees.select([*items, *carried.items], source, any_holds)
    return target, whens, carried, with_common_tables(query, statement.ctes)


def _when(clause: MergeClause, table: TableEntry) -> When:
    for assignment in clause.assignments:
        if assignment.variable is not None:
            raise place(BindFault("MERGE sets columns, no variables"), assignment)
    if clause.action == "UPDATE":
        return When(clause, assigned_columns(clause.assignments, table))
    if clause.action == "DELETE":
        return When(clause, {})
    given = clause.values
    columns = target_columns(table, clause.columns) if given else []
    columns = list(without_identity_if(columns, len(given), clause.columns))
    if len(columns) != len(given):
        raise column_count_fault("INSERT", clause, table, columns, len(given))
    pairs = zip(columns, given, strict=True)
    return When(
        clause, {c.name: assigned_value(v, c) for c, v in pairs if not isinstance(v, ast.Default)}
    )


def _refuse_senseless(clauses: Sequence[MergeClause]) -> None:
    """BIND for INSERT where there is a row, or another action where there is none, and for a WHEN
    behind one of its kind that has no AND, as it would never hold."""
    ended: set[str] = set()
    for clause in clauses:
        if (clause.action == "INSERT") != (clause.match == "NOT MATCHED"):
            message = f"WHEN {clause.match} THEN {clause.action} means nothing"
            hint = "INSERT follows WHEN NOT MATCHED, UPDATE and DELETE the others"
            raise place(BindFault(message, hint=hint), clause)
        if clause.match in ended:
            message = f"this WHEN {clause.match} never holds: the one before it has no AND"
            raise place(BindFault(message), clause)
        if clause.condition is None:
            ended.add(clause.match)


def _source(statement: Merge, target: Target) -> ast.Relation:
    """Source and target, joined as far as the clauses need rows without a match."""
    matches = {clause.match for clause in statement.clauses}
    source = statement.source
    if "NOT MATCHED BY SOURCE" in matches:
        one = trees.select([trees.item(ast.Literal(1, "INTEGER"), MARK)])
        source = ast.Join("CROSS", source, trees.derived(one, MARK), span=source.span)
        kind = "FULL" if "NOT MATCHED" in matches else "RIGHT"
    else:
        kind = "LEFT" if "NOT MATCHED" in matches else "INNER"
    return ast.Join(kind, source, target.source, statement.on, span=statement.on.span)


def _chosen(target: Target, clauses: Sequence[MergeClause]) -> list[ast.Expression]:
    """When each WHEN holds, if none before it did."""
    has_target = ast.IsNull(target.column(ADDRESS), True)
    tests: dict[str, ast.Expression] = {
        "MATCHED": has_target,
        "NOT MATCHED": ast.IsNull(target.column(ADDRESS)),
        "NOT MATCHED BY SOURCE": ast.IsNull(trees.column(MARK, MARK)),
    }
    if any(clause.match == "NOT MATCHED BY SOURCE" for clause in clauses):
        has_source = ast.IsNull(trees.column(MARK, MARK), True)
        tests["MATCHED"] = ast.Binary("AND", has_target, has_source)
    return [
        tests[c.match] if c.condition is None else ast.Binary("AND", tests[c.match], c.condition)
        for c in clauses
    ]


def _case(
    conditions: Sequence[ast.Expression],
    values: Sequence[ast.Expression | None],
    otherwise: ast.Expression | None = None,
) -> ast.Expression:
    """The value of the first condition that holds; where it has none, `otherwise`."""
    otherwise = ast.Literal(None) if otherwise is None else otherwise
    whens = [(c, otherwise if v is None else v) for c, v in zip(conditions, values, strict=True)]
    return ast.Case(None, tuple(whens), otherwise)


def _values(
    target: Target, whens: Sequence[When], chosen: Sequence[ast.Expression]
) -> list[ast.SelectItem]:
    """Every stored column's new value."""
    items = []
    is_updating = any(w.action == "UPDATE" for w in whens)
    for column in target.table.stored:
        if column.computed is not None:
            continue
        values = [w.values.get(column.name) for w in whens]
        if not is_updating and not any(values):
            continue
        kept = target.column(column.name) if is_updating else None
        value = _case(chosen, values, kept) if any(values) else kept
        assert value is not None
        items.append(trees.item(value, column.name))
    return items


# --- the changes ---------------------------------------------------------------------------------


class _Changes:
    """The rows of a MERGE, clause by clause. `rows` are those that a WHEN holds for."""

    def __init__(
        self, context: Context, target: Target, whens: Sequence[When], rows: pa.Table
    ) -> None:
        self.context, self.table, self.whens, self.rows = context, target.table, whens, rows
        self.behaviour = find_behaviour(target.table)
        #: which clause holds for each row, int64[rows]
        self.clauses = rows.column(CLAUSE).to_numpy().astype(np.int64, copy=False)
        self.new: list[tuple[np.ndarray, pa.Table]] = []  # numbers of rows, whole new rows
        self._refuse_twice()

    def _rows_of(self, *actions: str) -> np.ndarray:
        """The numbers of the rows with one of these actions, ascending."""
        wanted = [i for i, w in enumerate(self.whens) if w.action in actions]
        return np.flatnonzero(np.isin(self.clauses, wanted))

    def _addresses(self, numbers: np.ndarray) -> np.ndarray:
        addresses: np.ndarray = self.rows.column(ADDRESS).take(pa.array(numbers)).to_numpy()
        return addresses

    def _refuse_twice(self) -> None:
        addresses = self._addresses(self._rows_of("UPDATE", "DELETE"))
        if len(distinct(addresses)) < len(addresses):
            raise ExecutionFault(
                f'MERGE would change a row of "{self.table.name}" more than once',
                code="CARDINALITY",
                hint="ON finds several rows of the source for it: group them, or make ON stricter",
            )

    def apply(self) -> None:
        """Deletes, then updates, then inserts."""
        gone = self._rows_of("DELETE")
        if len(gone):
            behaviour = self.behaviour or PLAIN
            behaviour.delete(self.context, self.table, self._addresses(gone))
        if self.behaviour is None:
            self._update(self._rows_of("UPDATE"), self._assigned(self.whens))
        else:  # which wants to know what was assigned to which rows
            for number, when in enumerate(self.whens):
                if when.action == "UPDATE":
                    self._update(np.flatnonzero(self.clauses == number), self._assigned([when]))
        for number, when in enumerate(self.whens):
            if when.action == "INSERT":
                self._insert(np.flatnonzero(self.clauses == number), when)

    def _assigned(self, whens: Sequence[When]) -> frozenset[str]:
        return frozenset(name for w in whens if w.action == "UPDATE" for name in w.values)

    def _update(self, numbers: np.ndarray, assigned: frozenset[str]) -> None:
        if not len(numbers):
            return
        rows = self._numbered(numbers)
        done = complete_changed(self.context, self.table, rows, [Field(ROW, BIGINT)])
        new = done.select(self.table.arrow_schema.names)
        change = RowChange(done.column(ADDRESS).to_numpy(), new, assigned)
        new = (self.behaviour or PLAIN).update(self.context, self.table, change)
        self.new.append((done.column(ROW).to_numpy(), new))

    def _numbered(self, numbers: np.ndarray) -> pa.Table:
        """Some of the rows, with their numbers as a column."""
        return self.rows.take(pa.array(numbers)).append_column(ROW, pa.array(numbers))

    def _insert(self, numbers: np.ndarray, when: When) -> None:
        if not len(numbers):
            return
        columns = [c for c in self.table.stored if c.name in when.values]
        given = [Field(c.name, trees.unbounded(parse_type(c.type))) for c in columns]
        extra = [Field(ROW, BIGINT)]
        rows = self._numbered(numbers).select([*(c.name for c in columns), ROW])
        done = Completion(given_shape(self.table), given, extra).complete(self.context, rows)
        kept: list[pa.Table] = []
        store_rows(self.context, self.table, [done.drop_columns([ROW])], kept)
        self.new.append((done.column(ROW).to_numpy(), pa.concat_tables(kept)))

    # --- for OUTPUT ---

    def inserted(self) -> pa.Table:
        """Rows as they are now."""
        schema = self.table.arrow_schema
        parts = [pa.Table.from_arrays(rows.columns, schema=schema) for _, rows in self.new]
        return pa.concat_tables(parts) if parts else schema.empty_table()

    def deleted(self) -> pa.Table | None:
        """Rows as they were, if the query fetched them."""
        before = old_rows(self.table, self.rows)
        return None if before is None else before.take(pa.array(self._rows_of("UPDATE", "DELETE")))

    def merged(self) -> Merged:
        """What became of the rows, and which of them `inserted` and `deleted` are."""
        names = pa.array([w.action for w in self.whens])
        inserted = [numbers for numbers, _ in self.new]
        return Merged(
            pc.take(names, pa.array(self.clauses)),
            np.concatenate(inserted) if inserted else np.empty(0, np.int64),
            self._rows_of("UPDATE", "DELETE"),
        )
