"""Python source: every function, class and method is an atom; nothing is imported or run.

A definition begins with its decorators and has its place in the source's bytes. Its text is without
the indentation it stands in; lines inside strings stay as they are, but for docstrings. So the text
of a definition inside another is a definition of its own, and fn_AstSignature of it is the same.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hartonomous.hql.modalities.base import Drafts, Modality, Source, Unreadable
from hartonomous.hql.modalities.decoding import byte_positions, decode
from hartonomous.hql.modalities.python_parts import (
    SOURCE_BYTES_MAX,
    has_docstring,
    parse,
)
from hartonomous.hql.modalities.python_tree import DEFINITIONS, Definition, Found, find_definitions

if TYPE_CHECKING:
    import pyarrow as pa

MARK = "\ufeff"
#: what Python takes for the end of a line
LINE = re.compile(r"\r\n|\r|\n")


class Python(Modality):
    """Definitions in files of Python."""

    modality = "code"
    subtype = "python"
    extensions = frozenset({".py", ".pyi", ".pyw"})
    #: PEP 263: in one of the first two lines
    declares = re.compile(
        rb"\A(?:[ \t\f]*(?:#[^\r\n]*)?(?:\r\n|\r|\n))?[ \t\f]*#[^\r\n]*?coding[:=][ \t]*([-\w.]+)"
    )
    table = "CodeAtoms"

    def read(self, source: Source) -> Iterator[Drafts]:
        """All definitions as one block, as they begin; see Modality.read."""
        assert source.encoding is not None, source.uri
        if source.data is None or source.size > SOURCE_BYTES_MAX:
            raise Unreadable(
                "TOO_LARGE", f"{source.size:,} bytes; at most {SOURCE_BYTES_MAX:,} of code are read"
            )
        whole = decode(source.data, source.encoding)
        text = whole.removeprefix(MARK)
        found = find_definitions(parse(text))
        if not found:
            return
        lines = Lines(text)
        spans = [lines.span(f.node) for f in found]
        shift = len(whole) - len(text)
        points = sorted({p + shift for span in spans for p in span})
        at = dict(zip(points, byte_positions(whole, points, source.encoding), strict=True))
        texts = [lines.dedented(f.node) for f in found]
        yield Drafts(
            texts,
            [at[start + shift] for start, _ in spans],
            [at[end + shift] for _, end in spans],
            exact=False,
            rows=_rows(found, texts),
        )


PYTHON = Python()


def _rows(found: list[Found], texts: list[str]) -> pa.Table:
    """What CodeAtoms has of each definition."""
    import pyarrow as pa

    from hartonomous.hql.modalities.python_signature import signatures

    return pa.table(
        {
            "Language": pa.repeat(pa.scalar("python"), len(found)),
            "QualifiedName": pa.array([f.name for f in found], pa.string()),
            "StartLine": pa.array([first_line(f.node) for f in found], pa.int32()),
            "EndLine": pa.array([f.node.end_lineno for f in found], pa.int32()),
            "CodeText": pa.array(texts, pa.string()),
            "AstHash": pa.array([f.ast_hash for f in found], pa.binary()),
            "SpatialSignature": signatures(found),
        }
    )


def first_line(node: Definition) -> int:
    """The number of the line that the definition, or its first decorator, begins in."""
    return min([node.lineno, *(d.lineno for d in node.decorator_list)])


class Lines:
    """A source by its lines, which are numbered from 1."""

    def __init__(self, text: str) -> None:
        self.text = text
        ends = [m.span() for m in LINE.finditer(text)]
        self.starts = [0, *(end for _, end in ends)]
        self.stops = [*(start for start, _ in ends), len(text)]

    def line(self, number: int) -> str:
        """Without its end."""
        return self.text[self.starts[number - 1] : self.stops[number - 1]]

    def span(self, node: Definition) -> tuple[int, int]:
        """Where the definition begins and ends, in characters. It begins its line: only white
        space stands before it."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        last = self.line(node.end_lineno).encode()[: node.end_col_offset].decode()
        start = self.starts[first_line(node) - 1] + node.col_offset
        return start, self.starts[node.end_lineno - 1] + len(last)

    def dedented(self, node: Definition) -> str:
        """The definition's text as if it stood by itself; lines end with a line feed."""
        start, end = self.span(node)
        text = self.text[start:end]
        if not node.col_offset:
            return text if "\r" not in text else LINE.sub("\n", text)
        first, *lines = LINE.split(text)
        indent = self.line(first_line(node))[: node.col_offset]
        kept = _lines_in_strings(node)
        lines = [
            line if number in kept else line.removeprefix(indent)
            for number, line in enumerate(lines, first_line(node) + 1)
        ]
        return "\n".join([first, *lines])


def _lines_in_strings(node: Definition) -> set[int]:
    """Lines that begin inside a string, but for docstrings."""
    docstrings = {
        id(n.body[0].value)
        for n in ast.walk(node)
        if isinstance(n, DEFINITIONS) and has_docstring(n.body) and isinstance(n.body[0], ast.Expr)
    }
    kept: set[int] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Constant | ast.JoinedStr) and id(part) not in docstrings:
            last = part.end_lineno or part.lineno
            if last > part.lineno:
                kept.update(range(part.lineno + 1, last + 1))
    return kept
