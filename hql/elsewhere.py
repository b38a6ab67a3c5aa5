"""Queries that another process may answer: a reader's beside the writer's (server/workers.py).

A query may go elsewhere if its rows follow from the committed rows of its branch and from its
parameters, and if it leaves nothing behind that others see. `why_here` is the exact test, of a
bound query: it knows what views, computed columns and functions have brought in. `ReadingSession`
makes it in the very transaction that the query then reads.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from hartonomous.hql import ast
from hartonomous.hql import plan as p
from hartonomous.hql.errors import ParameterFault, SyntaxFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.functions.models import OfModels
from hartonomous.hql.limits import Limits
from hartonomous.hql.models.relations.tables import is_atoms
from hartonomous.hql.parameters import check_count
from hartonomous.hql.result import Result
from hartonomous.hql.rules.tree import walk
from hartonomous.hql.run import Guard, Prepared
from hartonomous.hql.scripts.signals import Signal
from hartonomous.hql.session import Session
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.query import QueryStatement, assigns, find_into
from hartonomous.hql.syntax import trees
from hartonomous.hql.texts import TEXTS_MAX
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.execute import PreparedPlan
    from hartonomous.hql.functions.base import Function
    from hartonomous.hql.session_interface import Parameters
    from hartonomous.storage.database import Database


class NotHere(Signal):
    """The query is not for this process; `str()` says why."""


def why_here(bound: p.BoundQuery) -> str | None:
    """Why a query must run in the process that writes, or None if any that reads will do."""
    if bound.of_session:
        return f"{bound.of_session[0]} is the session's"
    if bound.volatile:
        return "a function in it asks time or chance, or is a script"
    for time, _ in bound.moments:
        if time.kind != "COMMIT" or any(isinstance(n, ast.FunctionCall) for n in trees.walk(time)):
            return "the moment of FOR SYSTEM_TIME depends on when it is asked"
    for node in walk(bound.plan):
        reason = _why(node)
        if reason is not None:
            return reason
    return None


def _why(node: Any) -> str | None:
    """Why one node of a plan must run where the writer is."""
    if isinstance(node, p.ArrowSource):
        return f"{node.key} is a parameter, or computed by the process that is asked"
    if isinstance(node, p.Coefficients) or (isinstance(node, p.Scan) and is_atoms(node.table)):
        return f"{node.alias} reads models"
    if isinstance(node, p.Scan) and node.table.temporary:
        return f"{node.table.name} is the session's"
    function: Function | None = getattr(node, "function", None)
    if function is not None and _uses_models(function):
        return f"{function.name} uses a model"
    return None


def _uses_models(function: Function) -> bool:
    """Whether a bound function uses models of the catalog: what they are asked is kept."""
    inner = function.of_row
    return (
        isinstance(function.kernel, OfModels)
        or isinstance(function.rows, OfModels)
        or (inner is not None and _uses_models(inner))
    )


@frozen
class ReadElsewhere(Statement):
    """A query that runs if any process may run it; else NotHere."""

    query: ast.Query
    title: ClassVar[str] = "SELECT"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "reads"

    def __str__(self) -> str:
        return str(self.query)

    def run(self, context: Context) -> Result:
        """The rows. What cannot be bound is the writer's to say, too."""
        from hartonomous.hql.queries import prepare_query, start_plan

        session = context.session
        assert isinstance(session, ReadingSession), session
        try:
            prepared = prepare_query(context, self.query, key="query")
        except Error as error:
            raise NotHere(f"it cannot be bound: {error.code}") from error
        reason = _reason(context, prepared)
        if reason is not None:
            raise NotHere(reason)
        session.sequence = context.transaction.sequence
        return start_plan(context, prepared)


def _reason(context: Context, prepared: PreparedPlan) -> str | None:
    """What why_here says, kept as long as the plan."""
    key = ("elsewhere", context.parameters.signature)
    kept: tuple[PreparedPlan, str | None] | None = context.memory.find(context.catalog, key)
    if kept is None or kept[0] is not prepared:
        kept = prepared, why_here(prepared.bound)
        context.memory.keep(context.catalog, key, kept)
    return kept[1]


