"""GGUF's metadata: typed values, decoded within bounds, and encoded again to the same bytes.

| what | bytes, little-endian |
| --- | --- |
| text | length uint64, UTF-8 |
| entry | key (text), type uint32, value |
| array | type of its items uint32, count uint64, items |

The reader of the `gguf` package believes lengths and counts, and makes an array object of each item
of an array; it is what tests hold this against.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.formats.files import ModelFile, bad_file

#: number in the file → name and NumPy's type of numbers
NUMBERS: Final[dict[int, tuple[str, str]]] = {
    0: ("UINT8", "<u1"),
    1: ("INT8", "<i1"),
    2: ("UINT16", "<u2"),
    3: ("INT16", "<i2"),
    4: ("UINT32", "<u4"),
    5: ("INT32", "<i4"),
    6: ("FLOAT32", "<f4"),
    7: ("BOOL", "?"),
    10: ("UINT64", "<u8"),
    11: ("INT64", "<i8"),
    12: ("FLOAT64", "<f8"),
}
STRING: Final = 8
ARRAY: Final = 9
NAMES: Final[dict[int, str]] = {
    **{number: name for number, (name, _) in NUMBERS.items()},
    STRING: "STRING",
    ARRAY: "ARRAY",
}
CODES: Final = {name: number for number, name in NAMES.items()}
#: struct's letters for single numbers
LETTERS: Final = {"u1": "B", "i1": "b", "u2": "H", "i2": "h", "u4": "I", "i4": "i"} | {
    "f4": "f", "?": "?", "u8": "Q", "i8": "q", "f8": "d"
}  # fmt: skip

KEY_BYTES_MAX: Final = 65_535
#: metadata and tensor list together
HEADER_BYTES_MAX: Final = 256 << 20
#: items of all arrays: a vocabulary of 262,144 has some 1,300,000, its merges included
ITEMS_MAX: Final = 1 << 22
ARRAY_DEPTH_MAX: Final = 4
#: bytes of the file read ahead
AHEAD: Final = 4 << 20


@frozen
class Entry:
    """A key with its value as the file types it. `type` and `items` (an array's item type, else "")
    are GGUF's names. Numbers are Python's; an array is a list: of numbers, texts, or arrays, which
    are (item type, list) pairs."""

    key: str
    type: str
    items: str
    value: Any


class Cursor:
    """The header of a file, read from its beginning on as it is needed."""

    def __init__(self, file: ModelFile) -> None:
        self.file = file
        self.offset = 0
        self._data = bytearray()
        self._items = 0

    def need(self, count: int, what: str) -> None:
        """The next `count` bytes are in memory. MODEL_FORMAT if the file has not so many."""
        stop = self.offset + count
        if stop <= len(self._data):
            return
        if stop > self.file.size:
            left = self.file.size - self.offset
            raise self.bad(f"{what} has {count:,} bytes, and the file only {left:,} more")
        if stop > HEADER_BYTES_MAX:
            raise self.bad(f"{what}: the header is longer than {HEADER_BYTES_MAX:,} bytes")
        upto = min(max(stop, len(self._data) + AHEAD), self.file.size, HEADER_BYTES_MAX)
        self._data += self.file.read(len(self._data), upto).data

    def bad(self, what: str) -> Exception:
        return bad_file(self.file.path, what, self.offset)

    def take(self, count: int, what: str) -> bytes:
        self.need(count, what)
        start = self.offset
        self.offset += count
        return bytes(memoryview(self._data)[start : self.offset])

    def number(self, letter: str, what: str) -> Any:
        """A number of struct's type `letter`."""
        size = struct.calcsize("<" + letter)
        self.need(size, what)
        (found,) = struct.unpack_from("<" + letter, self._data, self.offset)
        self.offset += size
        return found

    def text(self, what: str, bytes_max: int = HEADER_BYTES_MAX) -> str:
        length = self.number("Q", what)
        if length > bytes_max:
            self.offset -= 8
            raise self.bad(f"{what}: a text of {length:,} bytes, and {bytes_max:,} is the most")
        data = self.take(length, what)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as fault:
            self.offset -= length - fault.start
            raise self.bad(f"{what}: text that is not UTF-8") from fault

    def count(self, bytes_each: int, what: str) -> int:
        """How many things follow, of at least `bytes_each`: no more than there is room for."""
        found: int = self.number("Q", what)
        room = (min(self.file.size, HEADER_BYTES_MAX) - self.offset) // bytes_each
        if found > room:
            self.offset -= 8
            raise self.bad(f"{found:,} {what}, and there is room for {room:,}")
        return found

    def entry(self) -> Entry:
        key = self.text("a key", KEY_BYTES_MAX)
        if not key:
            raise self.bad("a key without characters")
        code = self.number("I", f'the type of "{key}"')
        if code == ARRAY:
            items, values = self._array(f'"{key}"', ARRAY_DEPTH_MAX)
            return Entry(key, "ARRAY", items, values)
        return Entry(key, self._name(code, f'"{key}"'), "", self._value(code, f'"{key}"'))

    def _name(self, code: int, what: str) -> str:
        if code not in NAMES:
            self.offset -= 4
            raise self.bad(f"{what}: there is no type {code}")
        return NAMES[code]

    def _value(self, code: int, what: str) -> Any:
        if code == STRING:
            return self.text(what)
        letter = LETTERS[NUMBERS[code][1].lstrip("<")]
        if letter == "?":
            return self._flags(1, what)[0]
        return self.number(letter, what)

    def _flags(self, count: int, what: str) -> list[bool]:
        data = self.take(count, what)
        if data.strip(b"\0\1"):
            self.offset -= count
            raise self.bad(f"{what}: a BOOL that is neither 0 nor 1")
        return [byte == 1 for byte in data]

    def _array(self, what: str, depth: int) -> tuple[str, list[Any]]:
        code = self.number("I", f"the item type of {what}")
        items = self._name(code, what)
        if code == ARRAY:
            if depth == 1:
                raise self.bad(f"{what}: arrays in arrays, deeper than {ARRAY_DEPTH_MAX}")
            # an empty list and its pair take 16 times the memory of an item
            count = self._more(self.count(12, f"arrays in {what}"), 16)
            return items, [self._array(what, depth - 1) for _ in range(count)]
        if code == STRING:
            return items, self._strings(what)
        kind = np.dtype(NUMBERS[code][1])
        count = self._more(self.count(kind.itemsize, f"items in {what}"))
        if items == "BOOL":
            return items, self._flags(count, what)
        return items, np.frombuffer(self.take(count * kind.itemsize, what), kind).tolist()

    def _strings(self, what: str) -> list[str]:
        """As `text` gives them, without its calls: a vocabulary has 100,000s."""
        count = self._more(self.count(8, f"texts in {what}"))
        found: list[str] = []
        unpack, data = _LENGTH.unpack_from, self._data
        for _ in range(count):
            start = self.offset + 8
            if start > len(data) or (stop := start + unpack(data, start - 8)[0]) > len(data):
                found.append(self.text(what))
                continue
            try:
                found.append(data[start:stop].decode("utf-8"))
            except UnicodeDecodeError as fault:
                self.offset = start + fault.start
                raise self.bad(f"{what}: text that is not UTF-8") from fault
            self.offset = stop
        return found

    def _more(self, count: int, each: int = 1) -> int:
        """The same count, if all arrays together are not too long: an item takes some 64 bytes of
        memory, however few of the file."""
        self._items += count * each
        if self._items > ITEMS_MAX:
            raise self.bad(f"arrays of more than {ITEMS_MAX:,} items altogether")
        return count


_LENGTH: Final = struct.Struct("<Q")


# --- writing -------------------------------------------------------------------------------------


def encode_entry(entry: Entry) -> bytes:
    """An entry's bytes, as the Cursor reads them. Values that do not fit the type are assertions'
    business: struct.error, OverflowError."""
    code = CODES[entry.type]
    start = encode_text(entry.key) + struct.pack("<I", code)
    if code == ARRAY:
        return start + _encode_array(entry.items, entry.value)
    if code == STRING:
        return start + encode_text(entry.value)
    return start + struct.pack("<" + LETTERS[NUMBERS[code][1].lstrip("<")], entry.value)


def encode_text(text: str) -> bytes:
    """A string's bytes: their number as uint64, then its UTF-8. UnicodeEncodeError if it is half a
    surrogate pair."""
    data = text.encode("utf-8")
    return _LENGTH.pack(len(data)) + data


def _encode_array(items: str, values: Sequence[Any]) -> bytes:
    code = CODES[items]
    start = struct.pack("<IQ", code, len(values))
    if code == ARRAY:
        return start + b"".join(_encode_array(inner, some) for inner, some in values)
    if code == STRING:
        return start + b"".join([encode_text(text) for text in values])
    return start + np.asarray(values, NUMBERS[code][1]).tobytes()
