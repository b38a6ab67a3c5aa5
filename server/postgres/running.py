"""How a statement runs: as HQL in the session, as a query over the catalog, or as a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql import types as hql
from hartonomous.hql.errors import NotSupported, TransactionFault
from hartonomous.server.postgres import answers
from hartonomous.server.postgres.answers import Answers
from hartonomous.server.postgres.commands import Command, check_modes, find_setting
from hartonomous.server.postgres.faults import UNKNOWN_PORTAL, UNKNOWN_STATEMENT, Refused
from hartonomous.server.postgres.parameters import mapped
from hartonomous.server.postgres.portals import Portal, Statement
from hartonomous.server.postgres.types import BY_NAME, Column, column_of, kind_of, type_of

if TYPE_CHECKING:
    from hartonomous.hql.session import Session
    from hartonomous.server.postgres.client import Client

_TEXT = BY_NAME["text"]


async def run(client: Client, statement: Statement, parameters: dict[str, Any]) -> Answers:
    """A statement's answers. Raises Error and Refused."""
    if statement.command is not None:
        return await _run_command(client, statement, parameters)
    if statement.is_catalog:
        from hartonomous.server.postgres.catalog import run_query

        table, columns = await client.session.call(
            lambda session: run_query(session, statement.text, parameters, about(client))
        )
        return answers.table_answer(table, columns, f"SELECT {table.num_rows}")
    return answers.run_text(client.session, statement.hql, parameters, client.values.timeout)


def about(client: Client) -> dict[str, Any]:
    """What functions of the catalog say of the connection."""
    return {
        "user": client.values["session_authorization"],
        "database": client.database,
        "process": client.connection.process,
        "settings": client.values,
        "watch": client.watch,
    }


async def foretell(
    client: Client, statement: Statement
) -> tuple[tuple[Column, ...] | None, tuple[int, ...]]:
    """The columns (None: no rows) and the parameters' types of a statement, without running it.
    Raises what binding it raises, and NotSupported where only running it would tell."""
    from hartonomous.hql.forecast import Forecast, forecast

    types = statement.types
    if statement.is_empty:
        return None, types
    command = statement.command
    if command is not None:
        return _foretell_command(client, command), types
    if statement.is_catalog:
        from hartonomous.server.postgres.catalog import foretell_query

        return await client.session.call(
            lambda session: foretell_query(session, statement.text, types, about(client))
        )
    known = {str(n): type_of(oid) for n, oid in enumerate(types, 1) if oid}
    unknown = [str(n) for n, oid in enumerate(types, 1) if not oid]

    def look(session: Session) -> Forecast | None:
        return forecast(session, statement.hql, known, unknown)

    found = await client.session.call(look)
    if found is None:
        raise NotSupported(
            "not supported yet: describing this statement before it runs",
            hint="describe the portal and execute it at once, as libpq does, or use a simple query",
        )
    numbers = enumerate(types, 1)
    oids = tuple(oid or _oid_of(found.parameters.get(str(n))) for n, oid in numbers)
    return None if found.fields is None else tuple(map(column_of, found.fields)), oids


def _oid_of(type_: hql.Type | None) -> int:
    if type_ is None or type_.kind == "NULL":
        return _TEXT.oid
    if type_.kind == "GEOMETRY":
        return _TEXT.oid
    return kind_of(type_)[0].oid


# --- commands ------------------------------------------------------------------------------------


def _foretell_command(client: Client, command: Command) -> tuple[Column, ...] | None:
    if command.kind.startswith("show"):
        return _shown(command)
    if command.kind == "fetch":
        return client.portals[command.name].columns
    return None


def _shown(command: Command) -> tuple[Column, ...]:
    if command.kind == "show" and command.name.lower() == "all":
        return tuple(Column(n, _TEXT, -1, hql.NVARCHAR) for n in ("name", "setting", "description"))
    setting = find_setting(_setting_of(command))
    assert setting is not None, command
    return (Column(setting.name, _TEXT, -1, hql.NVARCHAR),)


def _setting_of(command: Command) -> str:
    names = {"show_zone": "TimeZone", "show_isolation": "transaction_isolation"}
    return names.get(command.kind, command.name)


async def _run_command(client: Client, statement: Statement, parameters: dict[str, Any]) -> Answers:
    command = statement.command
    assert command is not None
    if command.kind == "declare":
        return await _declare(client, statement, command, parameters)
    if command.kind == "fetch":
        return await _fetch(client, command)
    if command.kind.startswith("show"):
        return _show(client, command)
    if command.kind in ("begin", "commit", "rollback", "savepoint", "release", "rollback_to"):
        return answers.done(await _transact(client, command))
    return answers.done(await _set(client, command))


