"""CREATE TABLE: from definitions in the text to a catalog entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hartonomous.hql import ast
from hartonomous.hql.bind.context import nearest
from hartonomous.hql.changes.new_names import check_new_name, check_word
from hartonomous.hql.changes.targets import (
    find_own_entry,
    place,
    split_name,
)
from hartonomous.hql.errors import BindFault
from hartonomous.hql.plan import Field, schema_of
from hartonomous.hql.result import Result
from hartonomous.hql.scripts.temporary import take_name
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import BITS, Type, make_type
from hartonomous.storage.catalog import (
    CheckEntry,
    ColumnEntry,
    ForeignKeyEntry,
    KeyEntry,
    TableEntry,
    fold,
)
from hartonomous.storage.errors import AlreadyExists, Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.plan import BoundQuery
    from hartonomous.hql.statements import parts
    from hartonomous.hql.statements.create_table import CreateTable

COLUMNS_MAX = 1_024


def run_create_table(statement: CreateTable, context: Context) -> Result:
    """Makes the entry, binds its expressions, and adds it to the catalog."""
    check_new_name(context, statement.table)
    if find_own_entry(context, statement.table) is not None:
        if statement.if_not_exists:
            return Result()
        raise place(AlreadyExists(f'"{statement.table}" already exists'), statement.table)
    entry = Definition(context, statement.table).table(statement.columns, statement.constraints)
    create_table(context, entry)
    return Result()


def create_table(context: Context, entry: TableEntry) -> TableEntry:
    """Adds a table; a temporary one is the session's own, or the routine's that makes it."""
    if entry.temporary:
        name = take_name(context.frame, context.catalog, entry.name)
        entry = entry if name == entry.name else replace(entry, name=name)
    elif context.transaction.definer:
        entry = replace(entry, definer=context.transaction.definer)
    created = context.transaction.create(entry)
    assert isinstance(created, TableEntry)
    return created


def define_plain(statement: CreateTable) -> TableEntry:
    """The entry, with id 0, of a definition without anything that has to be bound."""
    for column in statement.columns:
        assert column.default is None and column.computed is None, column
    assert not any(c.kind == "CHECK" for c in statement.constraints), statement
    nothing_to_bind: Any = None
    definition = Definition(nothing_to_bind, statement.table)
    return definition.table(statement.columns, statement.constraints)


@dataclass(slots=True)
class Definition:
    """A table while its parts are read."""

    context: Context
    name: ast.ObjectName
    columns: list[ColumnEntry] = field(default_factory=list)
    keys: list[KeyEntry] = field(default_factory=list)
    checks: list[CheckEntry] = field(default_factory=list)
    foreign_keys: list[ForeignKeyEntry] = field(default_factory=list)
    spans: dict[str, ast.Node] = field(default_factory=dict)
    next_id: int = 1

    def table(
        self,
        definitions: Sequence[parts.ColumnDefinition],
        constraints: Sequence[parts.Constraint] = (),
    ) -> TableEntry:
        """The entry, with id 0. Raises BindFault, NotSupported."""
        if not definitions:
            raise place(BindFault("a table has at least one column"), self.name)
        if len(definitions) > COLUMNS_MAX:
            raise place(BindFault(f"a table has at most {COLUMNS_MAX} columns"), self.name)
        for definition in definitions:
            self._add_column(definition)
        self._bind_computed(definitions)
        self.add_constraints(definitions, constraints)
        return self._entry()

    def add_constraints(
        self,
        definitions: Sequence[parts.ColumnDefinition],
        constraints: Sequence[parts.Constraint],
    ) -> None:
        """Those beside columns, then the others; foreign keys last, as they may name a key of the
        table itself."""
        given: list[tuple[parts.Constraint, tuple[ast.Identifier, ...]]] = []
        given += [(c, (d.name,)) for d in definitions for c in d.constraints]
        given += [(c, c.columns) for c in constraints]
        for constraint, columns in sorted(given, key=lambda g: g[0].kind == "FOREIGN KEY"):
            self._add_constraint(constraint, columns)
        self._bind_checks()

    def add_columns(self, definitions: Sequence[parts.ColumnDefinition]) -> list[ColumnEntry]:
        """Columns after those that are there, without constraints."""
        first = len(self.columns)
        if first + len(definitions) > COLUMNS_MAX:
            raise place(BindFault(f"a table has at most {COLUMNS_MAX} columns"), self.name)
        for definition in definitions:
            self._add_column(definition)
        self._bind_computed(definitions, first)
        return self.columns[first:]

    def _entry(self) -> TableEntry:
        schema, last = split_name(self.name)
        return TableEntry(
            0,
            schema,
            last,
            tuple(self.columns),
            tuple(self.keys),
            tuple(self.checks),
            self.next_id,
            temporary=last.startswith("#"),
            foreign_keys=tuple(self.foreign_keys),
        )

    def take_id(self) -> int:
        """The next column or key id."""
        self.next_id += 1
        return self.next_id - 1

    # --- columns ---

    def _add_column(self, definition: parts.ColumnDefinition) -> None:
        name = definition.name.text
        check_word(definition.name)
        if any(fold(c.name) == fold(name) for c in self.columns):
            message = f'the table has two columns "{name}"'
            raise place(BindFault(message, code="AMBIGUOUS"), definition.name)
        type_ = _type_of(definition)
        is_key = any(c.kind == "PRIMARY KEY" for c in definition.constraints)
        required = definition.nullable is False or is_key or definition.identity is not None
        if definition.identity is not None:
            _check_identity(definition, type_, self.columns)
        self.spans[fold(name)] = definition
        self.columns.append(
            ColumnEntry(
                id=self.take_id(),
                name=name,
                type=str(type_),
                arrow=type_.arrow,
                nullable=not required,
                default=self.default_text(definition, type_),
                identity=definition.identity,
                computed=None if definition.computed is None else str(definition.computed),
                persisted=definition.persisted,
                collation=_collation(definition, type_),
            )
        )

    def default_text(self, definition: parts.ColumnDefinition, type_: Type) -> str | None:
        """The default's text, if there is one, after it was bound and computed once: a default that
        can never be stored is found here, with its place in the text."""
        default = definition.default
        if default is None:
            return None
        if definition.identity is not None:
            raise place(BindFault("an IDENTITY column has no DEFAULT"), default)
        if trees.is_null(default):
            return None
        value = trees.cast(default, type_)
        self._bind(value, "a DEFAULT", ())
        values = self.context.table(trees.select([trees.item(value, "value")]))
        if type_.a is not None and type_.kind in ("NVARCHAR", "VARBINARY"):
            from hartonomous.hql.changes.completion import check_length

            try:
                check_length(values.column(0), f'column "{definition.name.text}"', type_)
            except Error as error:
                raise place(error, default) from None
        return str(default)

    def _bind_computed(self, definitions: Sequence[parts.ColumnDefinition], first: int = 0) -> None:
        """Types of computed columns, from their expressions over the other columns."""
        plain = tuple(
            Field(c.name, make(c.type), c.collation is not None)
            for c in self.columns
            if c.computed is None
        )
        for i, definition in enumerate(definitions, first):
            if definition.computed is None:
                continue
            value = definition.computed
            if definition.type is not None:
                value = trees.cast(value, _type_of(definition))
            bound = self._bind(value, "a computed column", plain)
            if bound.volatile and definition.persisted:
                raise place(
                    BindFault("a PERSISTED column's value may depend on its row only"), value
                )
            type_ = bound.plan.fields[0].type
            if type_.kind == "NULL":
                raise place(BindFault("a computed column that is always NULL has no type"), value)
            self.columns[i] = replace(self.columns[i], type=str(type_), arrow=type_.arrow)

    def _bind(self, value: ast.Expression, what: str, columns: tuple[Field, ...]) -> BoundQuery:
        """Binds an expression that is to be kept over rows of `columns`. It is kept as text and
        stands for single rows, so that it can hold neither queries, aggregates nor parameters."""
        for node in trees.walk(value):
            if isinstance(node, ast.Query):
                raise place(BindFault(f"{what} cannot hold a query"), node)
            if isinstance(node, (ast.Variable, ast.Placeholder)):
                raise place(BindFault(f"{what} has no parameters or variables"), node)
        source: ast.Relation | None = None
        tables = {}
        if columns:
            source = trees.rows("__rows", self.name.last)
            tables["__rows"] = (columns, schema_of(columns).empty_table())
        item = trees.item(value, "value")
        condition = ast.IsNull(value, False, span=value.span)
        self.context.bind(trees.select([item], source, condition), tables=tables)
        return self.context.bind(trees.select([item], source), tables=tables)

    # --- constraints ---

    def _add_constraint(
        self, constraint: parts.Constraint, columns: Sequence[ast.Identifier]
    ) -> None:
        if constraint.kind == "FOREIGN KEY":
            from hartonomous.hql.changes.foreign_keys import define_foreign_key

            self.foreign_keys.append(define_foreign_key(self, constraint, columns))
            return
        if constraint.kind == "CHECK":
            assert constraint.check is not None
            name = self.constraint_name(constraint, f"CK_{self.name.last}_{len(self.checks) + 1}")
            self.checks.append(CheckEntry(name, str(constraint.check)))
            self.spans[f"check {name}"] = constraint.check
            return
        self._add_key(constraint, columns)

    def _add_key(self, constraint: parts.Constraint, columns: Sequence[ast.Identifier]) -> None:
        is_primary = constraint.kind == "PRIMARY KEY"
        if is_primary and any(k.kind == "PRIMARY KEY" for k in self.keys):
            raise place(BindFault("a table has one PRIMARY KEY"), constraint)
        ids = key_columns(self.columns, columns, self.name.last)
        prefix = "PK" if is_primary else "UQ"
        shown = "" if is_primary else "_" + "_".join(c.text for c in columns)
        name = self.constraint_name(constraint, f"{prefix}_{self.name.last}{shown}")
        self.keys.append(KeyEntry(self.take_id(), name, ids, constraint.kind))
        if is_primary:
            self.columns = [replace(c, nullable=False) if c.id in ids else c for c in self.columns]

    def constraint_name(self, constraint: parts.Constraint, otherwise: str) -> str:
        """The name that is given, or one like `otherwise` that no other constraint has."""
        taken = {fold(k.name) for k in self.keys} | {fold(c.name) for c in self.checks}
        taken |= {fold(f.name) for f in self.foreign_keys}
        if constraint.name is not None:
            if fold(constraint.name.text) in taken:
                message = f'the table has two constraints "{constraint.name.text}"'
                raise place(AlreadyExists(message), constraint)
            return constraint.name.text
        name, number = otherwise, 2
        while fold(name) in taken:
            name, number = f"{otherwise}_{number}", number + 1
        return name

    def _bind_checks(self) -> None:
        """A CHECK that does not bind is an error now, not at the first INSERT."""
        fields = tuple(Field(c.name, make(c.type), c.collation is not None) for c in self.columns)
        for check in self.checks:
            predicate = self.spans.get(f"check {check.name}")
            if predicate is None:
                continue  # it was there before
            assert isinstance(predicate, ast.Expression)
            case = ast.Case(
                None, ((predicate, ast.Literal(1, "INTEGER")),), None, span=predicate.span
            )
            self._bind(case, "a CHECK", fields)


def make(text: str) -> Type:
    """A type from its canonical text."""
    from hartonomous.hql.types import parse_type

    return parse_type(text)


def _collation(definition: parts.ColumnDefinition, type_: Type) -> str | None:
    """NOCASE, or None: by code point."""
    name = definition.collation
    if name is None or fold(name) in ("binary", "case"):
        return None
    if fold(name) != "nocase":
        message = f'there is no collation "{name}"'
        raise place(BindFault(message, hint="collations: NOCASE, BINARY"), definition)
    if not type_.is_string:
        message = f"COLLATE is for strings, and this is {type_}"
        raise place(BindFault(message, code="TYPE_MISMATCH"), definition)
    return "NOCASE"


def _type_of(definition: parts.ColumnDefinition) -> Type:
    if definition.type is None:
        return Type("INT")  # of a computed column, until its expression is bound
    try:
        return make_type(definition.type.name, *definition.type.arguments)
    except Error as error:
        raise place(error, definition.type) from None


def _check_identity(
    definition: parts.ColumnDefinition, type_: Type, columns: Iterable[ColumnEntry]
) -> None:
    if not type_.is_integer:
        message = f"an IDENTITY column is of an integer type, not {type_}"
        raise place(BindFault(message, code="TYPE_MISMATCH"), definition)
    if definition.identity is not None and definition.identity[1] == 0:
        raise place(BindFault("the step of IDENTITY may not be 0"), definition)
    bound = 1 << (BITS[type_.kind] - 1)
    if any(not -bound <= n < bound for n in definition.identity or ()):
        message = f"the start and the step of IDENTITY must be values of {type_}"
        raise place(BindFault(message), definition)
    if any(c.identity is not None for c in columns):
        raise place(BindFault("a table has one IDENTITY column"), definition)


def key_columns(
    columns: Sequence[ColumnEntry], names: Sequence[ast.Identifier], table: str
) -> tuple[int, ...]:
    """The ids of a key's columns. Raises UNKNOWN_COLUMN, TYPE_MISMATCH, BIND."""
    ids: list[int] = []
    by_name = {fold(c.name): c for c in columns}
    for name in names:
        column = by_name.get(fold(name.text))
        if column is None:
            message = f'"{table}" has no column "{name.text}"'
            hint = nearest(name.text, [c.name for c in columns])
            raise place(BindFault(message, code="UNKNOWN_COLUMN", hint=hint), name)
        if make(column.type).is_wide:
            message = f'a key cannot hold "{column.name}", which is {column.type}'
            raise place(BindFault(message, code="TYPE_MISMATCH"), name)
        if column.computed is not None and not column.persisted:
            message = f'a key cannot hold "{column.name}", which is computed and not PERSISTED'
            raise place(BindFault(message), name)
        if column.id in ids:
            raise place(BindFault(f'the key has "{column.name}" twice', code="AMBIGUOUS"), name)
        ids.append(column.id)
    return tuple(ids)
