"""Parts of statements that several statements share: definitions, assignments, OUTPUT, WITH."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hartonomous.hql import ast
from hartonomous.hql.ast import (
    CommonTable,
    Expression,
    Identifier,
    Node,
    ObjectName,
    SelectItem,
    Span,
    TypeName,
    Variable,
)
from hartonomous.hql.frozen import frozen
from hartonomous.hql.syntax.build_expressions import Builder, as_tuple, constant, only
from hartonomous.hql.syntax.build_queries import changed
from hartonomous.hql.syntax.printer import commas, common_tables, line, parens, quote, value


@frozen
class Assignment(Node):
    """`column = value` of UPDATE and MERGE, or `@v = value` (variable is set, column empty).
    `a += 1` is read as `a = a + 1`."""

    column: tuple[Identifier, ...]
    value: Expression
    variable: str | None = None

    def __str__(self) -> str:
        target = ".".join(map(str, self.column)) or f"@{self.variable}"
        return f"{target} = {value(self.value)}"


@frozen
class Output(Node):
    """OUTPUT inserted.a, deleted.* [INTO t | @t [(columns)]]."""

    items: tuple[SelectItem, ...]
    into: ObjectName | Variable | None = None
    columns: tuple[Identifier, ...] = ()

    def __str__(self) -> str:
        into = self.into and f"INTO {line(self.into, parens(self.columns))}"
        return line("OUTPUT", commas(self.items), into)


@frozen
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

    def __str__(self) -> str:
        reference = ""
        if self.references:
            reference = line(
                "REFERENCES",
                self.references,
                parens(self.referenced),
                self.on_delete and f"ON DELETE {self.on_delete}",
                self.on_update and f"ON UPDATE {self.on_update}",
            )
        is_beside_column = self.references is not None and not self.columns
        return line(
            self.name and f"CONSTRAINT {self.name}",
            "" if is_beside_column else self.kind,
            parens(self.columns),
            self.check and f"({self.check})",
            reference,
        )


@frozen
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

    def __str__(self) -> str:
        default = self.default and line(
            self.default_name and f"CONSTRAINT {self.default_name}",
            f"DEFAULT {value(self.default)}",
        )
        return line(
            self.name,
            self.type,
            self.computed and f"AS ({self.computed})",
            "PERSISTED" if self.persisted else "",
            self.collation and f"COLLATE {quote(self.collation)}",
            self.identity and "IDENTITY({}, {})".format(*self.identity),
            {None: "", True: "NULL", False: "NOT NULL"}[self.nullable],
            default,
            *self.constraints,
        )


@frozen
class ParameterDefinition(Node):
    """A parameter of CREATE PROCEDURE or FUNCTION: `@name type [= default] [OUTPUT]`."""

    name: str
    type: TypeName
    default: Expression | None = None
    output: bool = False

    def __str__(self) -> str:
        return line(
            f"@{self.name}",
            self.type,
            self.default and f"= {value(self.default)}",
            "OUTPUT" if self.output else "",
        )


@frozen
class With(Node):
    """Common tables in front of INSERT, UPDATE, DELETE or MERGE."""

    ctes: tuple[CommonTable, ...]
    recursive: bool = False

    def __str__(self) -> str:
        return common_tables(self.ctes, self.recursive)


def settings(options: tuple[ast.Option, ...]) -> str:
    """`WITH (NAME = value, FLAG)`, or nothing for no options."""
    parts = (
        option.name if option.value is None else f"{option.name} = {_setting_value(option.value)}"
        for option in options
    )
    return line("WITH", f"({', '.join(parts)})") if options else ""


def _setting_value(given: Expression | Identifier) -> str:
    if isinstance(given, Identifier):
        return given.text  # the word ON
    return value(given)


def user_settings(options: tuple[ast.Option, ...]) -> str:
    """`WITH NAME = value, FLAG`, as users and tokens have them, or nothing for no options."""
    return line("WITH", settings(options)[len("WITH (") : -1]) if options else ""


#: kinds of things that rights are given on
SECURABLES = ("DATABASE", "SCHEMA", "TABLE", "VIEW", "MODEL", "PROCEDURE", "FUNCTION")


@frozen
class Securable(Node):
    """ON kind name; `kind` is empty where only a name was said, `name` None for the database."""

    kind: str
    name: Identifier | ObjectName | None = None

    def __str__(self) -> str:
        return line("ON", self.kind, self.name)


def securable(kind: str) -> Builder:
    """Builder of a Securable of that kind."""
    return lambda children, span: Securable(kind, *children, span=span)


def as_body(body: Any) -> tuple[Any, ...]:
    """A procedure's body: the statements themselves, or its one block."""
    return body if isinstance(body, tuple) else (body,)


# --- builders ------------------------------------------------------------------------------------


def _assignment(children: list[Any], span: Span) -> Assignment:
    *column, new = children
    return Assignment(tuple(column), new, span=span)


def _reassignment(children: list[Any], span: Span) -> Assignment:
    *parts, op, new = children
    column = tuple(parts)
    place = Span(span.line, span.column, span.start, parts[-1].span.end)
    old = ast.ColumnName(column, span=place)
    return Assignment(column, changed(old, op, new, span), span=span)


