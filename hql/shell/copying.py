r"""\copy at a server: the file is this machine's. It is read and written here, by the code of COPY,
and its rows go over the wire as a table.

    \copy t (a) FROM rows.csv       INSERT INTO t (a) SELECT … FROM @rows
    \copy (query) TO rows.parquet   the query's rows, written by COPY … TO of a database here
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.errors import FileFault
from hartonomous.hql.result import Result
from hartonomous.storage.catalog import fold
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.copying.formats import FileSource
    from hartonomous.hql.plan import Field
    from hartonomous.hql.shell.state import Shell
    from hartonomous.hql.statements.copy import Copy


def copy_here(shell: Shell, text: str, source: str, file: str, options: str) -> bool:
    """Does a COPY with a file of this machine; False if it failed, which was reported."""
    from hartonomous.hql.shell.running import interruptibly
    from hartonomous.hql.statements.copy import Copy
    from hartonomous.hql.syntax.parse import parse_batch

    try:
        (statement,) = parse_batch(text)
        assert isinstance(statement, Copy), text
        if statement.direction == "FROM":
            count = interruptibly(shell.connection, lambda: _read(shell, statement, file))
        else:
            count = interruptibly(shell.connection, lambda: _write(shell, source, file, options))
    except Error as error:
        shell.report(error)
        return False
    except KeyboardInterrupt:
        shell.was_interrupted = True
        shell.say("cancelled")
        return False
    shell.show(Result(row_count=count))
    return True


def _write(shell: Shell, source: str, file: str, options: str) -> int:
    from hartonomous.hql import connect

    query = source[1:-1] if source.startswith("(") else _select(source)
    rows = shell.connection.execute(query).fetch_record_batches()
    name = file.replace("'", "''")
    with connect() as here:
        cursor = here.execute(f"COPY (SELECT * FROM @rows) TO '{name}' {options}", {"rows": rows})
        return cursor.rowcount


def _select(source: str) -> str:
    """`t (a, b)` as a query."""
    table, mark, columns = source.partition("(")
    return f"SELECT {columns.rstrip(') ') if mark else '*'} FROM {table}"


def _read(shell: Shell, statement: Copy, file: str) -> int:
    import pyarrow as pa

    from hartonomous.hql.copying.copying import settings_of
    from hartonomous.hql.copying.formats import open_source
    from hartonomous.hql.plan import schema_of
    from hartonomous.hql.syntax.print_expressions import quote

    settings = settings_of(statement, file)
    source = open_source(settings)
    (there,) = shell.connection.session.execute(f"SELECT TOP (0) * FROM {statement.table}")
    assert there.fields is not None
    known = there.fields
    there.close()
    by_place = settings.format == "csv" and not settings.csv.header
    columns = _filled(statement, source, known, file, by_place=by_place)
    names = source.names if by_place else _in_file(source, columns)
    given, batches = source.read(names, [column.type for column in columns])
    schema = schema_of(given)
    try:
        rows = pa.RecordBatchReader.from_batches(
            schema, (pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in batches)
        )
        listed = ", ".join(quote(column.name) for column in columns)
        text = f"INSERT INTO {statement.table} ({listed}) SELECT * FROM @rows"
        return shell.connection.execute(text, {"rows": rows}).rowcount
    finally:
        batches.close()


def _filled(
    statement: Copy, source: FileSource, known: tuple[Field, ...], file: str, *, by_place: bool
) -> list[Field]:
    """The columns that the file fills: those that the command lists, else those that it names."""
    fields = {fold(field.name): field for field in known}
    named = [name.text for name in statement.columns]
    if not named:
        named = [field.name for field in known] if by_place else list(source.names)
    extra = [name for name in named if fold(name) not in fields]
    if extra:
        raise FileFault(
            f'"{file}" has columns that {statement.table} has not: {", ".join(extra[:8])}',
            hint=r"list the columns to read, \copy t (a, b) FROM …; of a CSV file without"
            " a header say (HEADER = OFF)",
        )
    if by_place and len(named) != len(source.names):
        raise FileFault(
            f'"{file}" has {len(source.names)} columns, and {len(named)} are to be filled',
            hint=r"list the columns to fill: \copy t (a, b) FROM …",
        )
    return [fields[fold(name)] for name in named]


def _in_file(source: FileSource, columns: list[Field]) -> list[str]:
    """The file's own spelling of columns."""
    spelled = {fold(name): name for name in source.names}
    missing = [column.name for column in columns if fold(column.name) not in spelled]
    if missing:
        raise FileFault(f"the file lacks columns: {', '.join(missing[:8])}")
    return [spelled[fold(column.name)] for column in columns]
