"""Makes the rows of SessionPaths follow the events: one pass over all sessions that changed.

events of the sessions, by (session, Seq) → points of their atoms → one LINESTRING a session
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.atoms.adding import as_array
from hartonomous.hql.frozen import frozen
from hartonomous.hql.functions.geometry_kernels import array_of_shapes, shapes_of, srid_mismatch
from hartonomous.hql.system_schema.writing import append, ensure, find
from hartonomous.kernels.geometry.layout import LINESTRING, POINT, Shapes

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

Int64 = npt.NDArray[np.int64]
EVENT_COLUMNS = ("SessionId", "Seq", "AtomId", "At", "Outcome")
NOTHING = np.empty(0, np.int64)


def follow(context: Context, sessions: Any) -> None:
    """Brings SessionPaths up to date for these sessions, which may repeat."""
    sessions = pc.unique(as_array(sessions))
    if not len(sessions):
        return
    events = _events(context, sessions)
    made = pa.table(
        {
            "SessionId": sessions,
            "Path": _paths(_points(context, events.atoms), events, len(sessions)),
            "StartedAt": events.earliest(len(sessions)),
            "EndedAt": events.latest(len(sessions)),
            "Outcome": events.last_outcome(len(sessions)),
        }
    )
    _store(context, made, np.bincount(events.session, minlength=len(sessions)) > 0)


def follow_atoms(context: Context, ids: pa.Array) -> None:
    """Brings the paths through these atoms up to date, after their points changed."""
    events = find(context, "SessionEvents")
    if events is None:
        return
    addresses = addresses_of(context, "SessionEvents", "AtomId", ids)
    follow(context, context.transaction.view(events.id).gather("SessionId", addresses))


def addresses_of(context: Context, name: str, column: str, values: pa.Array) -> Int64:
    """Addresses, ascending, of the rows of a system table with one of the values in a column that
    has a key of its own."""
    table = find(context, name)
    if table is None or not len(values):
        return NOTHING
    entry = table.find_column(column)
    assert entry is not None, (name, column)
    key = next(k for k in table.keys if k.columns == (entry.id,))
    found: Int64 = context.transaction.view(table.id).lookup(key.id, pa.table({column: values}))
    return found


@frozen
class Events:
    """Events in order of session and Seq. `session`: int64[E], the session's number."""

    session: Int64
    atoms: pa.Array
    at: pa.Array
    outcomes: pa.Array

    def earliest(self, sessions: int) -> pa.Array:
        """The least At of each session; NULL if there is none."""
        return self._reduced(sessions, np.minimum, np.iinfo(np.int64).max)

    def latest(self, sessions: int) -> pa.Array:
        """The greatest At of each session; NULL if there is none."""
        return self._reduced(sessions, np.maximum, np.iinfo(np.int64).min)

    def _reduced(self, sessions: int, reduce: np.ufunc, neutral: int) -> pa.Array:
        known = self.at.is_valid().to_numpy(zero_copy_only=False)
        times = self.at.drop_null().cast(pa.int64()).to_numpy()
        found = np.full(sessions, neutral, np.int64)
        reduce.at(found, self.session[known], times)
        absent = np.bincount(self.session[known], minlength=sessions) == 0
        return pa.array(found, mask=absent).cast(self.at.type)

    def last_outcome(self, sessions: int) -> pa.Array:
        """The last Outcome of each session that is not NULL."""
        places = np.flatnonzero(self.outcomes.is_valid().to_numpy(zero_copy_only=False))
        last = np.full(sessions, -1, np.int64)
        np.maximum.at(last, self.session[places], places)
        return self.outcomes.take(pa.array(last, mask=last < 0))


def _events(context: Context, sessions: pa.Array) -> Events:
    """The events of the sessions."""
    view = context.transaction.view(ensure(context, "SessionEvents").id)
    addresses = addresses_of(context, "SessionEvents", "SessionId", sessions)
    names, seq, atoms, at, outcomes = (view.gather(n, addresses) for n in EVENT_COLUMNS)
    session = pc.index_in(names, value_set=sessions).to_numpy().astype(np.int64)
    order = np.lexsort((seq.to_numpy(), session))
    rows = pa.array(order)
    return Events(session[order], atoms.take(rows), at.take(rows), outcomes.take(rows))


