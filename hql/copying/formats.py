"""Files as streams of Arrow batches, and back: Parquet, CSV, JSON, Arrow.

The boundary to Arrow's readers and writers: their exceptions become FILE (the file is not what it
says) or BAD_VALUE (a value in it is not of its column's type), naming file, row and column.

| ending | read | written |
| --- | --- | --- |
| .parquet | Parquet | Parquet, zstd |
| .csv, .tsv | RFC 4180, header by default | the same |
| .jsonl, .ndjson | an object a line | the same |
| .json | an array of objects, or an object a line | an array of objects |
| .arrow, .feather, .ipc | IPC file, or IPC stream | IPC file |
| .arrows | IPC stream | IPC stream |
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql.arrow_tables import conform_batches, find_field_type
from hartonomous.hql.copying.text import (
    CsvOptions,
    NotHexadecimal,
    csv_header,
    csv_lines,
    json_lines,
    json_members,
    parse_binary,
)
from hartonomous.hql.errors import ExecutionFault, FileFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.geo_arrow import with_geoparquet
from hartonomous.hql.plan import Field

if TYPE_CHECKING:
    from hartonomous.hql.types import Type

#: rows of a batch read from a file
READ_ROWS = 131_072
#: bytes of text read at a time
READ_BYTES = 4 << 20
#: batches decoded ahead of the one being stored
AHEAD = 3

ENDINGS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".arrows": "arrows",
}
FORMATS = ("parquet", "csv", "json", "jsonl", "arrow", "arrows")


@frozen
class FileSource:
    """An open file: the names of its columns, and how to read some of them. `read(columns, wanted)`
    gives fields and batches; `wanted` says the types of the table's columns, which the text formats
    parse into where they can."""

    names: list[str]
    read: Callable[[Sequence[str], Sequence[Type]], tuple[tuple[Field, ...], Generator[Any]]]
    rows: int | None = None  # if the file says so


@dataclass(slots=True)
class Share:
    """How much of a file is read, for the progress line."""

    total: int = 0
    done: int = 0

    def value(self) -> float | None:
        return self.done / self.total if self.total else None


@dataclass(slots=True)
class FileSettings:
    """How a file is read or written."""

    path: Path
    format: str
    csv: CsvOptions = field(default_factory=CsvOptions)


def format_of(path: Path) -> str:
    """The format that a file's ending names; FILE if it names none."""
    found = ENDINGS.get(path.suffix.lower())
    if found is None:
        raise FileFault(
            f'"{path}": the ending does not name a format',
            hint="one of " + ", ".join(ENDINGS) + "; or WITH (FORMAT = csv)",
        )
    return found


# --- reading -------------------------------------------------------------------------------------


def open_source(settings: FileSettings) -> FileSource:
    """Opens a file for reading. Raises FileFault."""
    path = settings.path
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise FileFault(f'"{path}" {what}')
    try:
        match settings.format:
            case "parquet":
                return _open_parquet(path)
            case "csv":
                from hartonomous.hql.copying.csv import open_csv

                return open_csv(path, settings.csv)
            case "json" | "jsonl":
                from hartonomous.hql.copying.json import open_json

                return open_json(path)
        return _open_arrow(path)
    except (pa.ArrowException, OSError) as fault:
        raise file_fault(path, fault) from fault


def file_fault(path: Path, fault: Exception) -> FileFault:
    return FileFault(f'"{path}" cannot be read: {str(fault).strip()}')


def _open_parquet(path: Path) -> FileSource:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path, memory_map=True, pre_buffer=True)
    schema = with_geoparquet(file.schema_arrow)

    def read(columns: Sequence[str], wanted: Sequence[Type]) -> Any:
        fields = fields_of(path, schema, columns)
        batches = file.iter_batches(READ_ROWS, columns=list(columns), use_threads=True)
        return fields, _conformed(path, batches, schema, columns, fields)

    return FileSource(schema.names, read, file.metadata.num_rows)


def _open_arrow(path: Path) -> FileSource:
    mapped = pa.memory_map(str(path))
    reader: Any
    try:
        reader = pa.ipc.open_file(mapped)
    except pa.ArrowInvalid:
        mapped.seek(0)
        reader = pa.ipc.open_stream(mapped)
    schema = reader.schema

    def batches() -> Iterator[pa.RecordBatch]:
        if isinstance(reader, pa.RecordBatchFileReader):
            for i in range(reader.num_record_batches):
                yield reader.get_batch(i)
        else:
            yield from reader

    def read(columns: Sequence[str], wanted: Sequence[Type]) -> Any:
        fields = fields_of(path, schema, columns)
        return fields, _conformed(path, batches(), schema, columns, fields)

    return FileSource(schema.names, read)


def fields_of(path: Path, schema: pa.Schema, columns: Sequence[str]) -> tuple[Field, ...]:
    """The HQL types of a file's columns; FILE for one that HQL has not."""
    fields = []
    for name in columns:
        type_ = find_field_type(schema.field(name))
        if type_ is None:
            arrow = schema.field(name).type
            raise FileFault(f'"{path}": column "{name}" is {arrow}, which HQL has not')
        fields.append(Field(name, type_))
    return tuple(fields)


