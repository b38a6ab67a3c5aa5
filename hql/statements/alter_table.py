"""ALTER TABLE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hartonomous.hql.ast import Expression, Identifier, Node, ObjectName, Span, TypeName
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.parts import ColumnDefinition, Constraint
from hartonomous.hql.syntax.build_expressions import constant
from hartonomous.hql.syntax.printer import commas, line, value

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class Add(Node):
    """ADD column or constraint, …"""

    elements: tuple[ColumnDefinition | Constraint, ...]

    def __str__(self) -> str:
        return f"ADD {commas(self.elements)}"


@frozen
class Drop(Node):
    """DROP COLUMN | CONSTRAINT [IF EXISTS] name, …; kind: COLUMN, CONSTRAINT."""

    kind: str
    names: tuple[Identifier, ...]
    if_exists: bool = False

    def __str__(self) -> str:
        condition = "IF EXISTS" if self.if_exists else ""
        return line("DROP", self.kind, condition, commas(self.names))


@frozen
class AlterColumn(Node):
    """ALTER COLUMN name type [NULL | NOT NULL]."""

    name: Identifier
    type: TypeName
    nullable: bool | None = None

    def __str__(self) -> str:
        null = {None: "", True: "NULL", False: "NOT NULL"}[self.nullable]
        return line("ALTER COLUMN", self.name, self.type, null)


@frozen
class SetDefault(Node):
    """ALTER COLUMN name SET DEFAULT value, or DROP DEFAULT (value None)."""

    name: Identifier
    value: Expression | None

    def __str__(self) -> str:
        change = f"SET DEFAULT {value(self.value)}" if self.value else "DROP DEFAULT"
        return f"ALTER COLUMN {self.name} {change}"


@frozen
class Rename(Node):
    """RENAME COLUMN name TO new, or (name None) RENAME TO new."""

    name: Identifier | None
    new: Identifier

    def __str__(self) -> str:
        return line("RENAME", self.name and f"COLUMN {self.name}", "TO", self.new)


@frozen
class AlterTable(Statement):
    """ALTER TABLE t action"""

    table: ObjectName
    action: Add | Drop | AlterColumn | SetDefault | Rename
    title: ClassVar[str] = "ALTER TABLE"
    right: ClassVar[str] = ""

    def __str__(self) -> str:
        return f"ALTER TABLE {self.table} {self.action}"

    def run(self, context: Context) -> Result:
        """Changes the table's definition, and its rows where a new column has a value."""
        from hartonomous.hql.changes.alterations import run_alter_table

        return run_alter_table(self, context)


def _add(children: list[Any], span: Span) -> Add:
    return Add(tuple(children), span=span)


def _drop(kind: str) -> Any:
    def build(children: list[Any], span: Span) -> Drop:
        if_exists, *names = children
        return Drop(kind, tuple(names), bool(if_exists), span=span)

    return build


def _alter_column(children: list[Any], span: Span) -> AlterColumn:
    return AlterColumn(*children, span=span)


def _set_default(children: list[Any], span: Span) -> SetDefault:
    name, default = children if len(children) == 2 else (children[0], None)
    return SetDefault(name, default, span=span)


def _rename(children: list[Any], span: Span) -> Rename:
    name, new = children if len(children) == 2 else (None, children[0])
    return Rename(name, new, span=span)


AlterTable.rules = {
    "alter_add": _add,
    "alter_drop_column": _drop("COLUMN"),
    "alter_drop_constraint": _drop("CONSTRAINT"),
    "alter_column_type": _alter_column,
    "alter_column_default": _set_default,
    "alter_rename": _rename,
    "nullable": constant(True),
    "not_nullable": constant(False),
}
