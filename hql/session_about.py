"""What a session says of itself and of its database to clients (session_interface.py)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hartonomous.hql.transactions import Transactions

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.shell.completion_names import Names


class About(Transactions):
    """A session's answers that no statement gives."""

    @property
    def read_only(self) -> bool:
        return self.database.read_only

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

    def call_procedure(
        self, name: str, given: Mapping[str, Any] | Sequence[Any], messages: list[str]
    ) -> tuple[list[Result], list[Any] | dict[str, Any]]:
        """See session_interface.py."""
        from hartonomous.hql.scripts.call_procedure import call_procedure

        return call_procedure(self, name, given, messages)  # type: ignore[arg-type]

    def names(self, frame: Any = None) -> Names:
        """See session_interface.py."""
        from hartonomous.hql.shell.completion_names import Names

        return Names(self, None if frame is None else frame.parameters)  # type: ignore[arg-type]
