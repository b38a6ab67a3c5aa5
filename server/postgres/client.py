"""A client that was let in: its messages, in order, and what is answered.

After an error in extended query everything is left out until Sync, as the protocol has it. HQL
undoes a failed statement whole and its transaction goes on; where an error ended the transaction
(a conflict, XACT_ABORT) the client's block is failed, and nothing runs until it says ROLLBACK.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from hartonomous.hql.errors import NotSupported
from hartonomous.server.postgres import answers, messages, replies
from hartonomous.server.postgres.answers import Answers
from hartonomous.server.postgres.catalog_queries import Watch, is_catalog_query
from hartonomous.server.postgres.commands import (
    CHARACTERS_MAX,
    Command,
    Values,
    check_is_here,
    find_command,
    pieces_of,
)
from hartonomous.server.postgres.faults import (
    FAILED_TRANSACTION,
    PROTOCOL_VIOLATION,
    UNKNOWN_PORTAL,
    UNKNOWN_STATEMENT,
    Refused,
    response,
)
from hartonomous.server.postgres.messages import COUNT_MAX
from hartonomous.server.postgres.parameters import mapped, values_of
from hartonomous.server.postgres.portals import NAMES_MAX, Portal, Statement, said
from hartonomous.server.postgres.rows import encoded
from hartonomous.server.postgres.types import Column
from hartonomous.storage.errors import Error

T = TypeVar("T")

if TYPE_CHECKING:
    from hartonomous.server.postgres.connection import Connection
    from hartonomous.server.sessions import ServerSession

#: what prepared statements and the parameters of portals may hold in all
CHARACTERS_HELD_MAX, BYTES_HELD_MAX = 64 << 20, 64 << 20
#: texts and parameters that are longer are read beside the event loop
LONG = 64 << 10
#: commands that may end a block that failed
_ENDINGS = ("commit", "rollback", "rollback_to")


async def _aside(size: int, work: Callable[..., T], *given: Any) -> T:
    """What `work` gives; on a thread, if there is much to do."""
    return work(*given) if size <= LONG else await asyncio.to_thread(work, *given)


class Client:
    """`database` is what the client calls the database."""

    def __init__(
        self, connection: Connection, session: ServerSession, values: Values, database: str
    ) -> None:
        self.connection, self.session, self.values = connection, session, values
        self.database = database
        self.statements: dict[str, Statement] = {}
        self.portals: dict[str, Portal] = {}
        self.watch = Watch()
        self.has_failed = False  # the client's transaction was ended by an error
        self._skips = False  # until Sync
        self._text = ""  # that of the message at hand, for positions
        self.is_reported: dict[str, str] = dict(values.reported)

    # --- life ---

    async def open(self, options: str) -> None:
        """What the first message asks for beyond plain settings: `-c name=value`."""
        from hartonomous.server.postgres.running import set_value

        words = iter(options.replace("\\ ", "\0").split())
        for word in words:
            given = next(words, "") if word == "-c" else word.removeprefix("-c").removeprefix("--")
            name, _, value = given.replace("\0", " ").partition("=")
            if name:
                await set_value(self, name, f"'{value}'")
        self.is_reported = dict(self.values.reported)

    def cancel(self) -> None:
        """Stops what runs."""
        self.session.cancel()
        self.watch.stop()

    async def close(self) -> None:
        """Stops what runs and lets the session go."""
        for portal in list(self.portals.values()):
            await portal.close()
        await self.session.close()

    async def serve(self) -> None:
        """Answers messages until the client says goodbye. Raises Gone, Malformed."""
        while True:
            message = await self.connection.receive()
            if isinstance(message, messages.Terminate):
                return
            if isinstance(message, messages.Query):
                self._skips = False
                await self._query(message)
                await self._ready()
            elif isinstance(message, messages.Sync):
                self._skips = False
                await self._close_portals()
                await self._ready()
            elif isinstance(message, messages.FunctionCall):
                await self._fail(NotSupported("not supported yet: function calls"))
                await self._ready()
            elif isinstance(message, messages.Flush):
                await self.connection.flush()
            elif not self._skips:
                try:
                    await self._extended(message)
                except (Error, Refused) as fault:
                    self._skips = True
                    await self._fail(fault)

    async def _ready(self) -> None:
        """ReadyForQuery, after what changed meanwhile."""
        self.values.put("hql.branch", self.session.branch)
        for name, value in self.values.reported:
            if self.is_reported.get(name) != value:
                self.is_reported[name] = value
                await self.connection.send(replies.parameter_status(name, value))
        status = "E" if self.has_failed else "T" if self.session.in_transaction else "I"
        await self.connection.send(replies.ready(status))
        await self.connection.flush()

    async def _fail(self, fault: Error | Refused) -> None:
        await self.connection.send(response(fault, self._text))

    # --- simple query ---

    async def _query(self, message: messages.Query) -> None:
        self._text = message.text
        was_inside = self.session.in_transaction
        try:
            for text in self._cut(message.text):
                statement = await self._prepare(text, ())
                if statement.is_empty:
                    await self.connection.send(replies.EMPTY_QUERY)
                    return
                await self._send_answers(await self.run(statement, {}))
        except (Error, Refused) as fault:
            self.note_failure(was_inside)
            await self._fail(fault)
        await self._close_portals()

    def _cut(self, text: str) -> list[str]:
        """One by one what no statement of HQL's is among, as pools send when a connection comes
        back; any other text is one."""
        pieces = pieces_of(text) if ";" in text and len(text) <= CHARACTERS_MAX else []
        if len(pieces) > 1 and all(find_command(p) or is_catalog_query(p) for p in pieces):
            return pieces
        return [text]

    async def _send_answers(self, found: Answers) -> None:
        """All results, in text."""
        columns: Sequence[Column] = ()
        async for answer in found:
            if isinstance(answer, answers.Begin):
                columns = answer.columns
                await self.connection.send(replies.row_description(columns, ()))
            elif isinstance(answer, answers.End):
                await self.connection.send(replies.complete(answer.tag))
            elif isinstance(answer, answers.Said):
                await self.connection.send(said(answer.text))
            else:
                await self.connection.send(await encoded(answer.batch, columns, ()))

    # --- extended query ---

    async def _extended(self, message: messages.Message) -> None:
        send = self.connection.send
        match message:
            case messages.Parse():
                self._text = message.text
                statement = await self._prepare(message.text, message.types)
                self._put(self.statements, message.name, statement)
                await send(replies.PARSED)
            case messages.Bind():
                await self._bind(message)
                await send(replies.BOUND)
            case messages.Describe(kind="S"):
                await self._describe_statement(self._statement(message.name))
            case messages.Describe():
                await self._describe_portal(message.name)
            case messages.Execute():
                await self._execute(message)
            case messages.Close(kind="S"):
                self.statements.pop(message.name, None)
                await send(replies.CLOSED)
            case messages.Close():
                portal = self.portals.pop(message.name, None)
                if portal is not None:
                    await portal.close()
                await send(replies.CLOSED)
            case messages.CopyPiece():
                return
            case _:
                raise Refused(PROTOCOL_VIOLATION, f"{type(message).__name__} is not expected here")

    async def _prepare(self, text: str, types: tuple[int, ...]) -> Statement:
        command = find_command(text)
        if command is not None and self._is_hql(command):
            command = None
        is_catalog = is_catalog_query(text)
        if not is_catalog:
            check_is_here(text)
        hql, stated = await _aside(len(text), mapped, text)
        count = max(len(types), max(stated, default=0))
        if count > COUNT_MAX:
            raise Refused("54023", f"${count}: at most {COUNT_MAX:,} parameters are taken")
        known = [*types, *[0] * (count - len(types))]
        for number, oid in stated.items():
            if number and not known[number - 1]:
                known[number - 1] = oid
        return Statement(text, hql, tuple(known), command, is_catalog)

    def _is_hql(self, command: Command) -> bool:
        """FETCH and CLOSE of a cursor of HQL's own."""
        is_of_cursor = command.kind in ("fetch", "close") and command.name.lower() != "all"
        return is_of_cursor and command.name not in self.portals

    def _put(self, kept: dict[str, Statement], name: str, value: Statement) -> None:
        if name and name in kept:
            raise Refused("42P05", f'prepared statement "{name}" already exists')
        if len(kept) >= NAMES_MAX:
            raise Refused("53400", f"{len(kept):,} prepared statements are open", "DEALLOCATE some")
        held = sum(len(statement.text) for statement in kept.values())
        if held + len(value.text) > CHARACTERS_HELD_MAX:
            raise Refused("53400", "the prepared statements are too long", "DEALLOCATE some")
        kept[name] = value

    def _statement(self, name: str) -> Statement:
        found = self.statements.get(name)
        if found is None:
            raise Refused(UNKNOWN_STATEMENT, f'prepared statement "{name}" does not exist')
        self._text = found.text
        return found

    def _portal(self, name: str) -> Portal:
        found = self.portals.get(name)
        if found is None:
            raise Refused(UNKNOWN_PORTAL, f'portal "{name}" does not exist')
        self._text = found.statement.text
        return found

    async def _bind(self, message: messages.Bind) -> None:
        statement = self._statement(message.statement)
        if len(message.values) < len(statement.types):
            raise Refused(
                PROTOCOL_VIOLATION,
                f"bind message supplies {len(message.values)} parameters, but prepared statement "
                f'"{message.statement}" requires {len(statement.types)}',
            )
        size = sum(len(value) for value in message.values if value is not None)
        values = await _aside(size, values_of, message.values, message.formats, statement.types)
        before = self.portals.get(message.portal)
        if before is not None:
            if message.portal:
                raise Refused("42P03", f'portal "{message.portal}" already exists')
            await before.close()
        if len(self.portals) >= NAMES_MAX:
            raise Refused("53400", f"{len(self.portals):,} portals are open")
        if message.portal and size + sum(p.size for p in self.portals.values()) > BYTES_HELD_MAX:
            raise Refused("53400", "the portals' parameters are too long", "close some")
        self.portals[message.portal] = Portal(statement, values, message.result_formats, size=size)

    async def _describe_statement(self, statement: Statement) -> None:
        from hartonomous.server.postgres.running import foretell

        columns, types = await foretell(self, statement)
        if types != statement.types:
            known = Statement(
                statement.text, statement.hql, types, statement.command, statement.is_catalog
            )
            for name, kept in self.statements.items():
                if kept is statement:
                    self.statements[name] = known
        await self.connection.send(replies.parameter_description(types))
        await self.connection.send(
            replies.NO_DATA if columns is None else replies.row_description(columns, ())
        )

    async def _describe_portal(self, name: str) -> None:
        from hartonomous.server.postgres.running import foretell

        portal = self._portal(name)
        follows = self.connection.incoming.peek()
        is_next = isinstance(follows, messages.Execute) and follows.portal == name
        if not portal.has_begun and not is_next and not portal.statement.is_empty:
            columns, _ = await foretell(self, portal.statement)
            await self.connection.send(
                replies.NO_DATA
                if columns is None
                else replies.row_description(columns, portal.formats)
            )
            return
        if not portal.has_begun:
            await self.begin(portal)
        await self.connection.send(portal.description())

    async def begin(self, portal: Portal) -> None:
        """Runs a portal up to its first row."""
        if portal.statement.is_empty:
            portal.is_over = True
            return
        was_inside = self.session.in_transaction
        try:
            found = await self.run(portal.statement, portal.parameters)
            async for notice in portal.begin(found):
                await self.connection.send(notice)
        except (Error, Refused):
            self.note_failure(was_inside)
            raise

    async def _execute(self, message: messages.Execute) -> None:
        portal = self._portal(message.portal)
        if portal.statement.is_empty:
            await self.connection.send(replies.EMPTY_QUERY)
            return
        if not portal.has_begun:
            await self.begin(portal)
        was_inside = self.session.in_transaction
        try:
            async for piece in portal.rows(max(0, message.rows_max)):
                await self.connection.send(piece)
        except (Error, Refused):
            self.note_failure(was_inside)
            raise

    # --- running ---

    async def run(self, statement: Statement, parameters: dict[str, object]) -> Answers:
        """A statement's answers, whatever it is. Raises Error and Refused."""
        from hartonomous.server.postgres import running

        if self.has_failed and (
            statement.command is None or statement.command.kind not in _ENDINGS
        ):
            raise Refused(
                FAILED_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
                "ROLLBACK",
            )
        return await running.run(self, statement, parameters)

    def note_failure(self, was_inside: bool) -> None:
        """A statement failed: if that ended a transaction, the client's block has failed."""
        if was_inside and not self.session.in_transaction:
            self.has_failed = True

    async def _close_portals(self) -> None:
        """Portals end with their transaction, where there is none with the message."""
        if self.session.in_transaction or not self.portals:
            return
        for name, portal in list(self.portals.items()):
            if not portal.holds:
                del self.portals[name]
                await portal.close()
