"""CREATE SPACE and DROP SPACE.

Landmarks are chosen among the vectors (or encoded texts) that the query gives, of at most
SAMPLE_ROWS rows, a uniform sample drawn by the seed; without a query among the atoms' embeddings,
or, where there are none, among the encoder's own anchors. Equal data, options and order of rows
make equal spaces.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.hql import encoders, spaces
from hartonomous.hql.changes.new_names import check_word
from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.model import srids_of
from hartonomous.hql.models.using import Models
from hartonomous.hql.result import Result
from hartonomous.hql.spaces.measuring import encoder_box, measure, vectors_box
from hartonomous.hql.spaces.options import SpaceOptions, read_options
from hartonomous.hql.spaces.space import Space
from hartonomous.hql.system_schema.writing import append, find
from hartonomous.kernels.landmarks import METHODS, sample_keys
from hartonomous.kernels.projection import principal_directions
from hartonomous.storage.catalog import SPACES, SpaceEntry, fold
from hartonomous.storage.errors import AlreadyExists, NotFound

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.encoders.base import Encoder
    from hartonomous.hql.statements.create_space import CreateSpace
    from hartonomous.hql.statements.drop_space import DropSpace

#: rows among which landmarks are chosen
SAMPLE_ROWS: Final = 16_384
_LANDMARKS = "SpatialLandmarks"


@frozen
class Candidates:
    """Vectors float32[N,D] that may become landmarks, and their texts if they were texts."""

    vectors: npt.NDArray[np.float32]
    texts: pa.Array | None = None


def run_create_space(statement: CreateSpace, context: Context) -> Result:
    """CREATE SPACE."""
    name = statement.name.text
    check_word(statement.name)
    if fold(name) == spaces.DEFAULT or context.catalog.find(SPACES, name) is not None:
        if statement.if_not_exists:
            return Result()
        raise place(AlreadyExists(f'the space "{name}" already exists'), statement.name)
    models = Models(context.catalog, context.session.database)
    options = read_options(statement.options, models)
    _check_srid(options, context, statement)
    named = next(iter(options.encoders.values()), None)
    encoder = None if named is None else encoders.get(named, models)
    with context.limits.lent():  # so that encoding can be stopped
        given = _candidates(statement, options, encoder, context)
    context.limits.check()
    rows = METHODS[options.method](given.vectors, options.landmarks, options.seed)
    matrix = principal_directions(given.vectors[rows])
    context.limits.check()
    definition = {
        "encoders": options.encoders,
        "landmarks": len(rows),
        "method": options.method,
        "seed": options.seed,
        "box": encoder_box(encoder, matrix) if encoder else vectors_box(given.vectors, matrix),
        **measure(given.vectors, matrix, options.seed),
    }
    projection = matrix.astype("<f4").tobytes()
    entry = SpaceEntry(0, name, options.srid or 0, projection, json.dumps(definition))
    _keep_landmarks(context, _added(entry, context), given, rows)
    return Result()


def run_drop_space(statement: DropSpace, context: Context) -> Result:
    """DROP SPACE."""
    name = statement.name.text
    if fold(name) == spaces.DEFAULT:
        fault = BindFault(f'the space "{name}" is the default encoder\'s and cannot be dropped')
        raise place(fault, statement.name)
    entry = context.catalog.find(SPACES, name)
    if entry is None:
        if statement.if_exists:
            return Result()
        raise place(NotFound(f'there is no space "{name}"'), statement.name)
    table = find(context, _LANDMARKS)
    if table is not None:
        key = next(k for k in table.keys if k.kind == "INDEX")
        view = context.transaction.view(table.id)
        addresses = view.lookup(key.id, pa.table({"SpaceName": [entry.name]}))
        if len(addresses):
            context.transaction.delete(table.id, addresses)
    context.transaction.drop(entry)
    return Result()


def _check_srid(options: SpaceOptions, context: Context, statement: CreateSpace) -> None:
    taken = {
        srid: f'rows of the model "{name}"' for srid, name in srids_of(context.catalog).items()
    }
    taken |= {s.srid: f'the space "{s.name}"' for s in spaces.all_spaces(context.catalog)}
    if options.srid in taken:
        message = f"SRID {options.srid} is that of {taken[options.srid]}"
        raise place(AlreadyExists(message), statement)


def _added(entry: SpaceEntry, context: Context) -> Space:
    """The space in the catalog. Without an SRID given it gets one of its entry's number, which is
    never used again: points of a dropped space never look like another's."""
    made = context.transaction.create(entry)
    assert isinstance(made, SpaceEntry)
    if not made.srid:
        taken = {s.srid for s in context.catalog.spaces()} | set(srids_of(context.catalog))
        numbers = itertools.count(spaces.default_space().srid + made.id)
        made = replace(made, srid=next(n for n in numbers if n not in taken))
        context.transaction.replace(made)
    return Space(made)


# --- candidates ----------------------------------------------------------------------------------


