"""Scopes: which columns a name can mean at a place of the text.

A scope is one SELECT block's FROM clause with a parent, the block around it. Names are looked up
from the innermost scope outwards; within one scope a name found twice is ambiguous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hartonomous.hql import ast, plan
from hartonomous.hql.bind.context import DEPTH_MAX, Statement, fault, nearest, too_deep
from hartonomous.hql.bind.conversions import fold_case
from hartonomous.storage.catalog import fold

#: binds one class of expression
Handler = Callable[[Any, "Scope"], plan.Expr]


class Visible:
    """One source of a FROM clause under the name by which the text may call it.

    `columns` maps folded names to fields; a name that the source has twice maps to None. `names`
    are the fields' names as shown (fields have unique names, shown names need not be).
    """

    __slots__ = ("alias", "columns", "fields", "hidden", "names", "relation", "schema")

    def __init__(
        self,
        source: plan.Source,
        *,
        schema: str | None = None,
        names: tuple[str, ...] | None = None,
        hidden: tuple[str, ...] = (),
    ) -> None:
        self.relation = source.relation
        self.alias = source.alias
        self.schema = schema
        self.fields = source.fields
        self.names = names or tuple([f.name for f in source.fields])
        self.hidden = hidden
        self.columns: dict[str, plan.Field | None] = {}
        columns = self.columns
        for name, field in zip(self.names, self.fields, strict=True):
            folded = fold(name)
            columns[folded] = None if folded in columns else field

    def column(self, field: plan.Field, span: ast.Span) -> plan.Column:
        return plan.Column(type=field.type, span=span, relation=self.relation, name=field.name)

    def value(self, field: plan.Field, span: ast.Span) -> plan.Expr:
        """The column as it compares."""
        column = self.column(field, span)
        return fold_case(column) if field.nocase else column

    def shown(self) -> Iterator[tuple[str, plan.Field]]:
        """The columns that `*` stands for, with the names they are shown under."""
        for name, field in zip(self.names, self.fields, strict=True):
            if field.name not in self.hidden:
                yield name, field


@dataclass(slots=True)
class CommonTable:
    """A common table that can be named here; `plan_fields` have unique names."""

    number: int
    name: str
    names: tuple[str, ...]
    fields: tuple[plan.Field, ...]


class Scope:
    """The names that can be used at a place, and what may be done there.

    `clause` is the clause being bound, for messages. `aggregates` counts the aggregates that
    belong to this block (also those written in a subquery over this block's columns only).
    """

    __slots__ = (
        "aggregates",
        "aliases",
        "beyond",
        "clause",
        "common_tables",
        "in_aggregate",
        "outputs",
        "parent",
        "sources",
        "statement",
        "windows_allowed",
    )

    def __init__(self, statement: Statement, parent: Scope | None = None) -> None:
        self.statement = statement
        self.parent = parent
        self.sources: list[Visible] = []
        self.common_tables: dict[str, CommonTable] = parent.common_tables if parent else {}
        self.clause = "SELECT"
        self.aggregates = 0
        self.in_aggregate: str | None = None
        self.windows_allowed = False
        #: sources of the FROM clause that an ON clause cannot see
        self.beyond: list[Visible] = []
        #: folded names given in the select list, for a hint where they cannot be used
        self.aliases: frozenset[str] = frozenset()
        #: outputs by folded name, usable in ORDER BY expressions; None elsewhere
        self.outputs: dict[str, plan.Expr] | None = None

    # --- binding -----------------------------------------------------------------------------

    def bind(self, node: ast.Expression) -> plan.Expr:
        """Bind an expression; raises BindFault, NotSupported, or RECURSION if it is too deep."""
        statement = self.statement
        if statement.depth >= DEPTH_MAX:
            raise too_deep(statement.span_of(node))
        statement.depth += 1
        try:
            return statement.handlers[node.__class__](node, self)
        finally:
            statement.depth -= 1

    def span(self, node: ast.Node) -> ast.Span:
        return self.statement.span_of(node)

    def tail(self, mark: int) -> Scope:
        """A scope over the sources from `mark` on: what an ON clause may see."""
        if mark == 0:
            return self
        scope = Scope(self.statement, self.parent)
        scope.sources = self.sources[mark:]
        scope.beyond = self.sources[:mark]
        scope.common_tables = self.common_tables
        scope.clause = self.clause
        return scope

    def add(self, visible: Visible, span: ast.Span) -> None:
        """A source more; AMBIGUOUS if its name is taken in this FROM clause."""
        folded = fold(visible.alias)
        if not folded:
            self.sources.append(visible)
            return
        for other in self.sources:
            if fold(other.alias) == folded and other.schema == visible.schema:
                raise fault(
                    span,
                    f'"{visible.alias}" is already the name of a table in this FROM clause',
                    "AMBIGUOUS",
                    "give one of them another name with AS",
                )
        self.sources.append(visible)

    # --- names -------------------------------------------------------------------------------

    def find_sources(self, parts: tuple[ast.Identifier, ...]) -> list[Visible]:
        """The sources of this scope that a qualifier (`t`, `s.t`) can mean."""
        alias = fold(parts[-1].text)
        found = [v for v in self.sources if fold(v.alias) == alias]
        if len(parts) > 1:
            schema = fold(parts[-2].text)
            found = [v for v in found if v.schema == schema]
        return found

    def find_column(self, parts: tuple[ast.Identifier, ...], span: ast.Span) -> plan.Expr | None:
        """The column that a name means here or further out; raises AMBIGUOUS."""
        name = fold(parts[-1].text)
        scope: Scope | None = self
        while scope is not None:
            found = scope._find_here(parts, name, span)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def _find_here(
        self, parts: tuple[ast.Identifier, ...], name: str, span: ast.Span
    ) -> plan.Expr | None:
        sources = self.sources if len(parts) == 1 else self.find_sources(parts[:-1])
        found: Visible | None = None
        for visible in sources:
            if name in visible.columns:
                if found is not None or visible.columns[name] is None:
                    raise self._ambiguous(parts, found, visible, span)
                found = visible
        if found is not None:
            field = found.columns[name]
            assert field is not None
            return found.value(field, span)
        if self.outputs is not None and len(parts) == 1:
            return self.outputs.get(name)
        return None

    def _ambiguous(
        self,
        parts: tuple[ast.Identifier, ...],
        first: Visible | None,
        second: Visible,
        span: ast.Span,
    ) -> Exception:
        name = parts[-1].text
        if first is None:
            message = f'"{second.alias}" has more than one column "{name}"'
            return fault(span, message, "AMBIGUOUS", "name its columns: AS t(a, b)")
        return fault(
            span,
            f'"{name}" is a column of both "{first.alias}" and "{second.alias}"',
            "AMBIGUOUS",
            f"write {first.alias}.{name} or {second.alias}.{name}",
        )

    def unknown_column(self, parts: tuple[ast.Identifier, ...], span: ast.Span) -> Exception:
        """The error for a name that means nothing here."""
        name = parts[-1].text
        if len(parts) > 1:
            owners = self._qualified(parts[:-1])
            if not owners:
                qualifier = ".".join(p.text for p in parts[:-1])
                known = (v.alias for s in self.chain() for v in s.sources)
                message = f'there is no table "{qualifier}" in FROM'
                hint = nearest(parts[-2].text, known)
                if any(fold(v.alias) == fold(parts[-2].text) for v in self.beyond):
                    message = f'"{qualifier}" stands outside of this join'
                    hint = "JOIN binds tighter than the comma: write CROSS JOIN instead of it"
                return fault(span, message, "UNKNOWN_TABLE", hint)
            hint = nearest(name, (n for v in owners for n, _ in v.shown()))
            message = f'"{owners[0].alias}" has no column "{name}"'
            return fault(span, message, "UNKNOWN_COLUMN", hint)
        if fold(name) in self.aliases:
            return fault(
                span,
                f'there is no column "{name}": the select list\'s names are not seen in '
                f"{self.clause}",
                "UNKNOWN_COLUMN",
                "repeat the expression, or select from a derived table",
            )
        if self.clause in ("TOP", "LIMIT", "OFFSET", "OPTION"):
            message = f'there is no column "{name}": {self.clause} sees no columns'
            return fault(span, message, "UNKNOWN_COLUMN", "use a constant or a variable")
        known = (n for s in self.chain() for v in s.sources for n, _ in v.shown())
        return fault(span, f'there is no column "{name}"', "UNKNOWN_COLUMN", nearest(name, known))

    def _qualified(self, qualifier: tuple[ast.Identifier, ...]) -> list[Visible]:
        for scope in self.chain():
            if found := scope.find_sources(qualifier):
                return found
        return []

    def chain(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent
