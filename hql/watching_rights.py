"""Whose doings somebody may see, and end: one's own; with VIEW STATE on the database others' too,
and with CONTROL end them. Without accounts everybody may everything.

Constants in a text are values of somebody's rows: others' texts are forms (normal_text.py) but for
who has CONTROL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hartonomous.storage.catalog import fold

if TYPE_CHECKING:
    from hartonomous.hql.session import Session

VIEW_STATE: Final = "VIEW STATE"


def may_see(session: Session, author: str) -> bool:
    """Whether a session may see what a user does and did."""
    account = session.account
    return account is None or account.may(VIEW_STATE) or fold(account.name) == fold(author)


def seen_text(session: Session, author: str, text: str) -> str:
    """A text of a user's, as a session may see it."""
    if may_end(session, author):
        return text
    from hartonomous.hql.normal_text import normal_text

    return normal_text(text)


def may_end(session: Session, author: str) -> bool:
    """Whether a session may end what a user does."""
    account = session.account
    return account is None or account.is_owner or fold(account.name) == fold(author)