async def _transact(client: Client, command: Command) -> str:
    """BEGIN and its kin; the tag."""
    call, inside = client.session.call, client.session.in_transaction
    match command.kind:
        case "begin":
            check_modes(command.value)
            if not inside:
                await call(lambda session: session.begin())
            return "BEGIN"
        case "commit" if not client.has_failed:
            if inside:
                await call(lambda session: session.commit())
            return "COMMIT"
        case "commit" | "rollback":
            client.has_failed = False
            if inside:
                await call(lambda session: session.rollback())
            return "ROLLBACK"
    if not inside:
        raise TransactionFault(f"{command.kind.upper().replace('_', ' ')}: no transaction is open")
    if command.kind == "savepoint":
        await call(lambda session: session.save(command.name))
        return "SAVEPOINT"
    if command.kind == "rollback_to":
        await call(lambda session: session.rollback_to(command.name))
        return "ROLLBACK"
    return "RELEASE"  # a savepoint costs nothing: it ends with the transaction


async def _set(client: Client, command: Command) -> str:
    """SET and its kin; the tag."""
    values = client.values
    match command.kind:
        case "set":
            await set_value(client, command.name, command.value)
        case "zone":
            local = command.value.strip("'\"").lower() in ("local", "default")
            await set_value(client, "TimeZone", "default" if local else command.value)
        case "names":
            await set_value(client, "client_encoding", command.value)
        case "modes":
            check_modes(command.value)
        case "reset":
            values.reset(command.name)
            return "RESET"
        case "discard":
            return await _discard(client, command.name.upper())
        case "deallocate":
            _deallocate(client, command.name)
            return "DEALLOCATE"
        case "close":
            await _close_cursor(client, command.name)
            return "CLOSE CURSOR"
        case "unlisten":
            return "UNLISTEN"
    return "SET"


async def set_value(client: Client, name: str, value: str) -> None:
    """Sets one setting. Raises Refused and Error."""
    if name.lower() == "hql.branch":
        branch = value.strip("'\" ")
        await client.session.call(lambda session: session.use_branch(branch))
    client.values.accept(name, value)


async def _discard(client: Client, what: str) -> str:
    if what in ("TEMP", "TEMPORARY"):
        raise NotSupported("not supported yet: DISCARD TEMP", hint="DROP TABLE #name")
    if what == "ALL":
        if client.session.in_transaction:
            raise Refused("25001", "DISCARD ALL cannot run inside a transaction block")
        await _close_cursor(client, "all")
        client.statements.clear()
        client.values.reset("all")
    return f"DISCARD {what}"


def _deallocate(client: Client, name: str) -> None:
    if name.lower() == "all":
        client.statements.clear()
    elif client.statements.pop(name, None) is None:
        raise Refused(UNKNOWN_STATEMENT, f'prepared statement "{name}" does not exist')


def _show(client: Client, command: Command) -> Answers:
    columns = _shown(command)
    if len(columns) > 1:
        rows = client.values.all()
        arrays = [pa.array(list(column), pa.string()) for column in zip(*rows, strict=True)]
    else:
        arrays = [pa.array([client.values[_setting_of(command)]])]
    table = pa.Table.from_arrays(arrays, names=[column.name for column in columns])
    return answers.table_answer(table, columns, "SHOW")


# --- cursors -------------------------------------------------------------------------------------


async def _declare(
    client: Client, statement: Statement, command: Command, parameters: dict[str, Any]
) -> Answers:
    """A cursor is a portal with a name that SQL knows."""
    if command.name in client.portals:
        raise Refused("42P03", f'cursor "{command.name}" already exists')
    if not client.session.in_transaction and not command.holds:
        raise Refused(
            "25P01",
            "DECLARE CURSOR can only be used in transaction blocks",
            "BEGIN first, or DECLARE … CURSOR WITH HOLD FOR …",
        )
    blank = "".join("\n" if c == "\n" else " " for c in statement.text[: command.start])
    query = blank + statement.text[command.start :]
    inner = Statement(query, mapped(query)[0], statement.types)
    portal = Portal(inner, parameters, holds=command.holds, is_cursor=True)
    await client.begin(portal)
    if portal.columns is None:
        await portal.close()
        raise Refused("42P11", "a cursor is of a query that gives rows")
    client.portals[command.name] = portal
    return answers.done("DECLARE CURSOR")


async def _fetch(client: Client, command: Command) -> Answers:
    portal = client.portals.get(command.name)
    if portal is None or portal.columns is None:
        raise Refused(UNKNOWN_PORTAL, f'cursor "{command.name}" does not exist')
    word = command.value.upper()
    rows_max = None if word == "ALL" else 1 if word in ("", "NEXT") else int(word)
    return _fetched(portal, portal.columns, rows_max)


async def _fetched(portal: Portal, columns: tuple[Column, ...], rows_max: int | None) -> Answers:
    yield answers.Begin(columns)
    count = 0
    while rows_max is None or count < rows_max:
        batch = await portal.next_batch(None if rows_max is None else rows_max - count)
        if batch is None:
            break
        count += batch.num_rows
        yield answers.Piece(batch)
    yield answers.End(f"FETCH {count}")


async def _close_cursor(client: Client, name: str) -> None:
    if name.lower() != "all":
        portal = client.portals.pop(name, None)
        if portal is None:
            raise Refused(UNKNOWN_PORTAL, f'cursor "{name}" does not exist')
        await portal.close()
        return
    for cursor, portal in list(client.portals.items()):
        if portal.is_cursor:
            del client.portals[cursor]
            await portal.close()
