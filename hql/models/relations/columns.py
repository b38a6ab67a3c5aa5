"""The narrow columns of TensorAtoms as Arrow arrays, by model.

Texts are dictionaries of one value a tensor. What depends on a model's contents alone is kept by
its manifest, which is its content's name, in bounded memory: the rows' tensors, units, norms,
importance and hashes. The rest is made when it is asked for, by NumPy over all rows of a model at
once: 204,733 rows of a column take 0.1 to 0.3 ms.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.hql.models.model import Model
from hartonomous.hql.models.relations.layout import OF_TENSOR, Chosen, Int64, Layout
from hartonomous.hql.models.relations.tables import ATOM_FIELDS
from hartonomous.hql.models.row_data import HASH_BYTES, read_row_data
from hartonomous.hql.models.units import rows_per_unit
from hartonomous.storage.errors import Corruption
from hartonomous.storage.tensors import read_object

if TYPE_CHECKING:
    from hartonomous.storage.database import Database

#: bytes of columns that are kept
KEPT_BYTES_MAX: Final = 256 << 20
#: rows of a chunk of a column: the engine gives each to one thread
CHUNK_ROWS: Final = 65_536
#: spans from which rows are copied out instead of sliced
SPANS_MAX: Final = 256

_TYPES: Final = {f.name: f.type for f in ATOM_FIELDS}


class Kept:
    """Arrays by name, the longest unused going first when there is no more room."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max, self._bytes = bytes_max, 0
        self._arrays: OrderedDict[tuple[str, str], pa.Array] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str], make: Callable[[], pa.Array]) -> pa.Array:
        with self._lock:
            found = self._arrays.get(key)
            if found is not None:
                self._arrays.move_to_end(key)
                return found
        made = make()
        with self._lock:
            if key not in self._arrays and made.nbytes <= self._bytes_max:
                self._arrays[key] = made
                self._bytes += made.nbytes
            while self._bytes > self._bytes_max:
                self._bytes -= self._arrays.popitem(last=False)[1].nbytes
        return made


_KEPT = Kept(KEPT_BYTES_MAX)


def column(layout: Layout, name: str, chosen: Chosen) -> pa.ChunkedArray:
    """A narrow column of the chosen rows, in their order."""
    make, type_ = _maker(layout, name)
    if len(chosen.spans) > SPANS_MAX:
        parts = _taken(layout, make, chosen.numbers())
    else:
        parts = [
            part
            for start, stop in chosen.spans.tolist()
            for part in _slices(layout, make, start, stop)
        ]
    return pa.chunked_array([c for part in parts for c in _chunks(part)], type_)


def gathered(layout: Layout, name: str, numbers: Int64) -> pa.ChunkedArray:
    """A narrow column of rows by their numbers, which ascend."""
    make, type_ = _maker(layout, name)
    return pa.chunked_array(_taken(layout, make, numbers), type_)


def _maker(layout: Layout, name: str) -> tuple[Callable[[int], pa.Array], pa.DataType]:
    """What gives the column of one model, by its place, and its type."""
    type_ = _TYPES[name].arrow
    if name not in OF_TENSOR:
        return _MAKERS[name](layout), type_
    is_text = pa.types.is_string(type_)
    return _of_tensors(layout, name), pa.dictionary(pa.int32(), type_) if is_text else type_


def _taken(layout: Layout, make: Callable[[int], pa.Array], numbers: Int64) -> list[pa.Array]:
    cuts = np.searchsorted(numbers, layout.model_starts)
    return [
        make(place).take(pa.array(numbers[low:high] - layout.model_starts[place]))
        for place, (low, high) in enumerate(zip(cuts[:-1], cuts[1:], strict=True))
        if low < high
    ]


def _slices(
    layout: Layout, make: Callable[[int], pa.Array], start: int, stop: int
) -> list[pa.Array]:
    """The numbers from start to stop, model by model."""
    out = []
    place = int(np.searchsorted(layout.model_starts, start, side="right")) - 1
    while start < stop:
        first, end = layout.model_starts[place : place + 2].tolist()
        end = min(end, stop)
        if start < end:
            out.append(make(place).slice(start - first, end - start))
            start = end
        place += 1
    return out


def _chunks(array: pa.Array) -> list[pa.Array]:
    return [array.slice(start, CHUNK_ROWS) for start in range(0, len(array), CHUNK_ROWS)]


# --- what is the same for all rows of a tensor ---------------------------------------------------


