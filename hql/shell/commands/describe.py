r"""\d: one relation or routine with all that belongs to it; alone, what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.result import Result
from hartonomous.hql.shell.commands.base import Arguments, Command
from hartonomous.hql.shell.commands.listing import (
    Pattern,
    list_matching,
    query,
    show_plainly,
)

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


#: everything with a name that \d knows, with what it is
_ALL = """
    SELECT schema_name AS [schema], name, CASE WHEN is_system = 1 THEN 'system table'
        WHEN is_temporary = 1 THEN 'temporary table' ELSE 'table' END AS kind, row_count AS [rows]
        FROM sys.tables
    UNION ALL SELECT schema_name, name, 'view', NULL FROM sys.views
    UNION ALL SELECT schema_name, name, 'procedure', NULL FROM sys.procedures
    UNION ALL SELECT schema_name, name, 'function', NULL FROM sys.functions
        WHERE definition IS NOT NULL"""


def _run(shell: Shell, given: Arguments) -> None:
    system = "" if "S" in given.flags else " WHERE kind <> 'system table'"
    if not given.text:
        text = f"SELECT * FROM ({_ALL}) AS a{system} ORDER BY [schema], kind, name"
        list_matching(shell, given, "tables, views, procedures or functions", text)
        return
    pattern = Pattern(given.text)
    rows = query(shell, f"SELECT * FROM ({_ALL}) AS a ORDER BY [schema], name").to_table()
    found = [
        (row["schema"], row["name"], row["kind"])
        for row in rows.to_pylist()
        if pattern.matches(row["schema"], row["name"])
    ]
    for schema, name, kind in found or _computed(pattern):
        _describe(shell, schema, name, kind)
    if not found and not _computed(pattern):
        shell.say(f"there is nothing{pattern.said}; \\dS lists all")


def _computed(pattern: Pattern) -> list[tuple[str, str, str]]:
    """System tables that are in no catalog."""
    from hartonomous.hql.models.relations.tables import NAMES
    from hartonomous.hql.system_tables import SYSTEM_TABLES

    names = [*SYSTEM_TABLES, *(name for name in NAMES if name not in SYSTEM_TABLES)]
    places = [(schema or "dbo", name) for schema, _, name in (n.rpartition(".") for n in names)]
    return [(s, n, "system table") for s, n in sorted(places) if pattern.matches(s, n)]


def _describe(shell: Shell, schema: str, name: str, kind: str) -> None:
    full = f"{schema}.{name}" if schema else name
    shell.write_lines([f"{kind.capitalize()} {full}"])
    if kind in ("procedure", "function"):
        shell.write_lines(_definition(shell, f"sys.{kind}s", schema, name))
        return
    columns = _columns(shell, schema, name)
    if columns is not None:
        show_plainly(shell, columns)
        shell.write_lines([*_keys(shell, schema, name), *_checks(shell, schema, name)])
        shell.write_lines(_references(shell, schema, name))
        return
    empty = query(shell, f"SELECT TOP (0) * FROM {_quoted(schema)}.{_quoted(name)}")
    assert empty.fields is not None
    empty.close()
    show_plainly(shell, _of_fields([(f.name, str(f.type)) for f in empty.fields]))
    if kind == "view":
        shell.write_lines(["Query:", *_definition(shell, "sys.views", schema, name)])


def _columns(shell: Shell, schema: str, name: str) -> Result | None:
    result = query(
        shell,
        f"""SELECT name AS [column], type, CASE WHEN is_nullable = 1 THEN '' ELSE 'NOT NULL' END
            AS [null], CASE WHEN is_identity = 1 THEN 'IDENTITY'
            WHEN is_computed = 1 THEN CONCAT('AS ', computed_definition)
            WHEN default_definition IS NOT NULL THEN CONCAT('DEFAULT ', default_definition)
            ELSE '' END AS [value]
            FROM sys.columns WHERE {_is(schema, "table_name", name)} ORDER BY column_id""",
    )
    result.spool()
    return result if result.row_count else None


def _keys(shell: Shell, schema: str, name: str) -> list[str]:
    rows = query(
        shell,
        f"""SELECT name, kind, columns FROM sys.indexes
            WHERE {_is(schema, "table_name", name)} ORDER BY name""",
    ).to_table()
    lines = [f'    "{r["name"]}" {r["kind"]} ({r["columns"]})' for r in rows.to_pylist()]
    return ["Keys and indexes:", *lines] if lines else []


def _checks(shell: Shell, schema: str, name: str) -> list[str]:
    rows = query(
        shell,
        f"""SELECT name, definition FROM sys.check_constraints
            WHERE {_is(schema, "table_name", name)} ORDER BY name""",
    ).to_table()
    lines = [f'    "{r["name"]}" CHECK ({r["definition"]})' for r in rows.to_pylist()]
    return ["Checks:", *lines] if lines else []


def _references(shell: Shell, schema: str, name: str) -> list[str]:
    """Foreign keys of the table, and of others that refer to it."""
    text = "SELECT * FROM sys.foreign_keys WHERE {} ORDER BY schema_name, table_name, name"
    own = query(shell, text.format(_is(schema, "table_name", name))).to_table().to_pylist()
    there = _is(schema, "table_name", name).replace("schema_name", "referenced_schema_name")
    there = there.replace(" table_name", " referenced_table_name")
    others = query(shell, text.format(there)).to_table().to_pylist()
    lines = [f"    {_reference(row)}" for row in own]
    referring = [f'    "{r["table_name"]}" {_reference(r)}' for r in others]
    return [
        *(["Foreign keys:", *lines] if lines else []),
        *(["Referred to by:", *referring] if referring else []),
    ]


def _reference(row: dict[str, str]) -> str:
    events = (("DELETE", row["delete_action"]), ("UPDATE", row["update_action"]))
    actions = "".join(f" ON {event} {done}" for event, done in events if done != "NO ACTION")
    there = f"{row['referenced_table_name']} ({row['referenced_columns']})"
    return f'"{row["name"]}" ({row["columns"]}) REFERENCES {there}{actions}'


def _definition(shell: Shell, table: str, schema: str, name: str) -> list[str]:
    rows = query(shell, f"SELECT definition FROM {table} WHERE {_is(schema, 'name', name)}")
    return [line for row in rows.to_table().to_pylist() for line in row["definition"].split("\n")]


def _of_fields(fields: list[tuple[str, str]]) -> Result:
    from hartonomous.hql.shell.commands.listing import result_of
    from hartonomous.hql.types import NVARCHAR

    return result_of(fields, {"column": NVARCHAR, "type": NVARCHAR})


def _is(schema: str, column: str, name: str) -> str:
    return f"schema_name = {_string(schema)} AND {column} = {_string(name)}"


def _string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return "[" + name.replace("]", "]]") + "]"


DESCRIBE = Command(
    ("d",),
    "[pattern]",
    "what there is; with a name: columns, keys, checks, text",
    "Looking around",
    _run,
    "S+",
    completes="relation",
)
