"""Names in FROM: common tables, #temp tables, stored tables, views, system tables, `@t`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from hartonomous.hql import ast, plan
from hartonomous.hql.bind.columns import derive, show, unique_fields
from hartonomous.hql.bind.context import VIEW_DEPTH_MAX, BindContext, fault, nearest, not_supported
from hartonomous.hql.bind.conversions import cast, unfold
from hartonomous.hql.bind.moments import as_of
from hartonomous.hql.bind.routines import describe_use
from hartonomous.hql.bind.scope import Scope, Visible
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.models.relations.tables import (
    ATOM_FIELDS,
    ATOMS,
    COEFFICIENT_FIELDS,
    NAMES,
    find_relation,
    scanned_atoms,
)
from hartonomous.hql.system_schema import definition_of, find_stored
from hartonomous.hql.types import BIGINT, Type, parse_type
from hartonomous.storage.catalog import TableEntry, ViewEntry, fold
from hartonomous.storage.errors import Error

#: the hidden column that UPDATE and DELETE find rows by
ADDRESS = "__address"


def bind_table_name(node: ast.TableName, scope: Scope) -> plan.Source:
    """A name in FROM: a common table, else #temp, else a stored table or view, else a system
    table. UNKNOWN_TABLE with the nearest name."""
    span, parts = scope.span(node), node.name.parts
    if node.as_of is not None:
        with as_of(node, node.as_of, scope):
            return bind_table_name(replace(node, as_of=None), scope)
    if len(parts) > 2:
        raise not_supported(span, f"names of {len(parts)} parts")
    name = node.name.last
    if len(parts) == 1:
        known = scope.common_tables.get(fold(name))
        if known is not None:
            alias = node.alias.text if node.alias else known.name
            source = plan.CteReference(
                relation=scope.statement.next_relation(),
                alias=alias,
                fields=known.fields,
                cte=known.number,
            )
            show(source, known.names, node, scope)
            return source
    context = scope.statement.context
    schema = parts[0].text if len(parts) == 2 else context.schema
    relation = find_relation(schema, name)
    if relation is not None:
        return _bind_relation(relation, node, scope)
    entry = _find_entry(context, schema, name)
    if isinstance(entry, TableEntry):
        _check_rights(entry, context, span)
        scope.statement.tables[f"{entry.schema}.{entry.name}"] = None
        return _bind_stored(entry, node, scope, _shown(entry, node), fold(entry.schema))
    if isinstance(entry, ViewEntry):
        return _bind_view(entry, node, scope)
    system = system_table_name(node.name, context.system_tables)
    if system is not None:
        return _bind_system(system, node, scope)
    raise _unknown_table(node, scope)


def _find_entry(context: BindContext, schema: str, name: str) -> object | None:
    if name.startswith("#") and context.temporary is not None:
        return context.temporary(name)
    found = context.catalog.find(schema, name)
    if found is None and (stored := find_stored(schema, name)) is not None:
        return context.catalog.find(schema, stored.name)  # it was named in the singular
    return found


def _check_rights(entry: TableEntry | ViewEntry, context: BindContext, span: ast.Span) -> None:
    """PERMISSION if it may not be read here."""
    if context.rights is not None:
        from hartonomous.hql.security.checking import allow

        allow(context.rights, context.catalog, entry, ("SELECT",), span)


def _unknown_table(node: ast.TableName, scope: Scope) -> Exception:
    context, name = scope.statement.context, node.name.last
    full = ".".join(p.text for p in node.name.parts)

    def known() -> Iterator[str]:
        yield from (t.name for t in scope.common_tables.values())
        yield from (e.name for e in context.catalog.entries.values() if e.kind in ("table", "view"))
        yield from context.system_tables
        yield from NAMES

    hint = describe_use(node.name, scope) or nearest(full, known()) or nearest(name, known())
    if hint is None and fold(name) in context.table_parameters:
        hint = f"the parameter is written @{name}"
    return fault(scope.span(node), f'there is no table or view "{full}"', "UNKNOWN_TABLE", hint)


# --- stored tables -------------------------------------------------------------------------------


#: fields by table entry: entries are immutable, and comparing them would take longer than this
_FIELDS: dict[int, tuple[TableEntry, tuple[plan.Field, ...]]] = {}
_FIELDS_MAX = 512


def fields_of(entry: TableEntry) -> tuple[plan.Field, ...]:
    """The columns of a table that have data, with their HQL types."""
    kept = _FIELDS.get(id(entry))
    if kept is not None and kept[0] is entry:
        return kept[1]
    fields = tuple(
        [plan.Field(c.name, column_type(c.type), c.collation is not None) for c in entry.stored]
    )
    system = definition_of(entry)
    if system is not None:
        fields = tuple([replace(f, type=system.type_of(f.type)) for f in fields])
    if len(_FIELDS) >= _FIELDS_MAX:
        _FIELDS.clear()
    _FIELDS[id(entry)] = entry, fields
    return fields


@lru_cache(1024)
def column_type(text: str) -> Type:
    """The type that a column entry names."""
    return parse_type(text)


def _bind_stored(
    entry: TableEntry,
    node: ast.TableName | ast.VariableTable,
    scope: Scope,
    alias: str,
    schema: str | None,
) -> plan.Source:
    """The scan of a table. Its columns are qualified with `alias`, without one of the text's also
    with `schema`."""
    statement = scope.statement
    fields = fields_of(entry)
    hidden = statement.context.hidden
    scan = plan.Scan(
        relation=statement.next_relation(),
        alias=alias,
        fields=fields,
        table=entry,
        address=hidden,
        moment=statement.moment,
    )
    if len(fields) != len(entry.columns):
        return _with_computed(scan, node, scope, schema)
    visible = show(scan, [f.name for f in fields], node, scope, schema)
    if hidden:
        visible.columns[ADDRESS] = plan.Field(ADDRESS, BIGINT)
    return scan


def _shown(entry: TableEntry, node: ast.TableName) -> str:
    """What the columns' names are qualified with: the alias, the table's name as first written, or
    the singular that a system table was called by."""
    if node.alias is not None:
        return node.alias.text
    return entry.name if fold(entry.name) == fold(node.name.last) else node.name.last


def _with_computed(
    scan: plan.Scan, node: ast.TableName | ast.VariableTable, scope: Scope, schema: str | None
) -> plan.Source:
    """A table with computed columns that have no data: a query around its scan. (Putting the
    expressions in place would be wrong where an outer join makes the columns NULL.)"""
    statement = scope.statement
    inner = Scope(statement)
    visible = Visible(scan)
    inner.sources.append(visible)
    inner.clause = "a computed column"
    entry = scan.table
    before, statement.span = statement.span, scope.span(node)
    outputs: list[plan.Output] = []
    folded: list[bool] = []
    try:
        for column in entry.columns:
            if column.computed is None or column.persisted:
                field = visible.columns[fold(column.name)]
                assert field is not None
                expr: plan.Expr = visible.column(field, scope.span(node))
            else:
                tree = parse_expression(column.computed, statement.context)
                expr = cast(unfold(inner.bind(tree)), column_type(column.type))
            outputs.append(plan.Output(column.name, expr))
            folded.append(column.collation is not None)
        if scan.address:
            outputs.append(
                plan.Output(ADDRESS, plan.Column(type=BIGINT, relation=scan.relation, name=ADDRESS))
            )
            folded.append(False)
    finally:
        statement.span = before
    query = plan.Plan(
        fields=tuple(
            [plan.Field(o.name, o.expr.type, f) for o, f in zip(outputs, folded, strict=True)]
        ),
        body=plan.SelectBlock(outputs=tuple(outputs), source=scan),
    )
    source = derive(query, statement, scan.alias)
    if scan.address:
        # not one of the columns that `*` and a list of column names count
        public = plan.Derived(
            relation=source.relation, alias=source.alias, fields=source.fields[:-1], plan=query
        )
        shown = show(public, [f.name for f in public.fields], node, scope, schema)
        shown.columns[ADDRESS] = source.fields[-1]
        return source
    show(source, [f.name for f in source.fields], node, scope, schema)
    return source


def parse_expression(text: str, context: BindContext) -> ast.Expression:
    """The tree of an expression that the catalog keeps as text."""
    assert context.parse_view is not None, "the catalog has HQL text, and no parser was given"
    body = context.parse_view(f"SELECT {text}").body
    assert isinstance(body, ast.Select) and len(body.items) == 1, text
    return body.items[0].expression


# --- views ---------------------------------------------------------------------------------------


def _bind_view(entry: ViewEntry, node: ast.TableName, scope: Scope) -> plan.Source:
    """The view's query, bound as if it stood here in parentheses, but seeing only the catalog.
    Its places in the text are the place of the view's name."""
    statement, span = scope.statement, scope.span(node)
    name = f"{entry.schema}.{entry.name}"
    if fold(name) in statement.views or len(statement.views) >= VIEW_DEPTH_MAX:
        raise ExecutionFault(
            f'the view "{name}" stands on itself: {" → ".join([*statement.views, fold(name)])}'
            if fold(name) in statement.views
            else f"views stand on views more than {VIEW_DEPTH_MAX} deep",
            code="RECURSION",
            line=span.line,
            column=span.column,
        )
    parse = statement.context.parse_view
    assert parse is not None, "a view, and no parser was given"
    views, before = statement.views, statement.span
    context = statement.context
    _check_rights(entry, context, span)
    statement.views, statement.span = (*views, fold(name)), span
    statement.tables[name] = None
    if context.accounts is not None:
        from hartonomous.hql.security.checking import as_definer

        statement.context = as_definer(context, entry.definer)
    try:
        query = statement.bind_query(parse(entry.text), Scope(statement))
    except Error as error:
        if not error.message.startswith("in view "):
            error.message = f'in view "{name}": {error.message}'
            error.args = (error.message,)
        error.line, error.column = span.line, span.column
        raise
    finally:
        statement.views, statement.span, statement.context = views, before, context
    source = derive(query, statement, node.alias.text if node.alias else entry.name)
    names = entry.columns or tuple([f.name for f in query.fields])
    if len(names) != len(query.fields):
        raise fault(
            span,
            f'the view "{name}" names {len(names)} columns, and its query now has '
            f"{len(query.fields)}",
            "BIND",
            "create the view again",
        )
    show(source, names, node, scope, fold(entry.schema))
    return source