def _candidates(
    statement: CreateSpace, options: SpaceOptions, encoder: Encoder | None, context: Context
) -> Candidates:
    """What landmarks are chosen from; BIND if there is nothing."""
    if statement.landmarks is not None:
        return _of_query(statement, options, encoder, context)
    if encoder is None:
        fault = BindFault(
            "a space needs an encoder or landmarks",
            hint=f"CREATE SPACE {statement.name} WITH (text = '{encoders.DEFAULT}')",
        )
        raise place(fault, statement)
    atoms = _of_atoms(options, context) if encoder.name == encoders.DEFAULT else None
    return atoms or Candidates(_sampled(encoder.anchors(), options.seed))


def _sampled(vectors: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.float32]:
    if len(vectors) <= SAMPLE_ROWS:
        return vectors
    return vectors[np.sort(np.argsort(sample_keys(0, len(vectors), seed))[:SAMPLE_ROWS])]


def _of_atoms(options: SpaceOptions, context: Context) -> Candidates | None:
    """The atoms' embeddings; None where there are no atoms."""
    table = find(context, "Atoms")
    if table is None:
        return None
    found = context.transaction.view(table.id).scan(["Embedding"]).table.column("Embedding")
    sample = Sample(options.seed)
    for chunk in found.chunks:
        sample.add(chunk)
    return _vectors(sample.rows()) if sample.size else None


def _of_query(
    statement: CreateSpace, options: SpaceOptions, encoder: Encoder | None, context: Context
) -> Candidates:
    assert statement.landmarks is not None
    result = context.query(statement.landmarks)
    try:
        fields = result.fields or ()
        kind = fields[0].type.kind if len(fields) == 1 else ""
        if kind not in ("NVARCHAR", "VECTOR"):
            fault = BindFault(
                "LANDMARKS takes a query of one column, texts or vectors", code="TYPE_MISMATCH"
            )
            raise place(fault, statement.landmarks)
        if kind == "NVARCHAR" and encoder is None:
            fault = BindFault(
                "landmarks that are texts need an encoder",
                hint=f"WITH (text = '{encoders.DEFAULT}')",
            )
            raise place(fault, statement)
        sample = Sample(options.seed)
        for batch in result.batches():
            sample.add(batch.column(0))
    finally:
        result.close()
    if not sample.size:
        raise place(BindFault("the query of LANDMARKS gives no values"), statement.landmarks)
    rows = sample.rows()
    if kind == "NVARCHAR":
        assert encoder is not None
        return Candidates(encoder.encode(rows), rows)
    given = _vectors(rows)
    if encoder is not None and given.vectors.shape[1] != encoder.dimensions:
        fault = BindFault(
            f"{encoder.name} has {encoder.dimensions} dimensions, the landmarks "
            f"{given.vectors.shape[1]}",
            code="TYPE_MISMATCH",
        )
        raise place(fault, statement.landmarks)
    return given


def _vectors(rows: pa.Array) -> Candidates:
    from hartonomous.hql.functions.vector_arrays import matrix_of

    matrix = matrix_of(rows)
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        raise BindFault("a landmark has an element that is NaN or infinite")
    return Candidates(np.ascontiguousarray(matrix))


class Sample:
    """A uniform sample of SAMPLE_ROWS of the rows added, in their order; NULLs are left out. Keeps
    the rows whose random keys are smallest, so that any number of rows may pass."""

    def __init__(self, seed: int) -> None:
        self._seed, self._seen = seed, 0
        self._parts: list[pa.Array] = []
        self._keys = np.empty(0, np.uint64)

    @property
    def size(self) -> int:
        return len(self._keys)

    def add(self, rows: pa.Array) -> None:
        rows = rows.drop_null()
        if not len(rows):
            return
        keys = sample_keys(self._seen, len(rows), self._seed)
        self._seen += len(rows)
        self._parts.append(rows)
        self._keys = np.concatenate((self._keys, keys))
        if len(self._keys) > 2 * SAMPLE_ROWS:
            self._narrow()

    def rows(self) -> pa.Array:
        """The rows of the sample; there is at least one."""
        self._narrow()
        return self._parts[0]

    def _narrow(self) -> None:
        whole = pa.concat_arrays(self._parts)
        if len(whole) > SAMPLE_ROWS:
            kept = np.sort(np.argpartition(self._keys, SAMPLE_ROWS)[:SAMPLE_ROWS])
            whole, self._keys = whole.take(pa.array(kept)), self._keys[kept]
        self._parts = [whole]


def _keep_landmarks(
    context: Context, space: Space, given: Candidates, rows: npt.NDArray[np.int64]
) -> None:
    """The landmarks as rows of SpatialLandmarks, numbered in the order they were chosen."""
    from hartonomous.hql.functions.vector_arrays import array_of
    from hartonomous.hql.system_schema.spaces import DIMENSIONS
    from hartonomous.hql.types import vector

    count, vectors = len(rows), given.vectors[rows]
    kind = vector(DIMENSIONS).arrow
    is_shown = vectors.shape[1] == DIMENSIONS
    table = {
        "SpaceName": pa.array([space.name] * count, pa.string()),
        "LandmarkId": pa.array(np.arange(1, count + 1, dtype=np.int32)),
        "CanonicalText": pa.nulls(count, pa.string())
        if given.texts is None
        else given.texts.take(pa.array(rows)),
        "Embedding": array_of(vectors) if is_shown else pa.nulls(count, kind),
        "SpatialKey": space.geometries(space.project(vectors)),
    }
    append(context, _LANDMARKS, pa.table(table))
