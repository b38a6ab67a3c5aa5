"""Modalities of text: encodings found or refused, headings, what of a page is read and where."""

from __future__ import annotations

import codecs

import pytest

from hartonomous.hql.modalities.base import Modality, Source, Unreadable
from hartonomous.hql.modalities.decoding import find_encoding
from hartonomous.hql.modalities.html import HTML
from hartonomous.hql.modalities.markdown import headings
from hartonomous.hql.modalities.pdf import PDF
from hartonomous.hql.modalities.text import TEXT, underlined

GERMAN = (
    "Die Größe der Bäume überrascht jeden, der zum ersten Mal durch die Wälder geht. "
    "Müller und Söhne führten dort früher eine Mühle; heute ist sie für Gäste geöffnet. "
)


def source(data: bytes, modality: Modality = TEXT, encoding: str | None = "utf-8") -> Source:
    return Source("x", len(data), data, encoding=encoding if modality.is_text else None)


def chunks(data: bytes, modality: Modality) -> list[tuple[str, bytes]]:
    """Texts, and the bytes between their offsets."""
    found = []
    for drafts in modality.read(source(data, modality)):
        assert drafts.starts is not None and drafts.ends is not None
        for text, start, end in zip(drafts.texts, drafts.starts, drafts.ends, strict=True):
            found.append((text, data[start:end]))
    return found


# --- encodings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"", "utf-8"),
        (b"plain", "utf-8"),
        (GERMAN.encode(), "utf-8"),
        (codecs.BOM_UTF8 + b"x", "utf-8"),
        (codecs.BOM_UTF16_LE + "x".encode("utf-16-le"), "utf-16-le"),
        (codecs.BOM_UTF32_LE + "x".encode("utf-32-le"), "utf-32-le"),
        (codecs.BOM_UTF32_BE + "x".encode("utf-32-be"), "utf-32-be"),
    ],
)
def test_encoding(data: bytes, encoding: str) -> None:
    assert find_encoding(data) == encoding


def test_a_sample_may_end_inside_a_character() -> None:
    data = "Größe".encode()[:3]
    assert find_encoding(data, is_whole=False) == "utf-8"
    assert find_encoding(data) != "utf-8"


def test_latin_text_is_recognised() -> None:
    data = (GERMAN * 3).encode("latin-1")
    assert data.decode(find_encoding(data)) == GERMAN * 3


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Привет мир, это просто текст на русском языке. ", "cp1251"),
        ("Привет мир, это просто текст на русском языке. ", "koi8-r"),
        ("日本語のテキストです。これは試験です。", "shift_jis"),
        ("这是一个中文文本，用来测试编码检测。", "gb18030"),
        ("Œuvre d’été où l’on mange à l’hôtel — très bien. ", "cp1252"),
    ],
)
def test_other_encodings_are_recognised(text: str, encoding: str) -> None:
    data = b"Much that is ASCII, before it.\n" * 500 + (text * 5).encode(encoding)
    assert data.decode(find_encoding(data)).endswith(text * 5)


def test_declared_encoding_counts_if_it_is_fit() -> None:
    assert find_encoding(b"\xe9", "iso-8859-2") == "iso8859-2"
    assert find_encoding(b"plain", "rot13") == "utf-8"
    assert find_encoding(b"plain", "no-such-thing") == "utf-8"
    assert find_encoding(b"plain", "iso-2022-jp") == "utf-8"


@pytest.mark.parametrize(
    "data", [b"\x7fELF\0", b"GIF89a\x01\x00", bytes(range(1, 32)) * 10, b"a\x02" * 50]
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        find_encoding(data)
    assert caught.value.code == "BINARY"


def test_text_that_is_not_what_it_seemed() -> None:
    with pytest.raises(Unreadable) as caught:
        list(TEXT.read(source(b"caf\xe9")))
    assert caught.value.code == "ENCODING"
    with pytest.raises(Unreadable) as caught:
        list(TEXT.read(source("a\0b".encode("utf-16-le"), encoding="utf-16-le")))
    assert caught.value.code == "BINARY"


# --- headings ------------------------------------------------------------------------------------


def test_underlined_headings() -> None:
    text = "Title\n=====\n\nbody\n  indented\n-----\nSub\n~~~\n+---+\n"
    assert [text[a:b] for a, b in underlined(text)] == ["Title\n=====", "Sub\n~~~"]


def test_markdown_headings() -> None:
    text = "# A\n\n```sh\n# no\n```\n\nB\n---\n\n    # code\n\n#no\n\n###### C\n"
    assert [text[a:b] for a, b in headings(text)] == ["# A", "B\n---", "###### C"]


# --- HTML ----------------------------------------------------------------------------------------


def test_html_reads_what_a_reader_sees() -> None:
    page = (
        "<html><head><title>Größe</title><style>p{}</style><script>if (a<b) x()</script></head>"
        "<body><h1>Cats &amp; <em>dogs</em></h1><p>One\n  two<br>three<p>Four"
        "<pre>a\n  b</pre><!-- no --><ul><li>x<li>y</ul><template>no</template>end"
    )
    ((text, place),) = chunks(page.encode(), HTML)
    assert text == "Größe\n\nCats & dogs\n\nOne two\n\nthree\n\nFour\n\na\n  b\n\nx\n\ny\n\nend"
    assert place.decode().startswith("Größe</title>") and place.decode().endswith("</template>end")


def test_html_places_of_chunks() -> None:
    body = "word " * 90
    page = f"<h2>Erste</h2><p>{body}</p>\n<h2>Zweite &ouml;</h2><p>{body}ü</p>"
    first, second = chunks(page.encode(), HTML)
    assert first[0].startswith("Erste\n\nword") and first[1].decode().startswith("Erste</h2>")
    assert second[0].startswith("Zweite ö") and second[1].decode().startswith("Zweite &ouml;")
    assert second[1].decode().endswith("ü")


@pytest.mark.parametrize(
    "page", ["", "<", "<p", "</p></p>", "<script>", "<p>&#x110000;&nope;<![CDATA[x", "a" * 5000]
)
def test_broken_html_is_read_as_far_as_it_goes(page: str) -> None:
    for text, _ in chunks(page.encode(), HTML):
        assert text.strip() == text


def test_html_declares_its_encoding() -> None:
    pattern = HTML.declares
    assert pattern is not None
    match = pattern.search(b'<meta http-equiv="x" content="text/html; charset=ISO-8859-15">')
    assert match is not None and match[1] == b"ISO-8859-15"


# --- PDF -----------------------------------------------------------------------------------------


def test_pdf_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hartonomous.hql.modalities.pdf.find_spec", lambda name: None)
    with pytest.raises(Unreadable, match=r"pip install 'hartonomous\[pdf\]'") as caught:
        list(PDF.read(source(b"%PDF-1.4", PDF)))
    assert caught.value.code == "NOT_INSTALLED"


def test_pdf() -> None:
    pypdf = pytest.importorskip("pypdf", reason="the extra pdf is not installed")
    with pytest.raises(Unreadable) as caught:
        list(PDF.read(source(b"%PDF-1.4 and nothing", PDF)))
    assert caught.value.code == "FORMAT"
    (drafts,) = PDF.read(source(one_page(pypdf, "A cat sleeps."), PDF))
    assert drafts.texts == ["A cat sleeps."]
    assert drafts.starts is None and drafts.metadata == ['{"page": 1}']


def one_page(pypdf: object, text: str) -> bytes:
    """The smallest file that says `text`."""
    content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % p for p in places)
    return out + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % table
