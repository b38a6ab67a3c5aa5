"""JSON from files nobody vouches for: bounded in size, depth and number of values, and exact.

Python's parser keeps the last of two members of one name, lets lone surrogates into strings, makes
infinities of large numbers and 60 bytes of memory of every 2 of text. Here these are errors, so
that what was parsed can be stored (as UTF-8, as 64-bit numbers) and means what the text says.
`NaN` and `Infinity`, which Python programs write, become those words as strings.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final

from hartonomous.hql.models.formats.files import bad_file, read_whole

JSON_BYTES_MAX: Final = 16 << 20
DEPTH_MAX: Final = 64
#: objects and arrays; and members and items of them
CONTAINERS_MAX: Final = 1 << 19
VALUES_MAX: Final = 1 << 21


def read_object(path: Path, bytes_max: int = JSON_BYTES_MAX) -> dict[str, Any]:
    """The object that a file holds. MODEL_FORMAT if it holds none."""
    return parse_object(read_whole(path, bytes_max), path)


def parse_object(data: bytes, path: Path, at: int = 0) -> dict[str, Any]:
    """The object that bytes from a file are; `at` is where in the file they stand."""
    if data.count(b"{") + data.count(b"[") > CONTAINERS_MAX or data.count(b",") > VALUES_MAX:
        raise bad_file(path, "JSON of too many values", at)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise bad_file(path, "JSON that is not UTF-8", at + fault.start) from fault
    try:
        found = json.loads(
            text,
            object_pairs_hook=_members,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=str,
        )
    except json.JSONDecodeError as fault:
        place = at + len(text[: fault.pos].encode("utf-8"))
        raise bad_file(path, f"not JSON: {fault.msg}", place) from fault
    except RecursionError as fault:
        raise bad_file(path, f"JSON nested deeper than {DEPTH_MAX}", at) from fault
    except ValueError as fault:
        raise bad_file(path, f"JSON: {fault}", at) from fault
    if not isinstance(found, dict):
        raise bad_file(path, "JSON, but no object", at)
    if _depth(found) > DEPTH_MAX:
        raise bad_file(path, f"JSON nested deeper than {DEPTH_MAX}", at)
    if "\\ud" in text.lower():
        _check_strings(found, path, at)
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"two members are called {json.dumps(twice)[:100]}")
    return found


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -(1 << 63) <= (number := int(digits)) < 1 << 64:
        raise ValueError(f"{digits[:30]} is no number of 64 bits")
    return number


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError(f"{digits[:30]} is out of range")
    return number


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= DEPTH_MAX:
        depth += 1
        inner: list[Any] = []
        for item in level:
            inner += item.values() if isinstance(item, dict) else item
        level = [item for item in inner if isinstance(item, (dict, list))]
    return depth


def _check_strings(value: Any, path: Path, at: int) -> None:
    """Half of a surrogate pair can stand in JSON as an escape, and nowhere in UTF-8."""
    queue = [value]
    while queue:
        item = queue.pop()
        if isinstance(item, dict):
            queue += item.keys()
            queue += item.values()
        elif isinstance(item, list):
            queue += item
        elif isinstance(item, str):
            try:
                item.encode("utf-8")
            except UnicodeEncodeError as fault:
                raise bad_file(path, "JSON: half a surrogate pair in a string", at) from fault