def _conformed(
    path: Path,
    batches: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    columns: Sequence[str],
    fields: tuple[Field, ...],
) -> Generator[Any]:
    """Chosen columns in HQL's Arrow types, decoded ahead in a thread of their own."""

    def chosen() -> Iterator[pa.RecordBatch]:
        try:
            for batch in batches:
                yield batch.select(list(columns))
        except (pa.ArrowException, OSError) as fault:
            raise file_fault(path, fault) from fault

    given = pa.schema([schema.field(name) for name in columns])
    return ahead(conform_batches(chosen(), fields, given))


def ahead(batches: Iterator[Any], depth: int = AHEAD) -> Generator[Any]:
    """The same batches, made by another thread up to `depth` before they are needed."""
    handed: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(kind: str, value: Any) -> bool:
        while not stopped.is_set():
            try:
                handed.put((kind, value), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for batch in batches:
                if not put("batch", batch):
                    return
        except BaseException as error:
            put("error", error)
        else:
            put("end", None)

    worker = threading.Thread(target=work, name="hql file reader", daemon=True)
    worker.start()
    try:
        while True:
            kind, value = handed.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
    finally:
        stopped.set()
        worker.join()


def binary_columns(
    path: Path, batches: Iterator[pa.RecordBatch], fields: Sequence[Field]
) -> Iterator[pa.RecordBatch]:
    """Batches of a text format with 0x… made bytes in the VARBINARY columns."""
    places = [i for i, field in enumerate(fields) if field.type.kind == "VARBINARY"]
    before = 0
    for batch in batches:
        for i in places:
            try:
                column = parse_binary(batch.column(i))
            except NotHexadecimal as fault:
                raise bad_value(path, before + fault.row + 1, fields[i].name, str(fault)) from fault
            batch = batch.set_column(i, fields[i].name, column)
        before += batch.num_rows
        yield batch


def bad_value(path: Path, row: int | None, column: str | None, what: str) -> ExecutionFault:
    """BAD_VALUE with the place in the file; rows count from 1, a header is not a row."""
    place = f'"{path}"'
    if row is not None:
        place += f", row {row:,}"
    if column is not None:
        place += f', column "{column}"'
    return ExecutionFault(f"{place}: {what}", code="BAD_VALUE")


# --- writing -------------------------------------------------------------------------------------


def write_file(
    settings: FileSettings,
    schema: pa.Schema,
    types: Sequence[Type],
    batches: Iterator[pa.RecordBatch],
) -> int:
    """Writes all batches, or nothing: the file appears under its name when it is whole. Returns the
    number of rows. Raises FileFault."""
    path = settings.path
    if not path.parent.is_dir():
        raise FileFault(f'"{path}": there is no folder "{path.parent}"')
    if path.is_dir():
        raise FileFault(f'"{path}" is a folder')
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        with open(temporary, "wb") as out:
            count = _WRITERS[settings.format](out, settings, schema, types, batches)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
    except (OSError, pa.ArrowException) as fault:
        raise FileFault(f'"{path}" cannot be written: {str(fault).strip()}') from fault
    finally:
        temporary.unlink(missing_ok=True)
    return count


Batches = Iterator[pa.RecordBatch]


def _write_parquet(
    out: IO[bytes], settings: FileSettings, schema: pa.Schema, types: Any, batches: Batches
) -> int:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        return _count(batches, writer.write_batch)


def _write_arrow(
    out: IO[bytes], settings: FileSettings, schema: pa.Schema, types: Any, batches: Batches
) -> int:
    make = pa.ipc.new_file if settings.format == "arrow" else pa.ipc.new_stream
    with make(out, schema) as writer:
        return _count(batches, writer.write_batch)


def _write_text(
    out: IO[bytes],
    settings: FileSettings,
    schema: pa.Schema,
    types: Sequence[Type],
    batches: Batches,
) -> int:
    """CSV, JSON lines, or an array of JSON objects: what stands before, between and after them."""
    names, options = schema.names, settings.csv
    start, between, end = b"", b"", b""
    encode: Callable[[pa.RecordBatch], bytes]
    match settings.format:
        case "csv":
            start = csv_header(names, options) if options.header else b""
            encode = partial(csv_lines, types=types, options=options)
        case "jsonl":
            encode = partial(json_lines, names=names, types=types)
        case _:
            start, between, end = b"[", b",", b"\n]\n"
            encode = partial(json_members, names=names, types=types)
    out.write(start)

    def write(batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            if out.tell() > len(start):
                out.write(between)
            out.write(encode(batch))

    count = _count(batches, write)
    out.write(end)
    return count


def _count(batches: Batches, write: Callable[[pa.RecordBatch], None]) -> int:
    """Writes all batches, and counts their rows."""
    count = 0
    for batch in batches:
        write(batch)
        count += batch.num_rows
    return count


_WRITERS: dict[str, Callable[..., int]] = {
    "parquet": _write_parquet,
    "csv": _write_text,
    "json": _write_text,
    "jsonl": _write_text,
    "arrow": _write_arrow,
    "arrows": _write_arrow,
}
