"""Colours of a text: classes of its parts."""

from __future__ import annotations

from hartonomous.hql.shell.highlight import STYLE, spans


def parts(text: str) -> list[tuple[str, str]]:
    found = list(spans(text))
    assert {kind for _, _, kind in found} <= STYLE.keys()
    ends = [0, *(end for _, end, _ in found)]
    assert all(start >= end for (start, _, _), end in zip(found, ends, strict=False))
    return [(text[start:end], kind) for start, end, kind in found if kind != "operator"]


def test_the_parser_tells_keywords_from_names() -> None:
    assert parts("SELECT name, COUNT(*) FROM type AS [first]") == [
        ("SELECT", "keyword"),
        ("name", "name"),
        ("COUNT", "function"),
        ("FROM", "keyword"),
        ("type", "name"),
        ("AS", "keyword"),
        ("[first]", "name"),
    ]


def test_constants_variables_and_comments() -> None:
    assert parts("PRINT N'it''s' -- why\n/* a */ + @v + 1.5e3 + 0xFF\nGO") == [
        ("PRINT", "keyword"),
        ("N'it''s'", "string"),
        ("-- why\n/* a */", "comment"),
        ("@v", "variable"),
        ("1.5e3", "number"),
        ("0xFF", "number"),
        ("GO", "keyword"),
    ]


def test_what_is_unfinished_or_wrong() -> None:
    assert parts("SELECT 'abc ;")[-1] == ("'abc ;", "string")
    assert parts("SELECT 1 /* abc ;")[-1] == ("/* abc ;", "comment")
    assert parts("SELECT $ x") == [("SELECT", "keyword"), ("$", "fault"), ("x", "name")]
    # behind an error the words are judged by themselves until the next statement
    after = parts("SELECT SELECT name; SELECT name FROM t")
    assert after[-4:] == [
        ("SELECT", "keyword"),
        ("name", "name"),
        ("FROM", "keyword"),
        ("t", "name"),
    ]


def test_any_text_has_spans() -> None:
    for text in ("", " \n", "$" * 50, "((((", "))))", "@", "'" * 7, "[1,", "SELECT " * 400):
        list(spans(text))
