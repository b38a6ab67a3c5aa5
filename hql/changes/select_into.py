"""SELECT … INTO t: a new table (or #temp table) that holds the rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.changes.definitions import create_table
from hartonomous.hql.changes.new_names import check_new_name, check_word
from hartonomous.hql.changes.targets import find_own_entry, place, split_name
from hartonomous.hql.errors import BindFault
from hartonomous.hql.result import Result
from hartonomous.storage.catalog import ColumnEntry, TableEntry, fold
from hartonomous.storage.errors import AlreadyExists

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def run_select_into(query: ast.Query, context: Context) -> Result:
    """The table has the query's names and types, no keys, and every column may be NULL."""
    query, name = _without_into(query)
    check_new_name(context, name)
    if find_own_entry(context, name) is not None:
        raise place(AlreadyExists(f'"{name}" already exists'), name)
    rows = context.query(query)
    assert rows.fields is not None
    try:
        table = create_table(context, _entry(rows, name))
        reader = pa.RecordBatchReader.from_batches(table.arrow_schema, rows.batches())
        count = context.transaction.insert(table.id, reader)
    finally:
        rows.close()
    return Result(row_count=count)


def _entry(rows: Result, name: ast.ObjectName) -> TableEntry:
    assert rows.fields is not None
    columns = []
    seen: set[str] = set()
    for number, field in enumerate(rows.fields, 1):
        if not field.name:
            message = f"column {number} has no name"
            raise place(BindFault(message, hint="give it one with AS"), name)
        if fold(field.name) in seen:
            message = f'two columns would be called "{field.name}"'
            raise place(BindFault(message, code="AMBIGUOUS"), name)
        seen.add(fold(field.name))
        check_word(ast.Identifier(field.name, span=name.span))
        if field.type.kind == "NULL" or (field.type.kind == "VECTOR" and field.type.a is None):
            message = f'column "{field.name}" has no type that a table could keep'
            raise place(BindFault(message, code="UNKNOWN_TYPE", hint="CAST it"), name)
        collation = "NOCASE" if field.nocase else None
        columns.append(
            ColumnEntry(number, field.name, str(field.type), field.type.arrow, collation=collation)
        )
    schema, last = split_name(name)
    return TableEntry(
        0, schema, last, tuple(columns), next_id=len(columns) + 1, temporary=last.startswith("#")
    )


def _without_into(query: ast.Query) -> tuple[ast.Query, ast.ObjectName]:
    """The query without its INTO, and the name that stood there."""
    body, name = _strip(query.body)
    return replace(query, body=body), name


def _strip(body: ast.QueryBody) -> tuple[ast.QueryBody, ast.ObjectName]:
    if isinstance(body, ast.Select):
        assert body.into is not None
        return replace(body, into=None), body.into
    if isinstance(body, ast.SetOperation):
        left, name = _strip(body.left)
        return replace(body, left=left), name
    assert isinstance(body, ast.Query)
    return _without_into(body)
