"""docs/PROTOCOL.md's example, played against a server byte by byte; its lists against the code."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from servers import serving
from wire_client import Closed, WireClient

from hartonomous.server import wire, wire_values
from hartonomous.server.wire_connection import WireConnection
from hartonomous.server.wire_questions import QUESTIONS

DOCUMENT = Path(__file__).parents[2] / "docs" / "PROTOCOL.md"


def steps() -> Iterator[tuple[str, str, str]]:
    """(mark, what it has, the comment above it) of the example's messages."""
    text = DOCUMENT.read_text(encoding="utf-8").split("```wire\n")[1].split("```")[0]
    comment = ""
    for part in re.split(r"\n(?=[#><])", text.strip()):
        mark, _, rest = part.partition(" ")
        if mark == "#":
            comment = rest
        else:
            yield mark, rest, comment
            comment = ""


def matches(found: Any, expected: Any) -> bool:
    """Whether what came has at least what the document says."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            name in found and matches(found[name], value) for name, value in expected.items()
        )
    if isinstance(found, bytes):
        return found == bytes.fromhex(expected)
    return bool(found == expected)


def test_the_example_is_what_happens() -> None:
    with serving() as server, WireClient(server.server.port, hello=None) as client:
        waiting: list[Any] = []
        for mark, text, comment in steps():
            if mark == ">":
                data = bytes.fromhex(text)
                if comment.startswith("{"):  # what the bytes are said to be
                    said = re.match(r"\{.*\}", comment)
                    assert said is not None and msgpack.unpackb(data) == json.loads(said[0])
                client.send_bytes(data)
            elif mark == "<":
                assert client.message_bytes() == bytes.fromhex(text)
            else:
                expected = json.loads(re.sub(r"\n +", " ", text))
                waiting = []
                while len(waiting) < len(expected):  # a slow machine sends in more messages
                    waiting += client.message()
                assert len(waiting) == len(expected)
                for found, frame in zip(waiting, expected, strict=True):
                    assert matches(found, frame), (found, frame)
        with pytest.raises(Closed) as closed:
            client.message()
        assert closed.value.code == 1002


def test_every_frame_of_the_code_is_described() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in (*WireConnection.HANDLERS, "hello", "auth", "challenge", "welcome", "goodbye"):
        assert f"`{name}`" in text, name
    listed = set((wire.__doc__ or "").split()) & set(WireConnection.HANDLERS)
    assert listed == set(WireConnection.HANDLERS)


def test_every_question_is_described() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert all(f'| `"{name}"` |' in text for name in QUESTIONS)


def test_every_extension_is_described() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for code in wire_values._DECODERS:
        assert re.search(rf"\| ext (\d+, )*(ext )?{code}\b", text), code
