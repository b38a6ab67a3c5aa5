"""What a session says of itself and of its database to clients (session_interface.py)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hartonomous.hql.transactions import Transactions

if TYPE_CHECKING:
    from hartonomous.hql.security.accounts import Account
    from hartonomous.hql.session_interface import ProcedureParameter
    from hartonomous.hql.shell.completion_names import Names
    from hartonomous.storage.catalog import Catalog


class About(Transactions):
    """A session's answers that no statement gives. `account` is whose it is; None: nobody is asked,
    and everything may be done."""

    account: Account | None = None

    @property
    def read_only(self) -> bool:
        return self.database.read_only

    def check_account(self) -> None:
        """AuthFault if the account is gone, or was nobody's and there are users now: what began
        before, a transaction or a result, ends there too."""
        if self.account is not None:
            from hartonomous.hql.security.accounts import Accounts

            Accounts.of(self.database).current(self.account)

    def commit(self) -> None:
        """Makes the open transaction durable. After a Conflict it is undone."""
        self.check_account()
        super().commit()

    def seen(self, catalog: Catalog) -> Catalog:
        """What the session may know of a catalog."""
        if self.account is None:
            return catalog
        from hartonomous.hql.security.accounts import Accounts
        from hartonomous.hql.security.visible import visible

        return visible(catalog, Accounts.of(self.database).current(self.account))

    @property
    def catalog_version(self) -> int:
        """Of the open transaction's catalog, else of main's newest: the same number, the same
        definitions."""
        transaction = self._transaction
        catalog = self.database.published.catalog if transaction is None else transaction.catalog
        return catalog.version

    @property
    def address(self) -> str:
        """What `connect` takes to come to the database again."""
        return ":memory:" if self.database.path is None else str(self.database.path)

    @property
    def database_name(self) -> str:
        """What prompts call the database."""
        folder = self.folder
        return "memory" if folder is None else folder.resolve().name.removesuffix(".hdb")

    @property
    def folder(self) -> Path | None:
        return None if self.database.path is None else Path(self.database.path)

    @property
    def where(self) -> str:
        """Who answers."""
        return f"process {os.getpid()}"

    def is_alive(self, *, asks: bool = False) -> bool:
        """See session_interface.py."""
        return not self.is_closed

    def find_procedure(self, name: str) -> tuple[ProcedureParameter, ...] | None:
        """See session_interface.py."""
        from hartonomous.hql.scripts.call_procedure import find_procedure

        self.check_open()
        return find_procedure(self, name)  # type: ignore[arg-type]

    def names(self, frame: Any = None) -> Names:
        """See session_interface.py."""
        from hartonomous.hql.shell.completion_names import Names

        return Names(self, None if frame is None else frame.parameters)  # type: ignore[arg-type]
