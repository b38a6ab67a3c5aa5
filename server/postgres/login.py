"""Who a client of PostgreSQL is, and what it is told when it may come in.

Nobody is asked while there are no users, from this machine. A user WITH SCRAM = ON proves the
password by SCRAM-SHA-256. Of others the server has a memory-hard hash alone, which needs the
password itself: it is asked for where nobody listens, by TLS or on this machine. A token may stand
in its place.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hartonomous.hql.errors import AuthFault
from hartonomous.server.postgres import replies, scram
from hartonomous.server.postgres.client import Client
from hartonomous.server.postgres.commands import Values
from hartonomous.server.postgres.messages import Body, Malformed, Password, Startup

if TYPE_CHECKING:
    from hartonomous.hql.security.accounts import Account
    from hartonomous.server.postgres.connection import Connection

#: of mock verifiers, which are to be the same for a name as long as the process lives
_SECRET = os.urandom(32)
_CLEARTEXT = replies.message(b"R", (3).to_bytes(4))


async def log_in(connection: Connection, startup: Startup) -> Client:
    """The client, once it has proved who it is. Raises AuthFault, Busy, Malformed, Refused."""
    name = startup.parameters.get("user", "")
    account = await _authenticate(connection, name)
    connection.incoming.trust()
    connection.door.is_known(connection)
    values = _values(startup, account.name or name)
    door = connection.door
    session = await door.engine.open_session(account, "postgres", str(connection.peer))
    session.client = values["application_name"]
    client = Client(connection, session, values, startup.parameters.get("database") or name)
    session.on_close = connection.end
    try:
        await client.open(startup.parameters.get("options", ""))
        await _welcome(connection, startup, client)
    except BaseException:  # refused, gone or too late: nobody else knows of the session
        await client.close()
        raise
    return client


async def _welcome(connection: Connection, startup: Startup, client: Client) -> None:
    connection.stop_running = client.cancel
    refused = [option for option in startup.parameters if option.startswith("_pq_.")]
    if startup.minor or refused:
        await connection.send(replies.negotiate(0, refused))
    await connection.send(replies.AUTHENTICATED)
    for setting, value in client.values.reported:
        await connection.send(replies.parameter_status(setting, value))
    await connection.send(replies.key_data(connection.process, connection.key))
    await connection.send(replies.ready("I"))


def _values(startup: Startup, name: str) -> Values:
    """The connection's settings: of what the client asked for, what can be had."""
    values = Values()
    values.put("session_authorization", name)
    for setting, value in startup.parameters.items():
        if setting not in ("user", "database", "options", "replication", "hql.branch"):
            values.try_accept(setting, value)
    return values


async def _authenticate(connection: Connection, name: str) -> Account:
    door = connection.door
    error: AuthFault | None = None
    try:
        if not door.authenticator.accounts.has_users:
            return door.authenticator.open_account(connection.peer)
        return await _prove(connection, name)
    except AuthFault as fault:
        error = fault
        raise
    finally:
        for observer in door.engine.observers:
            observer.on_login(name, str(connection.peer), "postgres", error)


async def _prove(connection: Connection, name: str) -> Account:
    authenticator = connection.door.authenticator
    verifier = authenticator.accounts.scram_verifier(name)
    if verifier is None and (connection.is_secure or connection.peer.is_local):
        return await _by_password(connection, name)
    with authenticator.attempt(connection.peer, name):
        exchange = scram.Exchange(
            verifier if verifier is not None else scram.mock_verifier(name, _SECRET),
            is_known=verifier is not None,
        )
        await connection.send(replies.sasl_mechanisms([scram.MECHANISM]))
        first = Body(await _answer(connection))
        if first.text() != scram.MECHANISM:
            raise AuthFault(scram.REFUSED)
        length = first.int32()
        begun = exchange.begin(first.take(length) if length >= 0 else b"")
        await connection.send(replies.sasl_continue(begun))
        final = exchange.finish(await _answer(connection))
        account = authenticator.accounts.find(name)
        if account is None:
            raise AuthFault(scram.REFUSED)
    await connection.send(replies.sasl_final(final))
    return account


async def _by_password(connection: Connection, name: str) -> Account:
    """The password, or a token, as it is."""
    from hartonomous.hql.security.accounts import TOKEN_PREFIX

    authenticator = connection.door.authenticator
    await connection.send(_CLEARTEXT)
    given = Body(await _answer(connection))
    password = given.text()
    given.finish()
    if not password.startswith(TOKEN_PREFIX):
        return await authenticator.by_password(connection.peer, name, password)
    account = authenticator.by_token(connection.peer, password)
    if account.name.casefold() != name.casefold():
        raise AuthFault(scram.REFUSED)
    return account


async def _answer(connection: Connection) -> bytes:
    message = await connection.receive()
    if not isinstance(message, Password):
        raise Malformed("a password is waited for")
    return message.data
