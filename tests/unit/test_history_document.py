"""docs/HISTORY.md: its examples run, in order, and do what is said of them."""

from __future__ import annotations

import re
from pathlib import Path

from hartonomous import hql

DOCUMENT = Path(__file__).parents[2] / "docs" / "HISTORY.md"
BLOCK = re.compile(r"^```hql\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_examples(tmp_path: Path) -> None:
    before, mistake, branch, backup, verify = BLOCK.findall(DOCUMENT.read_text(encoding="utf-8"))
    with hql.connect(tmp_path / "d.hdb") as db:
        assert db.execute(before).fetchall() == [("bolt", 100), ("nut", 250)]
        diff = db.execute(mistake)
        assert len(diff.fetchall()) == 1 and diff.nextset()
        assert sorted(diff.fetchall()) == [("bolt", 90), ("nut", 250)]
        merged = [("bolt", 180), ("nut", 500), ("washer", 40)]
        assert sorted(db.execute(branch).fetchall()) == merged
        assert sorted(db.execute("SELECT * FROM stock").fetchall()) == merged
        db.execute(backup.replace("{folder}", str(tmp_path)))
        assert db.execute(verify).fetchall() == []
    with hql.connect(tmp_path / "backup.hdb") as db:
        assert sorted(db.execute("SELECT * FROM stock").fetchall()) == merged
        moment = "SELECT * FROM stock FOR SYSTEM_TIME AS OF DATEADD(ms, 0, SYSUTCDATETIME())"
        assert sorted(db.execute(moment).fetchall()) == merged
