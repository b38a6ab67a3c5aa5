"""A client's parameters as the wire has them: values encoded, tables small enough beside them,
larger ones and many sets uploaded in pieces beforehand.

What is wrong with them is found here, by the rules and in the words of the engine, before anything
is sent.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgpack
import pyarrow as pa

from hartonomous.hql.arrow_tables import table_fields
from hartonomous.hql.changes.many import chunks_of
from hartonomous.hql.errors import ParameterFault
from hartonomous.hql.parameters import (
    PARAMETERS_MAX,
    as_arrow,
    check_count,
    is_table,
    named,
    read_batches,
)
from hartonomous.server.wire_values import encode, encode_table, encode_upload

Given = Mapping[str, Any] | Sequence[Any] | None

#: bytes of a table that goes with its statement
TABLE_BYTES_MAX = 256 << 10
#: bytes of one piece of an upload, about
PIECE_BYTES = 1 << 20
#: sets that are looked at together
CHUNK_SETS = 4_096
#: values whose msgpack form says what they are, but for texts that are none and numbers that no
#: word holds: these the packer refuses
_PLAIN = {type(None), bool, int, float, str, bytes}

#: uploads an upload's pieces, and gives its number
Upload = Callable[[Iterator[bytes]], int]


def encode_parameters(text: str, given: Given, upload: Upload) -> Any:
    """`params` of a frame. Raises ParameterFault, and what uploading raises."""
    check_count(text, given)
    if not given:
        return None
    taken = named(given)
    if len(taken) > PARAMETERS_MAX:
        raise ParameterFault(f"{len(taken):,} parameters; at most {PARAMETERS_MAX:,} are taken")
    encoded = {name: _encode(name, value, upload) for name, value in taken.items()}
    return encoded if isinstance(given, Mapping) else list(encoded.values())


def _encode(name: str, value: Any, upload: Upload) -> Any:
    if not is_table(value):
        return encode(name, value)
    table = as_arrow(name, value)
    table_fields(name, table.schema)  # raises for columns that HQL has no type for
    if isinstance(table, pa.Table) and table.nbytes <= TABLE_BYTES_MAX:
        return encode_table(table)
    return encode_upload(upload(_stream(name, table)))


class _Pieces(io.RawIOBase):
    """What is written, gathered until somebody takes it."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.parts.append(bytes(data))
        self.size += len(self.parts[-1])
        return len(self.parts[-1])

    def taken(self) -> bytes:
        data, self.parts, self.size = b"".join(self.parts), [], 0
        return data


def _stream(name: str, table: pa.Table | pa.RecordBatchReader) -> Iterator[bytes]:
    """A table as an Arrow IPC stream, in pieces."""
    pieces = _Pieces()
    with pa.ipc.new_stream(pa.PythonFile(pieces, "w"), table.schema) as writer:
        for batch in _batches(name, table):
            rows = max(1, batch.num_rows * PIECE_BYTES // max(batch.nbytes, 1))
            for start in range(0, batch.num_rows, rows):
                writer.write_batch(batch.slice(start, rows))
                if pieces.size >= PIECE_BYTES:
                    yield pieces.taken()
    yield pieces.taken()


def _batches(name: str, table: pa.Table | pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    if isinstance(table, pa.Table):
        yield from table.to_batches()
    else:
        yield from read_batches(name, table)


# --- sets ----------------------------------------------------------------------------------------


def encode_sets(text: str, rows: Iterable[Mapping[str, Any] | Sequence[Any]]) -> Iterator[bytes]:
    """The sets of `executemany`, msgpack one after the other, in pieces. Raises ParameterFault."""
    pieces = _Pieces()
    for chunk in chunks_of(text, rows, CHUNK_SETS):
        for given in chunk if _is_plain(chunk) else map(_encoded_set, chunk):
            try:
                pieces.write(_pack(given))
            except (UnicodeEncodeError, OverflowError):
                pieces.write(_pack(_encoded_set(given)))
            if pieces.size >= PIECE_BYTES:
                yield pieces.taken()
    yield pieces.taken()


_pack = msgpack.Packer(use_bin_type=True, autoreset=True).pack


def _is_plain(chunk: Sequence[Any]) -> bool:
    """Whether msgpack packs these sets as they are: looked at all at once, as sets are many."""
    kinds = set(map(type, chunk))
    if kinds <= {tuple, list}:
        return set(map(type, itertools.chain.from_iterable(chunk))) <= _PLAIN
    if kinds == {dict}:
        names = set(itertools.chain.from_iterable(chunk))
        values = itertools.chain.from_iterable(given.values() for given in chunk)
        return set(map(type, names)) == {str} and set(map(type, values)) <= _PLAIN
    return False


def _encoded_set(given: Any) -> Any:
    taken = named(given)
    for name, value in taken.items():
        if is_table(value):
            raise ParameterFault(
                f"@{name} is a table, and executemany takes none", hint="use execute"
            )
    encoded = {name: encode(name, value) for name, value in taken.items()}
    return encoded if isinstance(given, Mapping) else list(encoded.values())
