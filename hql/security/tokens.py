"""CREATE TOKEN, DROP TOKEN: secrets that stand for a user's name and password."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault
from hartonomous.hql.history.branches import refuse_inside
from hartonomous.hql.plan import Field, schema_of
from hartonomous.hql.result import Result
from hartonomous.hql.security.accounts import Accounts, token_text_of
from hartonomous.hql.security.audit import note
from hartonomous.hql.security.checking import denied
from hartonomous.hql.security.directory import Directory, Token, token_text
from hartonomous.hql.security.passwords import hash_token, new_token
from hartonomous.hql.types import DATETIME2, NVARCHAR
from hartonomous.storage.catalog import fold
from hartonomous.storage.errors import AlreadyExists, Error, NotFound
from hartonomous.storage.settings import retention_us

if TYPE_CHECKING:
    from hartonomous.hql.ast import Identifier
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.create_token import CreateToken
    from hartonomous.hql.statements.drop_token import DropToken

#: tokens that a database keeps
TOKENS_MAX: Final = 10_000

FIELDS: Final = (
    Field("Name", NVARCHAR),
    Field("Token", NVARCHAR),
    Field("ExpiresAt", DATETIME2),
)


def run_create_token(statement: CreateToken, context: Context) -> Result:
    """CREATE TOKEN: by the user, or who has CONTROL. The answer is the only time it is shown."""
    refuse_inside(context, "CREATE TOKEN")
    _check_own(context, statement.user.text, statement.user)
    database = context.session.database
    expires = _expires(statement, context)
    secret, identity = new_token(), os.urandom(8).hex()
    name = statement.name.text

    def change(directory: Directory) -> Mapping[str, str | None]:
        user = directory.users.get(fold(statement.user.text))
        if user is None:
            message = f'there is no user "{statement.user.text}"'
            raise place(NotFound(message), statement.user)
        if any(fold(t.name) == fold(name) for t in directory.tokens.values()):
            raise place(AlreadyExists(f'the token "{name}" already exists'), statement.name)
        if len(directory.tokens) >= TOKENS_MAX:
            raise place(BindFault(f"a database has at most {TOKENS_MAX:,} tokens"), statement)
        now = database.clock.now_us()
        token = Token(identity, name, user.name, hash_token(secret), now, expires)
        return {f"token/{identity}": token_text(token)}

    Accounts.of(database).change(change)
    note(context.session, "CREATE TOKEN", str(statement))
    schema = schema_of(FIELDS)
    row = (name, token_text_of(identity, secret), expires)
    arrays = [
        pa.array([value], pa.int64()).cast(pa.timestamp("us")).cast(f.type)
        if f.name == "ExpiresAt"
        else pa.array([value], f.type)
        for value, f in zip(row, schema, strict=True)
    ]
    return Result.of_table(FIELDS, pa.Table.from_arrays(arrays, schema=schema))


def run_drop_token(statement: DropToken, context: Context) -> Result:
    """DROP TOKEN: by its user, or who has CONTROL."""
    refuse_inside(context, "DROP TOKEN")
    name = statement.name.text
    accounts = Accounts.of(context.session.database)
    found = [t for t in accounts.directory.tokens.values() if fold(t.name) == fold(name)]
    account = context.rights
    if account is not None and not account.is_owner:
        found = [t for t in found if fold(t.user) == fold(account.name)]
    if not found:
        if statement.if_exists:
            return Result()
        raise place(NotFound(f'there is no token "{name}"'), statement.name)
    accounts.change(lambda directory: {f"token/{t.id}": None for t in found})
    note(context.session, "DROP TOKEN", str(statement))
    return Result()


def _check_own(context: Context, user: str, node: Identifier) -> None:
    account = context.rights
    if account is None or account.is_owner or fold(account.name) == fold(user):
        return
    raise denied("tokens of others need the right CONTROL on the database", node)


def _expires(statement: CreateToken, context: Context) -> int | None:
    """When the token ends, in microseconds since 1970 UTC: a length of time from now, or a
    moment."""
    from hartonomous.hql.models.options import plain_value

    option = statement.option
    if option is None:
        return None
    if option.name.upper() != "EXPIRES":
        raise place(BindFault(f"{option.name} is no setting of tokens", hint="EXPIRES"), option)
    given = plain_value(option, context)
    now = context.session.database.clock.now_us()
    try:
        at = now + retention_us(str(given))
    except Error:
        at = _moment(str(given), statement)
    if at <= now:
        raise place(BindFault("a token must end later than now"), option)
    return at


def _moment(text: str, statement: CreateToken) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fault = BindFault(
            f"'{text}' is neither a length of time nor a moment",
            hint="EXPIRES = '30 days', or EXPIRES = '2030-01-01 00:00' (UTC)",
        )
        raise place(fault, statement) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1_000_000)