# --- paths ---------------------------------------------------------------------------------------


@frozen
class Points:
    """For each event: whether it has a point, and for those that do coordinates and SRID."""

    has_one: npt.NDArray[np.bool_]  # bool[E]
    coords: npt.NDArray[np.float64]  # float64[P, 3]
    srid: npt.NDArray[np.int32]  # int32[P]


def _points(context: Context, atoms: pa.Array) -> Points:
    """The SpatialKeys of the events' atoms; the centroid of one that is no point."""
    none = Points(np.zeros(len(atoms), np.bool_), np.empty((0, 3)), np.empty(0, np.int32))
    wanted = pc.unique(atoms.drop_null())
    addresses = addresses_of(context, "Atoms", "AtomId", wanted)
    if not len(addresses):
        return none
    view = context.transaction.view(ensure(context, "Atoms").id)
    shapes, valid = shapes_of(view.gather("SpatialKey", addresses))
    ids = view.gather("AtomId", addresses)
    if valid is not None:
        ids = ids.filter(pa.array(valid))
    filled = np.flatnonzero(~shapes.is_empty)
    if not len(filled):
        return none
    shapes, ids = shapes.take(filled), ids.take(pa.array(filled))
    if not (shapes.kind == POINT).all():
        from hartonomous.kernels.geometry.measures import centroid

        shapes = centroid(shapes)
    place = pc.index_in(atoms, value_set=ids)
    rows = place.drop_null().to_numpy()
    has_one = place.is_valid().to_numpy(zero_copy_only=False)
    return Points(has_one, shapes.coords[shapes.coord_starts[:-1]][rows], shapes.srid[rows])


def _paths(points: Points, events: Events, sessions: int) -> pa.Array:
    """The path of each session; NULL where no event has a point."""
    session = events.session[points.has_one]
    counts = np.bincount(session, minlength=sessions)
    valid = counts > 0
    # a line has two points at least
    repeats = np.where(counts == 1, 2, 1)
    lengths = (counts * repeats)[valid]
    count = int(valid.sum())
    lines = Shapes(
        np.full(count, LINESTRING, np.int8),
        np.zeros(count),
        _srids(points.srid, session, sessions)[valid],
        np.zeros(count + 1, np.int64),
        np.empty(0, np.int32),
        np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        np.repeat(points.coords, repeats[session], axis=0),
    )
    return array_of_shapes(lines, valid)


def _srids(srid: npt.NDArray[np.int32], session: Int64, sessions: int) -> npt.NDArray[np.int32]:
    """int32[S]: the SRID of each session's points; SRID_MISMATCH if there are two but 0."""
    stated = srid != 0
    least = np.full(sessions, np.iinfo(np.int32).max, np.int32)
    np.minimum.at(least, session[stated], srid[stated])
    greatest = np.zeros(sessions, np.int32)
    np.maximum.at(greatest, session[stated], srid[stated])
    mixed = np.flatnonzero(least < greatest)
    if len(mixed):
        raise srid_mismatch(int(least[mixed[0]]), int(greatest[mixed[0]]))
    return greatest


# --- rows ----------------------------------------------------------------------------------------


def _store(context: Context, made: pa.Table, has_events: npt.NDArray[np.bool_]) -> None:
    """Updates the sessions that have a row; those that have none and have events get one."""
    table = ensure(context, "SessionPaths")
    sessions = as_array(made.column("SessionId"))
    addresses = addresses_of(context, "SessionPaths", "SessionId", sessions)
    view = context.transaction.view(table.id)
    known = view.gather("SessionId", addresses)
    if len(addresses):
        rows = made.take(pc.index_in(known, value_set=sessions))
        rows = rows.append_column("UserId", view.gather("UserId", addresses))
        rows = rows.select(table.arrow_schema.names).cast(table.arrow_schema)
        context.transaction.update(table.id, addresses, rows)
    is_new = pc.and_(pc.invert(pc.is_in(sessions, value_set=known)), pa.array(has_events))
    new = made.filter(is_new)
    if new.num_rows:
        append(context, "SessionPaths", new)