def _of_tensors(layout: Layout, name: str) -> Callable[[int], pa.Array]:
    """Column of one model, by its place. Chunks of all models share one dictionary."""
    of_tensor = OF_TENSOR[name]
    values = pa.array([of_tensor(t) for t in layout.tensors], _TYPES[name].arrow)
    codes = None
    if pa.types.is_string(values.type):
        encoded = values.dictionary_encode()
        codes, values = encoded.indices.to_numpy(), encoded.dictionary

    def make(place: int) -> pa.Array:
        rows = _tensor_numbers(layout.models[place]) + layout.first_tensors[place]
        if codes is None:
            return values.take(pa.array(rows))
        return pa.DictionaryArray.from_arrays(pa.array(codes[rows], pa.int32()), values)

    made: dict[int, pa.Array] = {}

    def once(place: int) -> pa.Array:
        if place not in made:
            made[place] = make(place)
        return made[place]

    return once


def _tensor_numbers(model: Model) -> npt.NDArray[np.int32]:
    """int32[rows]: the place of each row's tensor in the model."""

    def make() -> pa.Array:
        rows = [t.rows for t in model.tensors]
        return pa.array(np.repeat(np.arange(len(rows), dtype=np.int32), rows))

    numbers: npt.NDArray[np.int32] = _KEPT.get((model.entry.manifest, "tensors"), make).to_numpy()
    return numbers


# --- what differs from row to row ----------------------------------------------------------------


def _kept(name: str, make: Callable[[Model], pa.Array]) -> Callable[[Layout], Any]:
    """A column that a model's contents decide."""

    def of_layout(layout: Layout) -> Callable[[int], pa.Array]:
        def of_model(place: int) -> pa.Array:
            model = layout.models[place]
            return _KEPT.get((model.entry.manifest, name), lambda: make(model))

        return of_model

    return of_layout


def _row_places(model: Model) -> pa.Array:
    starts = np.array([t.first_row for t in model.tensors], np.int32)
    places = np.arange(model.row_count, dtype=np.int32) - starts[_tensor_numbers(model)]
    return pa.array(places, pa.int32())


def _unit_ids(model: Model) -> pa.Array:
    sizes = np.array(
        [rows_per_unit(t.unit_kind, dict(model.config)) for t in model.tensors], np.int32
    )
    rows = _row_places(model).to_numpy()
    return pa.array(rows // sizes[_tensor_numbers(model)], pa.int32())


def _norms(model: Model) -> pa.Array:
    norms = [read_row_data(model, t).norms for t in model.tensors]
    return pa.array(np.concatenate([np.empty(0), *norms]), pa.float64())


def _importance(model: Model) -> pa.Array:
    label = f'importance of model "{model.name}"'
    data = read_object(model.database, model.importance, label)
    if data.size != 4 * model.row_count:
        raise Corruption(f"object {model.importance}, {label}, has {data.size} bytes")
    return pa.array(np.frombuffer(data, "<f4"), pa.float32())


def _hashes(model: Model) -> pa.Array:
    hashes = [read_row_data(model, t).hashes for t in model.tensors]
    data = np.concatenate([np.empty((0, HASH_BYTES), np.uint8), *hashes])
    offsets = np.arange(len(data) + 1, dtype=np.int32) * HASH_BYTES
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data.reshape(-1))]
    return pa.Array.from_buffers(pa.binary(), len(data), buffers)


def _atom_ids(layout: Layout) -> Callable[[int], pa.Array]:
    def of_model(place: int) -> pa.Array:
        model = layout.models[place]
        return pa.array(np.arange(model.first_atom, model.first_atom + model.row_count))

    return of_model


def _updated_at(layout: Layout) -> Callable[[int], pa.Array]:
    """When the model's newest version was committed; NULL for the transaction's own."""
    commits: dict[int, datetime] = {}

    def of_model(place: int) -> pa.Array:
        model = layout.models[place]
        sequence = model.versions[-1].sequence
        if sequence and not commits:
            commits.update(_commit_times(model.database))
        return pa.repeat(pa.scalar(commits.get(sequence), pa.timestamp("us")), model.row_count)

    return of_model


def _commit_times(database: Database) -> dict[int, datetime]:
    table = database.commits().select(["Sequence", "At"])
    times = table.column("At").cast(pa.timestamp("us"))
    return dict(zip(table.column("Sequence").to_pylist(), times.to_pylist(), strict=True))


_MAKERS: Final[Mapping[str, Callable[[Layout], Callable[[int], pa.Array]]]] = {
    "TensorAtomId": _atom_ids,
    "RowIdx": _kept("RowIdx", _row_places),
    "UnitId": _kept("UnitId", _unit_ids),
    "Norm": _kept("Norm", _norms),
    "ImportanceScore": _kept("ImportanceScore", _importance),
    "ContentHash": _kept("ContentHash", _hashes),
    "UpdatedAt": _updated_at,
}
