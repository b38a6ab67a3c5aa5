"""Parts of statements that several statements share: definitions, assignments, OUTPUT."""

from __future__ import annotations

from dataclasses import dataclass

from hartonomous.hql.ast import (
    CommonTable,
    Expression,
    Identifier,
    Node,
    ObjectName,
    SelectItem,
    TypeName,
    Variable,
)


@dataclass(frozen=True, slots=True)
class Assignment(Node):
    """`column = value` of UPDATE and MERGE, or `@v = value` (variable is set, column empty).
    `a += 1` is read as `a = a + 1`."""

    column: tuple[Identifier, ...]
    value: Expression
    variable: str | None = None


@dataclass(frozen=True, slots=True)
class Output(Node):
    """OUTPUT inserted.a, deleted.* [INTO t | @t [(columns)]]."""

    items: tuple[SelectItem, ...]
    into: ObjectName | Variable | None = None
    columns: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Constraint(Node):
    """kind: PRIMARY KEY, UNIQUE, CHECK, FOREIGN KEY (REFERENCES beside a column too). `columns` is
    empty where the constraint stands beside its column. `on_delete`, `on_update`: None, NO ACTION,
    CASCADE, SET NULL, SET DEFAULT."""

    kind: str
    name: Identifier | None = None
    columns: tuple[Identifier, ...] = ()
    check: Expression | None = None
    references: ObjectName | None = None
    referenced: tuple[Identifier, ...] = ()
    on_delete: str | None = None
    on_update: str | None = None


@dataclass(frozen=True, slots=True)
class ColumnDefinition(Node):
    """A column of CREATE TABLE, ALTER TABLE … ADD and DECLARE … TABLE. `type` is None only for a
    computed column. `nullable` is None if nothing was said; identity is (seed, step)."""

    name: Identifier
    type: TypeName | None
    nullable: bool | None = None
    default: Expression | None = None
    default_name: Identifier | None = None
    identity: tuple[int, int] | None = None
    collation: str | None = None
    computed: Expression | None = None
    persisted: bool = False
    constraints: tuple[Constraint, ...] = ()


@dataclass(frozen=True, slots=True)
class ParameterDefinition(Node):
    """A parameter of CREATE PROCEDURE or FUNCTION: `@name type [= default] [OUTPUT]`."""

    name: str
    type: TypeName
    default: Expression | None = None
    output: bool = False


@dataclass(frozen=True, slots=True)
class With(Node):
    """Common tables in front of INSERT, UPDATE, DELETE or MERGE."""

    ctes: tuple[CommonTable, ...]
    recursive: bool = False
