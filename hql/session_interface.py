"""What clients need of a session: the one waist between what a person or program works with
(connections, cursors, the shell, notebooks, SQLAlchemy) and where statements run.

    Connection, Shell, HQLMagics, HQLDialect
                    │
              SessionInterface
               ╱            ╲
          hql.Session     server.client.RemoteSession
          (this process)  (a server's Session, over the wire)

Nothing above the waist asks which of the two it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hartonomous.hql.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.shell.completion_names import NamesInterface

#: values by name (without marks), or in the order of the `?`
Parameters = Mapping[str, Any] | Sequence[Any] | None


@frozen
class ProcedureParameter:
    """One parameter of a procedure; `type` is HQL's name of it."""

    name: str
    type: str
    is_output: bool


class FrameInterface(Protocol):
    """Texts that share variables, as those of a shell do until GO."""

    def values(self, names: Iterable[str]) -> dict[str, Any]:
        """The values of variables now, by folded name, as rows would have them."""

    def close(self) -> None:
        """Lets go of the variables. Idempotent."""


class AdvanceInterface(Protocol):
    """How far a statement is."""

    @property
    def done(self) -> int: ...

    @property
    def share(self) -> float: ...

    @property
    def seconds(self) -> float: ...


class SessionInterface(Protocol):
    """A client's session. Not for two threads at once, but for `cancel` and `advance`."""

    autocommit: bool

    @property
    def address(self) -> str:
        """What `connect` takes to come here again: `:memory:`, a folder, a URL without secrets."""

    @property
    def database_name(self) -> str:
        """What prompts call the database: `memory`, a folder's name without `.hdb`."""

    @property
    def folder(self) -> Path | None:
        """The database's folder; None in memory, and for a folder of another machine."""

    @property
    def where(self) -> str:
        """Who answers, for people: `process 17`, `session 3 of a server`."""

    @property
    def author(self) -> str: ...

    @property
    def branch(self) -> str: ...

    @property
    def timeout(self) -> float | None: ...

    @property
    def memory(self) -> int | None: ...

    @property
    def read_only(self) -> bool: ...

    @property
    def in_transaction(self) -> bool: ...

    @property
    def is_closed(self) -> bool: ...

    @property
    def last_identity(self) -> int | None:
        """The last IDENTITY value that the last text gave out."""

    @property
    def advance(self) -> AdvanceInterface | None:
        """How far what runs now is, if that is known."""

    def check_open(self) -> None:
        """Raises TransactionFault if the session is closed."""

    # --- statements ---

    def execute(
        self, text: str, parameters: Parameters = None, messages: list[str] | None = None
    ) -> list[Result]:
        """Runs every statement; only the last result may still be computing. `messages` gets what
        statements say, also if a later one fails."""

    def results(
        self,
        text: str,
        parameters: Parameters = None,
        messages: list[str] | None = None,
        frame: Any = None,
    ) -> Iterator[Result]:
        """The results one by one: a statement runs when the next result is asked for. Messages
        come as they are said. `frame`, one of this session's, holds the parameters then."""

    def execute_many(
        self,
        text: str,
        rows: Iterable[Mapping[str, Any] | Sequence[Any]],
        messages: list[str] | None = None,
    ) -> int:
        """Runs a text for each set of parameters, all or nothing; the rows changed, or -1."""

    def open_frame(self, parameters: Parameters = None) -> FrameInterface: ...

    def find_procedure(self, name: str) -> tuple[ProcedureParameter, ...] | None:
        """The parameters of a procedure, whose name may have its schema; None if there is none.
        Raises ParameterFault for what is no name."""

    def names(self, frame: Any = None) -> NamesInterface:
        """What can be named now, for completion, with the variables of a frame of this session."""

    def cancel(self) -> None:
        """Stops what runs now, from any thread."""

    # --- transactions ---

    def begin(self) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def use_branch(self, name: str) -> None:
        """Later transactions are of that branch. Raises NotFound, TransactionFault inside one."""

    # --- life ---

    def is_alive(self, *, asks: bool = False) -> bool:
        """Whether the database can be reached; `asks`: it is asked, else what is known counts."""

    def reset(self) -> bool:
        """Closes results that were not read to their end; whether the session is as a new one then:
        no transaction, #temp table, setting, cursor or branch of its own is left."""

    def close(self) -> None:
        """Undoes an open transaction, drops temp tables, lets the database go. Idempotent."""
