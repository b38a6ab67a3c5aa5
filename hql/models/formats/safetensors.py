"""safetensors: one file of named tensors.

| offset | size | what |
| --- | --- | --- |
| 0 | 8 | H, little-endian |
| 8 | H | JSON object, spaces may follow: name → {dtype, shape, data_offsets: [start, stop]}, and
  `__metadata__` → {text: text} |
| 8 + H | the rest | data; offsets count from here; every byte belongs to one tensor |

The rules are those of the `safetensors` package (which tests hold this against): no holes, no
overlaps, no name twice, sizes that follow from type and shape. The package shows neither where data
lies nor the order of a header, and takes all tensors at once in memory to write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hartonomous.hql.errors import NotSupported
from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.formats.files import ModelFile, bad_file
from hartonomous.hql.models.formats.json_bounded import parse_object
from hartonomous.hql.models.formats.source import SourceTensor, data_bytes

#: the package allows 100 million; a header of 100,000 tensors has some 15
HEADER_BYTES_MAX: Final = 32 << 20
NAME_CHARACTERS_MAX: Final = 1_024
DIMENSIONS_MAX: Final = 16
DTYPES: Final = frozenset(
    ["F64", "F32", "F16", "BF16", "I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64", "BOOL"]
)
#: types of the format that this product has not
DTYPES_LATER: Final = frozenset(
    ["F4", "F6_E2M3", "F6_E3M2", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"]
    + ["C64"]
)
METADATA: Final = "__metadata__"
MEMBERS: Final = {"dtype", "shape", "data_offsets"}
#: data begin at a multiple of this, the header is filled up with spaces
ALIGNMENT: Final = 8


@frozen
class Part:
    """What one file holds: tensors in the order of their data, their names in the header's."""

    tensors: tuple[SourceTensor, ...]
    order: tuple[str, ...]
    metadata: dict[str, str] | None


def read_part(file: ModelFile) -> Part:
    """The tensors of a file. Raises MODEL_FORMAT, NotSupported."""
    if file.size < 8:
        raise bad_file(file.path, f"{file.size} bytes are too few for a safetensors file")
    length = int.from_bytes(file.read(0, 8).tobytes(), "little")
    if length > HEADER_BYTES_MAX:
        raise bad_file(file.path, f"a header of {length:,} bytes is not safetensors", 0)
    if length > file.size - 8:
        what = f"the header has {length:,} bytes, and the file only {file.size:,}"
        raise bad_file(file.path, what, 0)
    text = file.read(8, 8 + length).tobytes()
    if text[:1] != b"{":
        raise bad_file(file.path, "the header does not begin with {", 8)
    header = parse_object(text, file.path, 8)
    metadata = header.pop(METADATA, None)
    if metadata is not None and not _is_texts(metadata):
        raise bad_file(file.path, f"{METADATA} is no object of texts", 8)
    first = 8 + length
    places = [_place(file, name, given) for name, given in header.items()]
    places.sort(key=lambda place: (place.start, place.stop))
    _check_places(file, places, first)
    tensors = tuple(
        SourceTensor(p.name, p.dtype, p.shape, file.reader(first + p.start, p.stop - p.start))
        for p in places
    )
    return Part(tensors, tuple(header), metadata)


def _is_texts(given: Any) -> bool:
    return isinstance(given, dict) and all(isinstance(text, str) for text in given.values())


@frozen
class _Place:
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def _place(file: ModelFile, name: str, given: Any) -> _Place:
    """Type, shape and data offsets of a tensor, each looked at by itself."""

    def bad(what: str) -> Exception:
        return bad_file(file.path, f'tensor "{name[:100]}": {what}', 8)

    if not 0 < len(name) <= NAME_CHARACTERS_MAX:
        raise bad(f"names have 1 to {NAME_CHARACTERS_MAX:,} characters")
    if not isinstance(given, dict) or given.keys() != MEMBERS:
        raise bad("it needs dtype, shape and data_offsets, and nothing else")
    dtype, shape, offsets = given["dtype"], given["shape"], given["data_offsets"]
    if isinstance(dtype, str) and dtype in DTYPES_LATER:
        message = f'not supported yet: tensors of type {dtype} ("{file.path}", tensor "{name}")'
        raise NotSupported(message)
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise bad(f"there is no type {json.dumps(dtype)[:50]}")
    if not _is_numbers(shape) or len(shape) > DIMENSIONS_MAX:
        raise bad(f"the shape is no list of at most {DIMENSIONS_MAX} whole numbers")
    if not _is_numbers(offsets) or len(offsets) != 2:
        raise bad("data_offsets are not two whole numbers")
    start, stop = offsets
    size = data_bytes(dtype, tuple(shape))
    if stop - start != size:
        raise bad(
            f"{dtype} {shape} has {size:,} bytes, data_offsets {offsets} say {stop - start:,}"
        )
    return _Place(name, dtype, tuple(shape), start, stop)


def _is_numbers(given: Any) -> bool:
    # True and False are ints to Python, not to JSON
    return isinstance(given, list) and all(type(n) is int and n >= 0 for n in given)


def _check_places(file: ModelFile, places: Sequence[_Place], first: int) -> None:
    """Data of all tensors lie one after another and fill the file."""
    reached = 0
    for place in places:
        if place.start != reached:
            hole = place.start - reached
            what = f"leaves a hole of {hole:,} bytes" if hole > 0 else "overlaps another"
            message = (
                f'tensor "{place.name[:100]}" {what}: it begins at {place.start:,} of the data'
            )
            raise bad_file(file.path, message, first + min(place.start, reached))
        reached = place.stop
    if reached != file.size - first:
        what = f"the header tells of {reached:,} bytes of data, and there are {file.size - first:,}"
        raise bad_file(file.path, what, first)


# --- writing -------------------------------------------------------------------------------------


def encode_header(
    tensors: Sequence[SourceTensor],
    metadata: Mapping[str, str] | None,
    order: Sequence[str] | None = None,
) -> bytes:
    """Length and header of a file whose data are the tensors' in the order given. `order` names
    them in the order that the header lists them in, if that is another."""
    header: dict[str, Any] = {} if metadata is None else {METADATA: dict(metadata)}
    places: dict[str, Any] = {}
    start = 0
    for tensor in tensors:
        stop = start + tensor.bytes
        offsets = [start, stop]
        entry = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": offsets}
        places[tensor.name] = entry
        start = stop
    header |= {name: places[name] for name in order or places}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def encode(
    tensors: Sequence[SourceTensor],
    metadata: Mapping[str, str] | None,
    order: Sequence[str] | None = None,
) -> Iterator[Any]:
    """The bytes of a file, piece by piece."""
    yield encode_header(tensors, metadata, order)
    for tensor in tensors:
        yield from tensor.pieces()
