"""SQLite's sqllogictest corpus: a seeded sample by default, a quarter of it in `slow`, all of it
with HQL_SOAK=4.

The corpus is not part of the project: the environment variable HQL_SLT names its folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from slt.reader import Malformed, Query, Statement, read
from slt.runner import Score, read_skips, run_file
from soak import TIMES

FOLDER = os.environ.get("HQL_SLT")
FILES = sorted(Path(FOLDER).rglob("*.test")) if FOLDER else []
SAMPLE, MUCH = 0.03, 0.25
#: the least share of the records that were run that must give the expected answer
LEAST = 0.99
#: the greatest share that may be skipped because of the error it ended in: were there more, the
#: error itself would be suspect
MOST_EXCUSED = 0.01
#: this folder pins SQLite's own dialect (`IN ()`, a column set twice, comparisons as values): its
#: pass rates are printed, and only a broken invariant fails it
UNMEASURED = "evidence/"
#: its statements, all of which have to run, take half a minute
LONG = "index/delete/10/"
corpus = pytest.mark.skipif(not FOLDER, reason="HQL_SLT does not name the corpus's folder")
Record = Callable[[str, object], None]


def name_of(path: Path) -> str:
    return path.relative_to(Path(FOLDER or "/")).as_posix()


def check(path: Path, score: Score, record_property: Record) -> None:
    name = name_of(path)
    record_property("sqllogictest", f"{name:40} {score}")
    assert score.ran, f"{name} holds no record that ran"
    unreviewed = [why for why in score.skipped if why.startswith("unreviewed")]
    assert not unreviewed, unreviewed
    assert score.excused_by_error <= max(2, MOST_EXCUSED * score.ran), score.skipped
    broken = [failure for failure in score.failures if ": INTERNAL: " in failure]
    assert not broken, "\n\n".join(broken)
    if not name.startswith(UNMEASURED):
        assert score.rate >= LEAST, f"{score}\n\n" + "\n\n".join(score.failures[:20])


def test_the_folder_holds_files() -> None:
    if not FOLDER:
        pytest.skip("HQL_SLT does not name the corpus's folder")
    assert FILES, f"no *.test below {FOLDER}"


@corpus
@pytest.mark.parametrize("path", [p for p in FILES if LONG not in p.as_posix()], ids=name_of)
def test_sample(path: Path, record_property: Record) -> None:
    check(path, run_file(path, fraction=SAMPLE), record_property)


@corpus
@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_much(path: Path, record_property: Record) -> None:
    check(path, run_file(path, fraction=min(1.0, MUCH * TIMES)), record_property)


SCRIPT = """\
# a comment

statement ok
CREATE TABLE t (a INTEGER, b TEXT)

statement ok
INSERT INTO t VALUES (2, 'two'), (1, NULL), (3, '')

skipif {us}
statement ok
this is never run

statement error
SELECT nothing FROM t

query IT rowsort label-1
SELECT a, b FROM t
----
1
NULL
2
two
3
(empty)

query R nosort
SELECT a * 1.5 FROM t ORDER BY a
----
{wrong}
3.000
4.500

query IT valuesort
SELECT a, b FROM t
----
6 values hashing to {digest}
"""
#: MD5 of the values in order: (empty) 1 2 3 NULL two
DIGEST = "4becf7bf2392d82f96436f35dfab54c7"


def write(folder: Path, wrong: str = "1.500") -> Path:
    path = folder / "script.test"
    text = SCRIPT.format(us="hartonomous", wrong=wrong, digest=DIGEST)
    path.write_text(text, encoding="utf-8")
    return path


def test_reader_finds_every_record(tmp_path: Path) -> None:
    records = list(read(write(tmp_path)))
    assert [type(r) for r in records] == [Statement] * 4 + [Query] * 3
    assert records[4].label == "label-1" and records[4].expected[1] == "NULL"
    assert records[6].expected_hash == (6, DIGEST)


def test_reader_refuses_other_files(tmp_path: Path) -> None:
    path = tmp_path / "script.test"
    path.write_text("quarry I\nSELECT 1\n")
    with pytest.raises(Malformed, match="script.test:1"):
        list(read(path))


def test_runner_finds_wrong_answers(tmp_path: Path) -> None:
    good, bad = run_file(write(tmp_path)), run_file(write(tmp_path, wrong="1.501"))
    assert (good.passed, good.failures) == (6, [])
    assert len(bad.failures) == 1 and "1.501" in bad.failures[0]
    assert run_file(write(tmp_path), fraction=0.0).not_drawn == 3


def test_a_file_without_records_has_no_score(tmp_path: Path) -> None:
    path = tmp_path / "empty.test"
    path.write_text("# nothing\n\nhalt\n")
    assert run_file(path).ran == 0


def test_every_skip_has_a_known_kind() -> None:
    assert {s.kind for s in read_skips()} <= {"condition", "statement", "error"}
