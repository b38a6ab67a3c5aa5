"""The table that a statement changes: found by name, allowed or not, under its alias in FROM."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.errors import BindFault, NotSupported
from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.relations.tables import ATOMS, atoms_entry, find_relation
from hartonomous.hql.syntax import trees
from hartonomous.storage.catalog import Entry, RoutineEntry, TableEntry, ViewEntry, fold
from hartonomous.storage.errors import Error, NotFound, ReadOnly

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements import parts

DEFAULT_SCHEMA = "dbo"


def split_name(name: ast.ObjectName) -> tuple[str, str]:
    """Schema and name; `#temp` tables have no other schema than the default one."""
    if len(name.parts) > 2:
        raise NotSupported(
            f"not supported yet: names of {len(name.parts)} parts",
            line=name.span.line,
            column=name.span.column,
        )
    schema = name.parts[0].text if len(name.parts) == 2 else DEFAULT_SCHEMA
    return schema, name.last


def place(error: Error, node: ast.Node) -> Error:
    """The error, with the node's place in the text."""
    error.line, error.column = node.span.line, node.span.column
    return error


def find_entry(context: Context, name: ast.ObjectName) -> Entry | None:
    """What the catalog has under a name."""
    schema, last = split_name(name)
    if last.startswith("#") and len(name.parts) == 1:
        from hartonomous.hql.scripts.temporary import find_temporary

        return find_temporary(context.frame, context.catalog, last)
    return context.catalog.find(schema, last)


def find_own_entry(context: Context, name: ast.ObjectName) -> Entry | None:
    """What has a name that a new table is to have: a caller's #temp table is no hindrance."""
    schema, last = split_name(name)
    if last.startswith("#") and len(name.parts) == 1:
        from hartonomous.hql.scripts.temporary import find_own

        return find_own(context.frame, context.catalog, last)
    return context.catalog.find(schema, last)


def describe_kind(entry: object) -> str:
    """What people call an entry: table, view, procedure, function."""
    from hartonomous.hql.scripts.routines import noun

    if isinstance(entry, RoutineEntry):
        return noun(entry.routine)
    return str(getattr(entry, "kind", "nothing"))


def get_table(
    context: Context,
    name: ast.ObjectName | ast.Variable,
    *,
    change: str = "rows",
    rights: tuple[str, ...] = (),
) -> TableEntry:
    """The stored table that a statement is to change: its "rows", its "indexes" or its
    "definition". UNKNOWN_TABLE with the nearest name; BIND for views; READ_ONLY for system tables,
    but for the rows of those that users may change, and indexes of all that are stored; PERMISSION
    unless it has all `rights` (by default INSERT for rows, else ALTER), and where a policy hides
    rows that another definition or index would have to fit."""
    if isinstance(name, ast.Variable):
        from hartonomous.hql.scripts.table_variables import get_table_variable

        return get_table_variable(context, name)
    if change == "definition":
        refuse_system_table(name, "altered")
    if find_relation(*split_name(name)) == ATOMS:
        return _get_atoms(context, name, change)
    wanted = rights or (("INSERT",) if change == "rows" else ("ALTER",))
    system = _get_system_table(context, name, change, wanted)
    if system is not None:
        return system
    entry = find_entry(context, name)
    if isinstance(entry, TableEntry):
        if context.session.account is not None:
            from hartonomous.hql.security.checking import allow

            for right in wanted:
                allow(context.rights, context.catalog, entry, (right,), name)
            if change != "rows":
                from hartonomous.hql.security.rows import refuse_hidden

                refuse_hidden(context, entry, name)
        return entry
    if isinstance(entry, ViewEntry):
        raise place(BindFault(f'"{entry.name}" is a view, and views cannot be changed'), name)
    from hartonomous.hql.system_tables import is_reserved

    if is_reserved(*split_name(name)):
        raise place(ReadOnly(f'the system table "{name}" cannot be changed'), name)
    raise unknown_table(context, name)


def _get_atoms(context: Context, name: ast.ObjectName, change: str) -> TableEntry:
    """The entry that holds the indexes of TensorAtoms, made if it is not there."""
    if change != "indexes":
        raise place(NotSupported(f"not supported yet: changing the {change} of {ATOMS}"), name)
    if context.session.account is not None:
        from hartonomous.hql.security.checking import require

        require(context, "ALTER", f"an index of {ATOMS}", name)
    kept = context.catalog.find(DEFAULT_SCHEMA, ATOMS)
    if kept is None:
        kept = context.transaction.create(atoms_entry())
    assert isinstance(kept, TableEntry)
    return kept


