"""COPY t FROM 'file', COPY t TO 'file', COPY (query) TO 'file'.

FROM matches the file's columns with the table's by name, without case; what a file lacks must have
a default, be an identity or computed. Rows stream into storage, and a bad value anywhere undoes the
whole COPY. TO writes beside the file and renames at the end.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql import ast
from hartonomous.hql.changes.assigning import find_column
from hartonomous.hql.changes.completion import Completion
from hartonomous.hql.changes.dml import store_rows
from hartonomous.hql.changes.targets import find_entry, get_table, place
from hartonomous.hql.copying.formats import (
    FORMATS,
    FileSettings,
    FileSource,
    bad_value,
    format_of,
    open_source,
    write_file,
)
from hartonomous.hql.copying.progress import Progress
from hartonomous.hql.copying.text import CsvOptions
from hartonomous.hql.errors import BindFault, ExecutionFault, FileFault, ParameterFault
from hartonomous.hql.models.relations.tables import view_of
from hartonomous.hql.plan import Field
from hartonomous.hql.result import Result
from hartonomous.hql.syntax import trees
from hartonomous.hql.system_schema.behaviour import assignable, given_shape
from hartonomous.hql.types import parse_type
from hartonomous.storage.catalog import ColumnEntry, TableEntry, fold
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.copy import Copy

#: rows that are tried one by one to find the bad one in a batch
SINGLE_ROWS = 1


def run_copy(statement: Copy, context: Context) -> Result:
    """COPY in either direction."""
    to_write = statement.direction == "TO"
    settings = settings_of(statement, path_of(statement.path, context, to_write=to_write))
    if statement.direction == "FROM":
        return _copy_from(statement, context, settings)
    return _copy_to(statement, context, settings)


# --- settings ------------------------------------------------------------------------------------


def settings_of(statement: Copy, file: str) -> FileSettings:
    """How the file of a COPY is read or written, by its options and its name. Raises Error."""
    path = Path(file)
    given: dict[str, Any] = {}
    for option in statement.options:
        name = option.name.upper()
        if name not in ("FORMAT", "HEADER", "DELIMITER", "NULLS"):
            message = f"COPY has no option {option.name}"
            hint = "options: FORMAT, HEADER, DELIMITER, NULLS"
            raise place(BindFault(message, hint=hint), option)
        given[name] = _option(name, option)
    return FileSettings(
        path,
        given["FORMAT"] if "FORMAT" in given else _format(path, statement),
        CsvOptions(
            header=given.get("HEADER", True),
            delimiter=given.get("DELIMITER", "\t" if path.suffix.lower() == ".tsv" else ","),
            null=given.get("NULLS", ""),
        ),
    )


def _format(path: Path, statement: Copy) -> str:
    try:
        return format_of(path)
    except Error as error:
        raise place(error, statement.path) from None


def path_of(node: ast.Expression, context: Context, *, to_write: bool = False) -> str:
    """A file's path: a string, or a parameter that is one. PERMISSION for one that the session may
    not use."""
    path = _path_given(node, context)
    if context.session.files is None:
        return path
    from hartonomous.hql.security.files import within

    return within(context, path, node, to_write=to_write)


def _path_given(node: ast.Expression, context: Context) -> str:
    if isinstance(node, ast.Literal):
        return str(node.value)
    name = ""
    if isinstance(node, ast.Variable):
        name = fold(node.name)
    elif isinstance(node, ast.Placeholder):
        name = fold(node.name) if node.name is not None else f"?{node.index}"
    if name not in context.parameters.raw:
        message = f"there is no parameter {node}"
        raise place(BindFault(message, code="UNKNOWN_VARIABLE"), node)
    value = context.parameters.raw[name]
    if not isinstance(value, str):
        raise place(ParameterFault(f"the path {node} is not a text"), node)
    return value


def _option(name: str, option: ast.Option) -> Any:
    value: Any = option.value
    if isinstance(value, ast.Identifier):
        value = value.text
    elif isinstance(value, ast.ColumnName) and len(value.parts) == 1:
        value = value.parts[0].text
    elif isinstance(value, ast.Literal):
        value = value.value
    word = str(value).lower()
    if name == "HEADER" and word in ("true", "false", "on", "off", "1", "0", "none"):
        return word in ("true", "on", "1", "none")
    if name == "FORMAT" and word in FORMATS:
        return word
    if name == "DELIMITER" and isinstance(value, str) and len(value) == 1 and value not in '"\r\n':
        return value
    if name == "NULLS" and isinstance(value, str) and not set(value) & set('"\r\n'):
        return value
    wanted = {
        "HEADER": "ON or OFF",
        "FORMAT": "one of " + ", ".join(FORMATS),
        "DELIMITER": "one character, not a quote or a line end",
        "NULLS": "the text that stands for NULL, without quotes or line ends",
    }[name]
    raise place(BindFault(f"{name} is {wanted}"), option)


# --- FROM ----------------------------------------------------------------------------------------


def _copy_from(statement: Copy, context: Context, settings: FileSettings) -> Result:
    assert statement.table is not None
    table = get_table(context, statement.table)
    context.limits.start()
    try:
        source = open_source(settings)
        names, columns = _matched(statement, table, source, settings)
    except Error as error:
        raise place(error, statement.path) if error.line is None else error from None
    fields, batches = source.read(names, [parse_type(c.type) for c in columns])
    given = [Field(c.name, f.type) for c, f in zip(columns, fields, strict=True)]
    completion = Completion(given_shape(table), given)
    rows = _completed(context, completion, batches, settings.path, source.rows)
    try:
        count = store_rows(context, table, rows)
    finally:
        rows.close()
    # again: what was read is kept only if the path still means what it meant
    path_of(statement.path, context)
    return Result(row_count=count)


def _matched(
    statement: Copy, table: TableEntry, source: FileSource, settings: FileSettings
) -> tuple[list[str], list[ColumnEntry]]:
    """The file's columns that are read, and the table's columns that they are for."""
    listed = [find_column(table, name) for name in statement.columns]
    if settings.format == "csv" and not settings.csv.header:
        return _matched_by_place(table, listed, source, settings.path)
    by_name: dict[str, str] = {}
    for name in source.names:
        if fold(name) in by_name:
            raise FileFault(f'"{settings.path}" has two columns "{name}"')
        by_name[fold(name)] = name
    if listed:
        missing = [c.name for c in listed if fold(c.name) not in by_name]
        columns = listed
    else:
        filled = assignable(table)
        known = {fold(c.name) for c in filled}
        extra = [name for name in source.names if fold(name) not in known]
        if extra:
            raise FileFault(
                f'"{settings.path}" has columns that "{table.name}" has not: {_names(extra)}',
                hint="list the columns to read, COPY t (a, b) FROM …; of a CSV file without a"
                " header say WITH (HEADER = OFF)",
            )
        columns = [c for c in filled if fold(c.name) in by_name]
        missing = [
            c.name
            for c in filled
            if fold(c.name) not in by_name and c.identity is None and c.default is None
        ]
    # a JSON file names its columns by what its first object has, and may have no object at all
    if missing and not (settings.format in ("json", "jsonl") and not listed and not source.names):
        raise FileFault(
            f'"{settings.path}" lacks columns of "{table.name}": {_names(missing)}',
            hint=f"it has {_names(source.names)}",
        )
    return [by_name[fold(c.name)] for c in columns], columns


def _matched_by_place(
    table: TableEntry, listed: list[ColumnEntry], source: FileSource, path: Path
) -> tuple[list[str], list[ColumnEntry]]:
    columns = listed or assignable(table)
    if not listed and len(columns) != len(source.names):
        columns = [c for c in columns if c.identity is None]
    if len(columns) != len(source.names):
        raise FileFault(
            f'"{path}" has {len(source.names)} columns, and {len(columns)} are to be filled: '
            + _names([c.name for c in columns])
        )
    return source.names, columns


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "none"


def _completed(
    context: Context,
    completion: Completion,
    batches: Generator[Any],
    path: Path,
    total: int | None,
) -> Generator[pa.Table]:
    """Completed rows, with the progress line."""
    progress = Progress(f"COPY {path.name}")
    names = list(completion.given)
    done = 0
    try:
        for batch in batches:
            context.limits.check()
            rows = pa.Table.from_batches([batch]).rename_columns(names)
            try:
                whole = completion.complete(context, rows)
            except ExecutionFault as error:
                raise _first_bad(context, completion, rows, path, done, error) from error
            done += batch.num_rows
            progress.update(done, done / total if total else None)
            yield whole
    finally:
        progress.close()
        batches.close()  # stops the thread that reads ahead


def _first_bad(
    context: Context,
    completion: Completion,
    rows: pa.Table,
    path: Path,
    before: int,
    error: ExecutionFault,
) -> Error:
    """The error of the first bad row of a batch, found by halving."""
    if error.code == "RECURSION" or rows.num_rows == 0:
        return error
    first, count = 0, rows.num_rows
    while count > SINGLE_ROWS:
        half = count // 2
        try:
            completion.complete(context, rows.slice(first, half))
        except ExecutionFault as fault:
            error, count = fault, half
        else:
            first, count = first + half, count - half
    try:
        completion.complete(context, rows.slice(first, 1))
    except ExecutionFault as fault:
        error = fault
    column = _bad_column(context, completion, rows.slice(first, 1))
    return bad_value(path, before + first + 1, column, error.message)


def _bad_column(context: Context, completion: Completion, row: pa.Table) -> str | None:
    """Which given column of a bad row does not convert, or None if that is not what is wrong."""
    for column in completion.converted:
        field = completion.given[column.name]
        one = row.select([column.name])
        cast = trees.cast(trees.column("rows", column.name), completion.types[column.name])
        query = trees.select([trees.item(cast, column.name)], trees.rows("__rows", "rows"))
        try:
            context.table(query, tables={"__rows": ((field,), one)})
        except ExecutionFault:
            return column.name
    return None


# --- TO ------------------------------------------------------------------------------------------


def _copy_to(statement: Copy, context: Context, settings: FileSettings) -> Result:
    query = statement.query
    if query is None:
        assert statement.table is not None
        query = _whole_table(statement.table, statement.columns)
    elif statement.columns:
        raise place(BindFault("COPY (query) takes no list of columns"), statement.columns[0])
    result = context.query(query, key="copy")
    assert result.fields is not None
    progress = Progress(f"COPY {settings.path.name}")
    types = [f.type for f in result.fields]
    try:
        batches = _counted(context, result.batches(), progress, _row_count(statement, context))
        count = write_file(settings, result.schema, types, batches)
    except FileFault as error:
        raise place(error, statement.path) from error
    finally:
        progress.close()
        result.close()
    return Result(row_count=count)


def _row_count(statement: Copy, context: Context) -> int | None:
    """How many rows will be written, of a table; None: not known."""
    entry = None if statement.table is None else find_entry(context, statement.table)
    if not isinstance(entry, TableEntry):
        return None
    return view_of(entry, context.transaction).row_count


def _whole_table(name: ast.ObjectName, columns: Sequence[ast.Identifier]) -> ast.Query:
    items = [ast.SelectItem(ast.ColumnName((c,), span=c.span), span=c.span) for c in columns]
    return trees.select(items or [ast.SelectItem(ast.Star())], ast.TableName(name, span=name.span))


def _counted(
    context: Context, batches: Iterator[pa.RecordBatch], progress: Progress, total: int | None
) -> Iterator[pa.RecordBatch]:
    count = 0
    for batch in batches:
        context.limits.check()
        count += batch.num_rows
        progress.update(count, count / total if total else None)
        yield batch
