"""Code atoms: places and texts of definitions, points of trees, words."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from hartonomous.hql.modalities.base import Source, Unreadable
from hartonomous.hql.modalities.code_python import PYTHON
from hartonomous.hql.modalities.code_words import words_of
from hartonomous.hql.modalities.python_parts import SOURCE_BYTES_MAX, parse
from hartonomous.hql.modalities.python_signature import directions, signatures
from hartonomous.hql.modalities.python_tree import find_definitions
from hartonomous.kernels.tree_signature import LOG_UNIT, SCALE, UNIT, profiles, signature_points

SOURCE = '''# -*- coding: latin-1 -*-
class Ä:
    """Says.
    Ö"""

    @property
    def é(self):
        text = """one
    two
  """
        return (text,
                "é")   # behind
    def last(self): pass
'''


def read(text: str, encoding: str = "utf-8", mark: bytes = b"") -> tuple[bytes, list[str], list]:  # type: ignore[type-arg]
    data = mark + text.encode(encoding)
    source = Source("x", len(data), data, encoding=encoding)
    (drafts,) = PYTHON.read(source)
    assert drafts.starts is not None and drafts.ends is not None
    return data, drafts.texts, list(zip(drafts.starts, drafts.ends, strict=True))


@pytest.mark.parametrize(
    ("encoding", "mark", "ends"),
    [("utf-8", b"", "\n"), ("latin-1", b"", "\r\n"), ("utf-8", b"\xef\xbb\xbf", "\r")],
)
def test_places_and_texts(encoding: str, mark: bytes, ends: str) -> None:
    data, texts, places = read(SOURCE.replace("\n", ends), encoding, mark)
    begins = [data[a:b].decode(encoding).replace(ends, "\n") for a, b in places]
    whole, method, last = begins
    assert whole.startswith("class Ä:") and whole.endswith("def last(self): pass")
    assert method.startswith("@property") and method.endswith('"é")')
    assert texts[0] == whole and texts[2] == last == "def last(self): pass"
    assert texts[1] == (
        '@property\ndef é(self):\n    text = """one\n    two\n  """\n    return (text,\n'
        '            "é")'
    )
    assert (
        find_definitions(parse(texts[1]))[0].ast_hash == find_definitions(parse(SOURCE))[1].ast_hash
    )


def test_the_declared_encoding_is_in_the_first_two_lines() -> None:
    assert PYTHON.declares is not None
    for head in (
        b"# coding: latin-1\n",
        b"#!/x\n# vim: set fileencoding=latin-1 :\n",
        b"\n#coding=latin-1",
    ):
        match = PYTHON.declares.search(head)
        assert match is not None and match[1] == b"latin-1"
    for head in (b"x = 1\n# coding: latin-1\n", b"\n\n# coding: latin-1\n"):
        assert PYTHON.declares.search(head) is None


def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    for source in (
        Source("x", 9 << 30, path=tmp_path, encoding="utf-8"),
        Source("x", SOURCE_BYTES_MAX + 1, b"#" * (SOURCE_BYTES_MAX + 1), encoding="utf-8"),
    ):
        with pytest.raises(Unreadable) as caught:
            list(PYTHON.read(source))
        assert caught.value.code == "TOO_LARGE"


def test_words_of_code() -> None:
    code = (
        "class HTTPServerError(ValueError):\n def parse_2_lines(self, urlPath): return self.parse"
    )
    assert words_of(code) == "http server error value parse lines url path"


def test_points_are_near_for_near_trees_and_equal_for_equal_ones() -> None:
    texts = [
        "def f(a):\n    b = a + 1\n    return g(b)",
        "def other(x):\n    '''doc'''\n    y = x + 1\n    return g(y)",
        "def f(a):\n    b = a - 1\n    return g(b)",
        "def f(a):\n for x in a:\n  try:\n   yield x[1:2]\n  finally:\n   h()",
    ]
    found = [find_definitions(parse(t))[0] for t in texts]
    points = signatures(found).field("coords").values.flatten().to_numpy().reshape(-1, 3)
    assert (points[0] == points[1]).all()
    assert 0 < np.linalg.norm(points[0] - points[2]) < np.linalg.norm(points[0] - points[3])


def test_points_contract_and_differ_by_their_hashes() -> None:
    chance = np.random.default_rng(1)
    counts = chance.integers(0, 50, (200, 256)) * (chance.random((200, 256)) < 0.1)
    hashes = np.frombuffer(
        b"".join(hashlib.sha256(bytes([i])).digest() for i in range(200)), np.uint8
    ).reshape(-1, 32)
    matrix = directions()
    products = matrix.astype(float) @ matrix.T.astype(float) / UNIT**2
    assert np.allclose(products, np.eye(3), atol=1e-3)
    points = signature_points(counts, hashes, matrix)
    vectors = profiles(counts) / LOG_UNIT
    near = np.linalg.norm(points[:, None] - points[None], axis=2)
    far = np.linalg.norm(vectors[:, None] - vectors[None], axis=2) * SCALE
    assert (near <= far * 1.001 + 0.01).all()
    same = signature_points(np.repeat(counts[:1], 200, axis=0), hashes, matrix)
    assert len(np.unique(same, axis=0)) == 200
    assert (np.abs(same - same[0]) < 2**-11).all()
    assert (signature_points(counts[:5], hashes[:5], matrix) == points[:5]).all()