# --- system tables and parameters ----------------------------------------------------------------


def system_table_name(
    name: ast.ObjectName, known: Mapping[str, tuple[plan.Field, ...]]
) -> str | None:
    """The key under which a system table is known: `sys.tables`, `commits`, also written
    `dbo.Commits`, and in the singular."""
    parts = [fold(p.text) for p in name.parts]
    if len(parts) == 2 and parts[0] == "dbo":
        parts = parts[1:]
    text = ".".join(parts)
    candidates = [text, text + "s", text + "es", text[:-1] + "ies", text[:-2] + "es"]
    return next((c for c in candidates if c in known), None)


def _bind_system(key: str, node: ast.TableName, scope: Scope) -> plan.Source:
    statement = scope.statement
    if statement.context.rights is not None:
        from hartonomous.hql.security.checking import allow_system

        allow_system(statement.context.rights, key, scope.span(node))
    source = plan.ArrowSource(
        relation=statement.next_relation(),
        alias=node.alias.text if node.alias else node.name.last,
        fields=statement.context.system_tables[key],
        key=key,
        moment=statement.moment,
    )
    schema = key.partition(".")[0] if "." in key else "dbo"
    show(source, [f.name for f in source.fields], node, scope, schema)
    return source


def _bind_relation(name: str, node: ast.TableName, scope: Scope) -> plan.Source:
    """TensorAtoms or TensorAtomCoefficients."""
    number, moment = scope.statement.next_relation(), scope.statement.moment
    alias = node.alias.text if node.alias else node.name.last
    source: plan.Source
    if name == ATOMS:
        entry = scanned_atoms(scope.statement.context.catalog)
        source = plan.Scan(
            relation=number, alias=alias, fields=ATOM_FIELDS, table=entry, moment=moment
        )
    else:
        source = plan.Coefficients(
            relation=number, alias=alias, fields=COEFFICIENT_FIELDS, moment=moment
        )
    show(source, [f.name for f in source.fields], node, scope, "dbo")
    return source


def bind_variable_table(node: ast.VariableTable, scope: Scope) -> plan.Source:
    """`@t` in FROM: a table variable, which is scanned as any table is, or else rows that were
    given, under the key `@t`, folded."""
    context, span = scope.statement.context, scope.span(node)
    name = fold(node.name)
    given = context.table_parameters.get(name)
    if given is None:
        if name in context.parameters:
            raise fault(span, f"@{node.name} is a value, not a table", "TYPE_MISMATCH")
        hint = nearest(name, context.table_parameters)
        raise fault(span, f"there is no table @{node.name}", "UNKNOWN_VARIABLE", hint)
    alias = node.alias.text if node.alias else node.name
    if isinstance(given, TableEntry):
        return _bind_stored(given, node, scope, alias, None)
    if not isinstance(given, tuple):
        from hartonomous.hql.arrow_tables import table_fields

        given = table_fields(node.name, given)
    source = plan.ArrowSource(
        relation=scope.statement.next_relation(),
        alias=alias,
        fields=unique_fields([f.name for f in given], [f.type for f in given], given),
        key=f"@{name}",
    )
    show(source, [f.name for f in given], node, scope)
    return source
