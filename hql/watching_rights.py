"""Whose doings somebody may see, and end: one's own, and everybody's with CONTROL on the
database. Without accounts everybody sees all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.storage.catalog import fold

if TYPE_CHECKING:
    from hartonomous.hql.session import Session


def may_see(session: Session, author: str) -> bool:
    """Whether a session may see what a user does and did."""
    account = session.account
    return account is None or account.is_owner or fold(account.name) == fold(author)