def _get_system_table(
    context: Context, name: ast.ObjectName, change: str, rights: tuple[str, ...]
) -> TableEntry | None:
    """The stored system table of that name, made if it is not there; None for other names."""
    from hartonomous.hql.system_schema import find_stored
    from hartonomous.hql.system_schema.writing import ensure

    stored = find_stored(*split_name(name))
    if stored is None:
        return None
    if change == "rows" and not stored.changeable:
        raise place(ReadOnly(f'the system table "{name}" cannot be changed'), name)
    if context.session.account is not None:
        from hartonomous.hql.security.checking import allow_stored

        for right in rights:
            allow_stored(context.rights, stored.name, right, name)
    return ensure(context, stored.name)


def refuse_system_table(name: ast.ObjectName, done: str) -> None:
    """READ_ONLY for a system table, which cannot be altered or dropped."""
    from hartonomous.hql.system_tables import is_reserved

    if is_reserved(*split_name(name)):
        raise place(ReadOnly(f'the system table "{name}" cannot be {done}'), name)


def unknown_table(context: Context, name: ast.ObjectName, kind: str = "table") -> Error:
    """UNKNOWN_TABLE for a table, NOT_FOUND for others, with the nearest name as a hint."""
    import difflib

    schema, last = split_name(name)
    known = {
        fold(e.name): e.name
        for e in context.catalog.entries.values()
        if e.kind == kind and fold(e.schema) == fold(schema)
    }
    near = difflib.get_close_matches(fold(last), known, 1)
    hint = f"did you mean {known[near[0]]}?" if near else None
    message = f'there is no {kind} "{name}"'
    if kind == "table":
        return place(BindFault(message, code="UNKNOWN_TABLE", hint=hint), name)
    return place(NotFound(message, hint=hint), name)


@frozen
class Target:
    """A table to change, the FROM clause that its rows come from, and its alias there."""

    table: TableEntry
    source: ast.Relation
    alias: str
    joined: bool  # a row of the table may come more than once

    def column(self, name: str) -> ast.ColumnName:
        return trees.column(self.alias, name)


def get_target(
    context: Context,
    name: ast.ObjectName | ast.Variable,
    alias: ast.Identifier | None,
    source: ast.Relation | None,
    rights: tuple[str, ...],
) -> Target:
    """The target of UPDATE or DELETE: `name` may be an alias that `source` declares, a table that
    occurs in it, or else a table that is joined to it."""
    if source is not None and alias is None:
        found = _find_in(source, name)
        if isinstance(found, ast.VariableTable):
            table = get_table(context, ast.Variable(found.name, span=found.span))
            shown = found.name if found.alias is None else found.alias.text
            return Target(table, source, shown, True)
        if found is not None:
            table = get_table(context, found.name, rights=rights)
            if found.as_of is not None:
                raise place(BindFault("a table AS OF an earlier moment cannot be changed"), found)
            return Target(table, source, (found.alias or found.name.parts[-1]).text, True)
    table = get_table(context, name, rights=rights)
    named: ast.Relation
    if isinstance(name, ast.Variable):
        named = ast.VariableTable(name.name, alias, span=name.span)
        shown = name.name if alias is None else alias.text
    else:
        named = ast.TableName(name, alias, span=name.span)
        shown = (alias or name.parts[-1]).text
    if source is None:
        return Target(table, named, shown, False)
    return Target(table, ast.Join("CROSS", named, source, span=source.span), shown, True)


Named = ast.TableName | ast.VariableTable


def _find_in(source: ast.Relation, name: ast.ObjectName | ast.Variable) -> Named | None:
    """The table of FROM that an UPDATE's or DELETE's name means: by alias first, then by name."""
    tables = list(_tables(source))
    if isinstance(name, ast.ObjectName) and len(name.parts) == 1:
        for table in tables:
            if table.alias is not None and fold(table.alias.text) == fold(name.last):
                return table
    same = [t for t in tables if _key(t) == _key(name)]
    unaliased = [t for t in same if t.alias is None]
    if len(unaliased) == 1:
        return unaliased[0]
    if len(same) > 1:
        raise place(
            BindFault(f'"{name}" is in FROM more than once; name its alias', code="AMBIGUOUS"), name
        )
    return same[0] if same else None


def _key(name: Named | ast.ObjectName | ast.Variable) -> tuple[str, ...]:
    """Equal for names of one table."""
    if isinstance(name, (ast.Variable, ast.VariableTable)):
        return ("@", fold(name.name))
    full = name.name if isinstance(name, ast.TableName) else name
    return tuple(fold(part) for part in split_name(full))


def _tables(relation: ast.Relation) -> list[Named]:
    if isinstance(relation, ast.Join):
        return _tables(relation.left) + _tables(relation.right)
    return [relation] if isinstance(relation, (ast.TableName, ast.VariableTable)) else []


def with_common_tables(query: ast.Query, ctes: parts.With | None) -> ast.Query:
    """The query under the WITH that stands in front of the statement."""
    if ctes is None:
        return query
    return replace(
        query, ctes=(*ctes.ctes, *query.ctes), recursive=ctes.recursive or query.recursive
    )
