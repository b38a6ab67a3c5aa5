"""Tokens: what each kind of text becomes, and what is said about text that is none."""

from __future__ import annotations

import pytest

from hartonomous.grammar.lexer import LexicalFault, tokenize


def kinds(text: str) -> list[tuple[str, object]]:
    return [(token.kind, token.value) for token in tokenize(text)[:-1]]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("abc", "WORD", "abc"),
        ("#temp", "WORD", "#temp"),
        ("naïve_1$", "WORD", "naïve_1$"),
        ('"a ""b"" [c]"', "QUOTED", 'a "b" [c]'),
        ("[a b]]c]", "QUOTED", "a b]c"),
        ("[a.b]", "QUOTED", "a.b"),
        ("'it''s'", "STRING", "it's"),
        ("N'é'", "STRING", "é"),
        ("'a\nb'", "STRING", "a\nb"),
        ("''", "STRING", ""),
        ("12", "INTEGER", "12"),
        ("1.5", "DECIMAL", "1.5"),
        ("1.", "DECIMAL", "1."),
        (".5", "DECIMAL", ".5"),
        ("1e0", "FLOAT", "1e0"),
        (".5E-3", "FLOAT", ".5E-3"),
        ("0xAbC", "BINARY", "0AbC"),
        ("0x", "BINARY", ""),
        ("@x", "VARIABLE", "x"),
        ("@@ROWCOUNT", "VARIABLE", "@ROWCOUNT"),
        (":name", "PARAMETER", "name"),
        ("!=", "COMPARISON", "<>"),
        ("<=", "COMPARISON", "<="),
        ("||", "SUMMING", "||"),
        ("+=", "ASSIGN", "+="),
        ("::", "::", "::"),
        ("[]", "VECTOR", ()),
        ("[ ]", "VECTOR", ()),
        ("[1, -2.5, +.5, 3e2]", "VECTOR", (1.0, -2.5, 0.5, 300.0)),
        ("[ 1 ]", "VECTOR", (1.0,)),
        ("[\n- 1]", "VECTOR", (-1.0,)),
    ],
)
def test_one_token(text: str, kind: str, value: object) -> None:
    (token, end) = tokenize(text)
    assert (token.kind, token.value) == (kind, value)
    assert text[token.start : token.end] == text
    assert (end.kind, end.start) == ("$END", len(text))


def test_a_bracket_opens_a_vector_only_before_a_number_or_its_end() -> None:
    assert kinds("[a][1][-x]"[:3] + "[1]") == [("QUOTED", "a"), ("VECTOR", (1.0,))]
    assert [k for k, _ in kinds("t.[1] + [x 1]")] == ["WORD", ".", "VECTOR", "+", "QUOTED"]


def test_comments_nest_and_are_skipped() -> None:
    text = "a -- b ' [ \n/* c /* d */ ' e */ f --"
    assert kinds(text) == [("WORD", "a"), ("WORD", "f")]


def test_question_marks_are_counted() -> None:
    assert kinds("? + ?") == [("QUESTION", 0), ("+", "+"), ("QUESTION", 1)]


def test_static_calls_are_told_from_parameters() -> None:
    assert [k for k, _ in kinds("a::b(:c) d :: e")] == [
        *("WORD", "::", "WORD", "(", "PARAMETER", ")", "WORD", "::", "WORD")
    ]


@pytest.mark.parametrize("text", ["a\nGO\nb", "a\n  go -- x\nb", "a\nGo", "GO"])
def test_go_alone_on_its_line_ends_a_batch(text: str) -> None:
    assert "GO" in [k for k, _ in kinds(text)]


@pytest.mark.parametrize("text", ["a GO", "GO b", "'\nGO\n'", "/*\nGO\n*/", '"\nGO\n"', "[\nGO\n]"])
def test_go_elsewhere_is_a_word(text: str) -> None:
    assert "GO" not in [k for k, _ in kinds(text)]


def test_a_semicolon_before_else_is_nothing() -> None:
    assert [k for k, _ in kinds("a; ELSE b;")] == ["WORD", "WORD", "WORD", ";"]


@pytest.mark.parametrize(
    ("text", "start", "said"),
    [
        ("a 'b", 2, "string is not closed"),
        ("a N'b''", 2, "string is not closed"),
        ('a "b', 2, 'name is not closed: "'),
        ("a [b", 2, "name is not closed: ]"),
        ("a [1, 2", 2, "vector is not closed"),
        ("a /* b /* */", 2, "comment is not closed"),
        ("a [1, x]", 2, 'numeric constants, "x" is not one'),
        ("a [1,]", 2, "one is missing"),
        ("a [1e999]", 2, "out of range"),
        ("a 1e999", 2, "out of range"),
        ("a 1b", 2, '"1b" is not a number'),
        ("a 1.2.3", 2, '"1.2.3" is not a number'),
        ("a 0xZZ", 2, '"0xZZ" is not a number'),
        ("a @ b", 2, "must follow @"),
        ("a : b", 2, "must follow :"),
        ('a ""', 2, "cannot be empty"),
        ("a $", 2, '"$" has no meaning'),
        ("a !", 2, '"!" has no meaning'),
        ("a \0", 2, "has no meaning"),
    ],
)
def test_faults(text: str, start: int, said: str) -> None:
    with pytest.raises(LexicalFault) as caught:
        tokenize(text)
    assert said in caught.value.message
    assert caught.value.start == start


def test_what_came_before_a_fault_is_kept() -> None:
    tokens: list[object] = []
    with pytest.raises(LexicalFault):
        tokenize("a b 'c", tokens)  # type: ignore[arg-type]
    assert [str(token) for token in tokens] == ["WORD:'a'", "WORD:'b'"]


def test_many_quotes_and_blanks_are_read_in_one_pass() -> None:
    """These would not end if the pattern backtracked."""
    for text in ("'" + "''" * 200_000, '"' + '""' * 200_000, "a" + " " * 5_000 + "$"):
        with pytest.raises(LexicalFault):
            tokenize(text)


def test_only_latin_letters_spell_keywords() -> None:
    dotless, long_s, _ = tokenize("ın ſet")
    assert dotless.upper == "ın" and long_s.upper == "ſet"  # str.upper() makes IN and SET of them
