"""docs/PYTHON.md tells the truth: its examples run, in order, with what they show."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "PYTHON.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("polars")
    monkeypatch.chdir(tmp_path)
    text = DOCUMENT.read_text(encoding="utf-8")
    # everything but the blocks is made empty lines, so that failures have the document's lines
    kept, last = [], 0
    for match in BLOCK.finditer(text):
        kept += [re.sub(r"[^\n]", "", text[last : match.start(1)]), match[1]]
        last = match.end(1)
    assert len(kept) > 10
    examples = doctest.DocTestParser().get_doctest("".join(kept), {}, "PYTHON.md", str(DOCUMENT), 0)
    report: list[str] = []
    failed, tried = doctest.DocTestRunner().run(examples, out=report.append)
    assert not failed, "".join(report)
    assert tried == len(examples.examples)
