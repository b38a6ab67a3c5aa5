"""Help: complete, fresh, and every example runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from hartonomous import hql
from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions import FUNCTIONS
from hartonomous.hql.help.asking import listing, overview, page
from hartonomous.hql.help.document import statements_markdown
from hartonomous.hql.help.statements import examples_of, syntax_of, text_of, title_of
from hartonomous.hql.help.topics import KINDS, all_topics, find
from hartonomous.hql.help.types import TYPES
from hartonomous.hql.shell.commands import COMMANDS
from hartonomous.hql.statements import STATEMENTS
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.parse import split_batches
from hartonomous.hql.system_tables import SYSTEM_TABLES
from hartonomous.hql.types import KINDS as TYPE_KINDS

ROOT = Path(__file__).parents[2]
BUILT = [name for name, class_ in STATEMENTS.items() if "run" in dir(class_)
         and (class_.run is not Statement.run or class_.usual_effect == "scripts")]  # fmt: skip


def run_script(text: str) -> list[list[tuple[object, ...]]]:
    """The rows of every statement."""
    results = []
    with hql.connect(":memory:") as db:
        for _, batch in split_batches(text):
            cursor = db.execute(batch)
            while cursor.description is not None:
                results.append(cursor.fetchall())
                if not cursor.nextset():
                    break
    return results


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_example_of_a_statement_runs(name: str, tmp_path: Path) -> None:
    examples = examples_of(name)
    assert examples or name not in BUILT, f"{name} has no example"
    words = title_of(name).split(" …")[0].split(" @")[0].split(" (")[0].split()
    for example in examples:
        assert words[0] in example, f"the example does not show {name}"
        run_script(example.replace("{folder}", str(tmp_path)))


def test_examples_show_what_they_say() -> None:
    assert run_script(examples_of("while_loop")[0]) == []
    assert run_script(examples_of("declare_cursor")[0]) == [[(10,)]]
    assert run_script(examples_of("create_function")[0]) == [[(12,)]]
    assert run_script(examples_of("execute")[0]) == [[(15, 7)]]
    assert run_script(examples_of("continue_loop")[0]) == [[(25,)]]
    assert run_script(examples_of("query")[0]) == [[("cat", 2), ("dog", 2)]]
    assert run_script(examples_of("query")[1]) == [[("cat",), ("kitten",)]]
    assert run_script(examples_of("rollback")[0]) == [[(0,)]]


def test_the_page_in_docs_is_fresh() -> None:
    """python -m hartonomous.hql.help.document > docs/STATEMENTS.md"""
    assert (ROOT / "docs/STATEMENTS.md").read_text() == statements_markdown()


def test_everything_has_a_page() -> None:
    names = {(topic.kind, topic.name) for topic in all_topics()}
    assert {n for kind, n in names if kind == "statement"} == {title_of(s) for s in STATEMENTS}
    assert {n for kind, n in names if kind == "type"} == {*TYPE_KINDS} - {"NULL"}
    shown = {f.name for f in FUNCTIONS.values() if not f.name.startswith("__")}
    assert {n for kind, n in names if kind == "function"} == shown
    assert {n for kind, n in names if kind == "table"} >= {*SYSTEM_TABLES}
    assert {n for kind, n in names if kind == "command"} == {f"\\{c.names[0]}" for c in COMMANDS}
    for topic in all_topics():
        assert topic.about.strip() and "\n" not in topic.about, topic
        assert topic.name.strip("<>").split(" …")[0].split(" (")[0] in topic.page(), topic
    assert {topic.kind for topic in all_topics()} == {*KINDS}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_synopsis_is_words_and_parts_that_are_explained(name: str) -> None:
    text = syntax_of(name)
    assert max(map(len, text.split("\n"))) <= 100
    assert "_" not in text.replace("SYSTEM_TIME", "").replace("INCLUDE_NULL_VALUES", "").replace(
        "WITHOUT_ARRAY_WRAPPER", ""
    ), "a rule's name shows"
    assert text_of(name).split("\n\n")[0].endswith((".", "`.", ".gguf"))


@pytest.mark.parametrize("kind", [k for k in TYPES])
def test_every_example_of_a_type_is_of_that_type(kind: str) -> None:
    with hql.connect(":memory:") as db:
        cursor = db.execute(f"SELECT {TYPES[kind][2]} AS x")
        assert cursor.description is not None
        assert str(cursor.description[0][1]).startswith(kind)


def test_topics_are_found_by_name_by_beginning_and_by_part() -> None:
    assert [t.name for t in find(" create   TABLE; ")] == ["CREATE TABLE"]
    assert {t.name for t in find("drop")} >= {"DROP TABLE", "DROP VIEW"}
    assert [t.name for t in find("order by")] == ["SELECT"]
    assert {t.kind for t in find("left")} == {"function"}
    assert "LEN" in {t.name for t in find("len")}
    assert find("\\dt")[0].kind == "command"
    assert find("no such thing at all") == [] == find("")


def test_pages_and_lists() -> None:
    assert page("varchar")[0].startswith("NVARCHAR")
    assert page("drop")[0] == "Statements"
    assert any("SELECT" in line for line in overview())
    assert listing([]) == []
    with pytest.raises(BindFault, match="no help on 'creat tabel'") as caught:
        page("creat tabel")
    assert caught.value.hint is not None and "CREATE TABLE" in caught.value.hint
