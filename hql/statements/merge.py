"""MERGE INTO … USING … WHEN MATCHED …."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Identifier, Node, ObjectName, Relation, Span, Variable
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.parts import Assignment, Output, With
from hartonomous.hql.syntax.printer import commas, line, parens, values

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class MergeClause(Node):
    """match: MATCHED, NOT MATCHED, NOT MATCHED BY SOURCE; action: UPDATE, DELETE, INSERT (with
    `columns` and `values`; `values` empty is DEFAULT VALUES)."""

    match: str
    condition: Expression | None
    action: str
    assignments: tuple[Assignment, ...] = ()
    columns: tuple[Identifier, ...] = ()
    values: tuple[Expression, ...] = ()

    def __str__(self) -> str:
        rest = ""
        if self.action == "UPDATE":
            rest = f"SET {commas(self.assignments)}"
        elif self.action == "INSERT":
            given = f"VALUES ({values(self.values)})" if self.values else "DEFAULT VALUES"
            rest = line(parens(self.columns), given)
        condition = self.condition and f"AND {self.condition}"
        return line("WHEN", self.match, condition, "THEN", self.action, rest)


@frozen
class Merge(Statement):
    """MERGE INTO table USING source ON condition WHEN …"""

    table: ObjectName | Variable
    alias: Identifier | None
    source: Relation
    on: Expression
    clauses: tuple[MergeClause, ...]
    output: Output | None = None
    ctes: With | None = None
    title: ClassVar[str] = "MERGE"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        table, alias, source, on, *rest, output = children
        return cls(table, alias, source, on, tuple(rest), output, span=span)

    def __str__(self) -> str:
        return line(
            self.ctes,
            "MERGE INTO",
            self.table,
            self.alias and f"AS {self.alias}",
            "USING",
            self.source,
            "ON",
            self.on,
            *self.clauses,
            self.output,
        )

    def run(self, context: Context) -> Result:
        """Deletes, updates and inserts rows as the clauses say."""
        from hartonomous.hql.changes.merge import run_merge

        return run_merge(self, context)


def _clause(children: list[Any], span: Span) -> MergeClause:
    match, condition, (action, assignments, columns, values) = children
    return MergeClause(match, condition, action, assignments, columns, values, span=span)


def _update(children: list[Any], span: Span) -> tuple[Any, ...]:
    (assignments,) = children
    return "UPDATE", assignments, (), ()


def _delete(children: list[Any], span: Span) -> tuple[Any, ...]:
    return "DELETE", (), (), ()


def _insert(children: list[Any], span: Span) -> tuple[Any, ...]:
    columns, values = children
    return "INSERT", (), columns or (), values or ()


Merge.rules = {
    "merge_clause": _clause,
    "merge_update": _update,
    "merge_delete": _delete,
    "merge_insert": _insert,
    "matched_row": lambda children, span: "MATCHED",
    "not_matched": lambda children, span: "NOT MATCHED",
    "not_matched_by_source": lambda children, span: "NOT MATCHED BY SOURCE",
}
