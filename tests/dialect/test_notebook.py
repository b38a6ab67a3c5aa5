"""%hql and %%hql: in a shell of this process, and (slow) in a notebook's own kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from servers import serving

pytest.importorskip("IPython")
from IPython.core.interactiveshell import InteractiveShell  # noqa: E402

from hartonomous import hql  # noqa: E402
from hartonomous.hql.notebook import Rows, split_expressions  # noqa: E402

NOTEBOOKS = Path(__file__).parents[2] / "examples"


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    made.run_line_magic("load_ext", "hartonomous.hql.notebook")
    yield made
    made.run_line_magic("unload_ext", "hartonomous.hql.notebook")
    InteractiveShell.clear_instance()


def run(shell: Any, cell: str) -> Any:
    outcome = shell.run_cell(cell)
    outcome.raise_error()
    return outcome.result


def test_results_and_variables(shell: Any) -> None:
    rows = run(shell, "%hql SELECT 6 * 7 AS answer, 'x' AS text")
    assert isinstance(rows, Rows)
    assert (rows.columns, list(rows), len(rows)) == (["answer", "text"], [(42, "x")], 1)
    assert repr(rows) == "answer  text\n42      x\n(1 row)"
    assert "<td>42</td>" in rows._repr_html_()
    run(shell, 'n = 5; name = "it\'s"')
    assert list(run(shell, "%hql SELECT {n + 1} AS a, {name} AS b, '{n}' AS c -- {n}")) == [
        (6, "it's", "{n}")
    ]
    run(
        shell,
        "%%hql kept <<\nCREATE TABLE t (a INT);\nINSERT INTO t VALUES ({n}), (7);\nSELECT * FROM t",
    )
    assert sorted(shell.user_ns["kept"]) == [(5,), (7,)]
    assert shell.user_ns["kept"].df()["a"].sum() == 12
    assert run(shell, "r = %hql SELECT COUNT(*) FROM t\nlist(r)") == [(2,)]


def test_a_server(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        run(shell, f"%hql_connect {server.url}")
        run(shell, "n = [1, 2]")
        rows = run(shell, "%%hql\nCREATE TABLE t (a INT);\nINSERT INTO t VALUES (1);\nPRINT 'said';"
                   "SELECT a, CAST({n} AS VECTOR(2)) AS v FROM t")  # fmt: skip
        assert [(a, list(v)) for a, v in rows] == [(1, [1, 2])]
        assert "1 row changed" in (out := capsys.readouterr().out) and "said" in out
        run(shell, "%hql_connect :memory:")


def test_tables_and_vectors_as_parameters(shell: Any) -> None:
    shell.user_ns["frame"] = pa.table({"id": [1, 2], "v": [[1.0, 0.0], [0.0, 1.0]]})
    shell.user_ns["query"] = np.array([0, 1], np.float32)
    run(shell, "%hql CREATE TABLE t (id INT, v VECTOR(2))")
    run(shell, "%%hql\nINSERT INTO t\nSELECT id, CAST(v AS VECTOR(2)) FROM {frame}")
    nearest = run(
        shell, "%hql SELECT TOP (1) id FROM t ORDER BY VECTOR_DISTANCE('cosine', v, {query})"
    )
    assert list(nearest) == [(2,)]


def test_messages_errors_and_other_databases(
    shell: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(shell, "%hql PRINT 'hello'; CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")
    assert capsys.readouterr().out == "1 row changed\nhello\n"
    with pytest.raises(hql.ProgrammingError, match="nowhere"):
        run(shell, "%hql SELECT * FROM nowhere")
    shell.run_cell("%%hql\nSELECT 1 AS a,\n  nothing FROM t")
    shown = capsys.readouterr().out
    assert "error[UNKNOWN_COLUMN]" in shown and "nothing FROM t\n" in shown and "^" in shown
    assert "Traceback" not in shown
    run(shell, f"%hql_connect {tmp_path / 'a.hdb'}")
    run(shell, "%hql CREATE TABLE u (a INT)")
    run(shell, "%hql_connect")
    with hql.connect(tmp_path / "a.hdb") as db:
        assert db.execute("SELECT COUNT(*) FROM u").fetchall() == [(0,)]


def test_long_and_hostile_results_are_shown_short(shell: Any) -> None:
    rows = run(shell, "%hql SELECT value, '<b>' AS b FROM GENERATE_SERIES(1, 1000)")
    assert repr(rows).endswith("(1,000 rows, 50 shown)")
    assert "<b>" not in rows._repr_html_() and "&lt;b&gt;" in rows._repr_html_()
    assert len(rows) == 1000 and len(list(rows)) == 1000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{a}{b}", ("@notebook_1@notebook_2", {"notebook_1": "a", "notebook_2": "b"})),
        ("'it''s {a}' /* {b} */ \"{c}\"", ("'it''s {a}' /* {b} */ \"{c}\"", {})),
        ("{}", ("{}", {})),
    ],
)
def test_where_expressions_are(text: str, found: Any) -> None:
    assert split_expressions(text) == found


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_run(path: Path, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    if path.stem == "jupysql":
        pytest.importorskip("sql")
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    shown = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert any("Rome" in str(output) for output in shown)
