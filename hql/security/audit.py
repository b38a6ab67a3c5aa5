"""The audit: log-ins, failed ones, changes of rights, denied statements. A log beside the database
(storage/logs.py), outside commits, of which the last records are kept; sys.audit shows it.

    LOGIN, LOGIN_FAILED     the doors note them; `detail` says by what (password, token)
    DENIED                  a statement, and which right was missing
    CREATE USER, GRANT …    the statement, without secrets
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgpack

from hartonomous.hql.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.hql.session import Session
    from hartonomous.storage.database import Database

LOG: Final = "audit"
#: characters of a text that a record keeps
CHARACTERS_MAX: Final = 1_000


@frozen
class Record:
    """One thing that happened. `account` is whose session it was, or the name that was given;
    empty for a session without one."""

    at_us: int
    event: str
    account: str
    door: str
    peer: str
    detail: str
    succeeded: bool


def record(
    database: Database,
    event: str,
    *,
    account: str = "",
    door: str = "",
    peer: str = "",
    detail: str = "",
    succeeded: bool = True,
) -> None:
    """Keeps a record; texts are cut, secrets must be out of them. Raises nothing."""
    texts = (cut(t) for t in (event, account, door, peer, detail))
    database.log(LOG).append(msgpack.packb([database.clock.now_us(), *texts, succeeded]))


def note(session: Session, event: str, detail: str, *, succeeded: bool = True) -> None:
    """Keeps a record of what a session did."""
    account = session.account.name if session.account is not None else ""
    record(
        session.database,
        event,
        account=account,
        door=session.door,
        peer=session.peer or "",
        detail=detail,
        succeeded=succeeded,
    )


def records_of(database: Database) -> list[Record]:
    """What is kept, the oldest first."""
    return [Record(*msgpack.unpackb(data)) for data in database.log(LOG).records()]


def cut(text: str) -> str:
    shown = text if len(text) <= CHARACTERS_MAX else text[: CHARACTERS_MAX - 2] + " …"
    return shown.encode("utf-8", "replace").decode()
