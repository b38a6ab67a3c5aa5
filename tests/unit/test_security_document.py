"""docs/SECURITY.md: its example runs, and ends with what its user may see."""

from __future__ import annotations

import re
from pathlib import Path

from hartonomous import hql

DOCUMENT = Path(__file__).parents[2] / "docs" / "SECURITY.md"


def test_the_example() -> None:
    (text,) = re.findall(r"^```hql\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    with hql.connect(":memory:") as db:
        results = db.execute(text)
        (token,) = results.fetchall()
        assert token[0] == "nightly" and token[1].startswith("hqlt_")
        assert results.nextset() and [row[1] for row in results] == ["INSERT", "SELECT"]
        assert results.nextset() and results.fetchall() == [("wren",)]