class ReadingSession(Session):
    """A session over a reader's database, that runs single queries for sessions of the writer's.

    `sequence` is the commit that the last query read its branch at. `stop` and `allow` are for
    who cancels from another thread: between `stop` and `allow` every query ends with Cancelled.
    """

    def __init__(self, database: Database, **options: Any) -> None:
        super().__init__(database, **options)
        self.sequence = 0
        self._readings: OrderedDict[str, tuple[Prepared, Prepared]] = OrderedDict()
        self._is_stopped = False

    @classmethod
    def open(cls, path: str) -> ReadingSession:
        """A session over the folder `path`. Raises what opening a database raises."""
        from hartonomous.storage.database import Database

        return cls(Database.open(path, read_only=True))

    def query(self, text: str, parameters: Parameters = None) -> Result | NotHere:
        """The rows of a text that is one query, or why they must be asked of the writer. Raises
        what computing them raises."""
        self.check_open()
        self.last_identity = None
        with Guard(self):
            try:
                check_count(text, parameters)
                prepared = self._reading(text)
                return self.run(prepared, self.open_frame(parameters), [])
            except NotHere as reason:
                return reason
            except (SyntaxFault, ParameterFault) as error:
                return NotHere(f"it is no query: {error.code}")

    def _reading(self, text: str) -> Prepared:
        """The query that a text is. Raises NotHere, SyntaxFault."""
        statements = self.prepare(text)
        known = self._readings.get(text)
        if known is not None and known[0] is statements[0]:
            self._readings.move_to_end(text)
            return known[1]
        if len(statements) != 1:
            raise NotHere("it is more than one statement, or none")
        statement = statements[0].statement
        if not isinstance(statement, QueryStatement):
            raise NotHere(f"{statement.title} is no query")
        if find_into(statement.query) is not None or assigns(statement.query):
            raise NotHere("it changes something")
        reading = ReadElsewhere(statement.query, span=statement.span)
        made = Prepared(reading, statements[0].text)
        self._readings[text] = statements[0], made
        if len(self._readings) > TEXTS_MAX:
            self._readings.popitem(last=False)
        return made

    # --- cancelling

    def stop(self) -> None:
        """Ends what runs or begins to run, from any thread."""
        self._is_stopped = True
        self.cancel()

    def allow(self) -> None:
        """Queries may run again."""
        self._is_stopped = False

    def new_limits(self, prepared: Prepared | None) -> Limits:
        limits = super().new_limits(prepared)
        if self._is_stopped:  # it came before there was anything to cancel
            limits.cancel()
        return limits


# --- in the process that was asked ---------------------------------------------------------------


class AwayQuery:
    """A query that another process answers, in the session that was asked: what @@ROWCOUNT and its
    kin say of it, and what those see who watch the session, cancel or KILL. `stop` ends it there,
    from any thread. Begun in the session's turn."""

    def __init__(self, session: Session, text: str, stop: Callable[[], object]) -> None:
        self._session = session
        self._result = Result()
        self._limits = session._running = AwayLimits(stop)
        self._watched = session.activity.begin(session, _stand_in(text), self._limits)

    def confirm(self) -> None:
        """It is answered there: it is what the session does now."""
        session = self._session
        session.last_identity = None
        session.title, session.is_last = ReadElsewhere.title, True
        session.status.note(self._result)

    def forget(self) -> None:
        """It is asked of the session itself after all."""
        self._watched.forget()

    def note_rows(self, count: int) -> None:
        """So many more rows came, and wait to be taken."""
        self._result.rows_read += count
        self._watched.pause(count)

    def go_on(self) -> None:
        """More rows are wanted."""
        self._watched.go_on()

    def end(self, error: Error | None = None) -> None:
        """It is over. Only the first time counts."""
        if error is not None:
            self._session.status.note_error(error)
            self._limits.note_error(error)
        self._limits.stop()


class AwayLimits(Limits):
    """Limits that another process keeps."""

    def __init__(self, stop: Callable[[], object]) -> None:
        super().__init__()
        self._stop_there = stop

    def cancel(self) -> None:
        super().cancel()
        self._stop_there()


@frozen
class Away(Statement):
    """Stands for a query that is not read here."""

    title: ClassVar[str] = ReadElsewhere.title
    usual_effect: ClassVar[str] = "reads"


@lru_cache(maxsize=TEXTS_MAX)
def _stand_in(text: str) -> Prepared:
    """What stands for a text, with the count of its runs that QueryLog was not told of."""
    return Prepared(Away(), text.strip().removesuffix(";").rstrip())