def _variable_assignment(children: list[Any], span: Span) -> Assignment:
    variable, new = children
    return Assignment((), new, variable.name, span=span)


def _variable_reassignment(children: list[Any], span: Span) -> Assignment:
    variable, op, new = children
    return Assignment((), changed(variable, op, new, span), variable.name, span=span)


def _output(children: list[Any], span: Span) -> Output:
    items, into, columns = children
    return Output(items, into, columns or (), span=span)


def _with_change(children: list[Any], span: Span) -> Any:
    (ctes, recursive), statement = children
    place = Span(span.line, span.column, span.start, statement.span.start)
    return replace(statement, ctes=With(ctes, recursive, span=place), span=span)


def _parameter(children: list[Any], span: Span) -> ParameterDefinition:
    variable, type_, default, output = children
    return ParameterDefinition(variable.name, type_, default, output is not None, span=span)


def _elements(children: list[Any], span: Span) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    columns = tuple(c for c in children if isinstance(c, ColumnDefinition))
    return columns, tuple(c for c in children if isinstance(c, Constraint))


#: what one option of a column says: fields of ColumnDefinition, or a constraint
_Option = dict[str, Any] | Constraint


def _column(children: list[Any], span: Span) -> ColumnDefinition:
    name, type_, collation, *options = children
    fields = _column_fields(options)
    collate = collation and collation.text
    return ColumnDefinition(name, type_, collation=collate, **fields, span=span)


def _computed_column(children: list[Any], span: Span) -> ColumnDefinition:
    name, computed, persisted, *options = children
    fields = _column_fields(options)
    is_persisted = persisted is not None
    return ColumnDefinition(
        name, None, computed=computed, persisted=is_persisted, **fields, span=span
    )


def _column_fields(options: list[_Option]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for option in options:
        if isinstance(option, dict):
            fields |= option
    constraints = tuple(o for o in options if isinstance(o, Constraint))
    return {**fields, "constraints": constraints}


def _default(children: list[Any], span: Span) -> _Option:
    name, default = children
    return {"default": default, "default_name": name}


def _identity(children: list[Any], span: Span) -> _Option:
    seed, step = children
    return {"identity": (1, 1) if seed is None else (seed, step)}


def _integer(children: list[Any], span: Span) -> int:
    sign, number = children
    return int(number.value) if sign is None else -int(number.value)


def _key(kind: str) -> Builder:
    def build(children: list[Any], span: Span) -> Constraint:
        name, *columns = children
        return Constraint(kind, name, columns[0] if columns else (), span=span)

    return build


def _check(children: list[Any], span: Span) -> Constraint:
    name, condition = children
    return Constraint("CHECK", name, check=condition, span=span)


def _foreign_key(children: list[Any], span: Span) -> Constraint:
    name, *columns, references = children
    own = columns[0] if columns else ()
    return Constraint("FOREIGN KEY", name, own, None, **references, span=span)


def _references(children: list[Any], span: Span) -> dict[str, Any]:
    table, columns, *actions = children
    return {"references": table, "referenced": columns or (), **dict(actions)}


def _setting(children: list[Any], span: Span) -> ast.Option:
    name, *given = children
    chosen: Expression | Identifier | None = given[0] if given else None
    if chosen is not None and not isinstance(chosen, Expression):
        chosen = Identifier("ON", span=span)  # the only word here that is no expression
    return ast.Option(name.text.upper(), chosen, span=span)


BUILDERS: dict[str, Builder] = {
    "if_exists": constant(True),
    "if_not_exists": constant(True),
    "mode_create": constant("CREATE"),
    "mode_create_or_alter": constant("CREATE OR ALTER"),
    "mode_alter": constant("ALTER"),
    "settings": as_tuple,
    "setting": _setting,
    "assignments": as_tuple,
    "assignment": _assignment,
    "reassignment": _reassignment,
    "variable_assignment": _variable_assignment,
    "variable_reassignment": _variable_reassignment,
    "output": _output,
    "with_change": _with_change,
    "parameters": as_tuple,
    "parameter": _parameter,
    "table_elements": _elements,
    "column_definition": _column,
    "computed_column": _computed_column,
    "option_not_null": constant({"nullable": False}),
    "option_null": constant({"nullable": True}),
    "constraint_name": only,
    "option_default": _default,
    "option_identity": _identity,
    "option_primary_key": _key("PRIMARY KEY"),
    "option_unique": _key("UNIQUE"),
    "option_check": _check,
    "option_references": _foreign_key,
    "integer": _integer,
    "table_primary_key": _key("PRIMARY KEY"),
    "table_unique": _key("UNIQUE"),
    "table_check": _check,
    "table_foreign_key": _foreign_key,
    "key_columns": as_tuple,
    "references": _references,
    "on_delete": lambda children, span: ("on_delete", children[0]),
    "on_update": lambda children, span: ("on_update", children[0]),
    "no_action": constant("NO ACTION"),
    "cascade": constant("CASCADE"),
    "set_null": constant("SET NULL"),
    "set_default": constant("SET DEFAULT"),
    "body": as_tuple,
    "rest": as_tuple,
    "batch": as_tuple,
}
