"""Well-known text and binary: what is written reads back to the bit, the compiled readers are the
references, shapely agrees, and no input does more than give a fault."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
import shapely
from geometries import any_number, assert_same, shapes, sliced, small_number
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hartonomous.kernels.geometry import (
    faults,
    number_text,
    wkb,
    wkb_compiled,
    wkb_reference,
    wkt,
    wkt_compiled,
    wkt_reference,
)
from hartonomous.kernels.geometry.faults import Bytes, Each
from hartonomous.kernels.geometry.layout import HULL, POINT, Offsets, Shapes, make


def column(rows: Sequence[str | bytes]) -> tuple[Offsets, Bytes]:
    """As the buffers of a sliced Arrow column: not from the beginning, read-only."""
    parts = [row.encode() if isinstance(row, str) else row for row in rows]
    data = np.frombuffer(b"#(,1" + b"".join(parts) + b"1,)", np.uint8)
    return np.cumsum([4, *map(len, parts)], dtype=np.int64), data


def rows_of(offsets: Offsets, data: Bytes) -> list[bytes]:
    return [data[a:b].tobytes() for a, b in zip(offsets[:-1], offsets[1:], strict=True)]


def assert_same_each(a: Each, b: Each) -> None:
    assert a.codes.tolist() == b.codes.tolist()
    assert a.positions.tolist() == b.positions.tolist()
    assert_same(a.shapes, b.shapes)


def read_text(rows: Sequence[str | bytes], srid: int = 0) -> Each:
    """By both readers, which must agree."""
    offsets, data = column(rows)
    srids = np.full(len(rows), srid, np.int32)
    one, two = (
        wkt._settled(*scan(offsets, data, srids), offsets, data)
        for scan in (wkt_reference.scan_reference, wkt_compiled.scan)
    )
    assert_same_each(one, two)
    return one


def read_bytes(rows: Sequence[bytes], srid: int = 0) -> Each:
    offsets, data = column(rows)
    srids = np.full(len(rows), srid, np.int32)
    one, two = (
        faults.finished(scan(offsets, data, srids))
        for scan in (wkb_reference.scan_reference, wkb_compiled.scan)
    )
    assert_same_each(one, two)
    return one


def without(made: Shapes, *, radius: bool = False) -> Shapes:
    """What text (binary: nor radius) does not say: SRIDs are gone."""
    kept = made.take(np.flatnonzero((made.kind != HULL) | (not radius)))
    size = len(kept)
    return Shapes(
        kept.kind,
        np.zeros(size) if radius else kept.radius,
        np.zeros(size, np.int32),
        kept.ring_starts,
        kept.rings,
        kept.coord_starts,
        kept.coords,
    )


# ---- text ----------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(shapes())
def test_text_reads_back_to_the_bit(made: Shapes) -> None:
    texts = rows_of(*wkt.format_wkt(made))
    assert rows_of(*wkt.format_wkt(sliced(made))) == texts
    each = read_text(texts)
    assert not each.codes.any()
    assert_same(each.shapes, without(made))


def test_text_is_written_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make([(4, [(i, i / 3, -i) for i in range(n)]) for n in (3, 0, 50, 1)], [0, 1, 2, 0])
    whole, binary = wkt.format_wkt(made), wkb.format_wkb(made.take(np.array([0, 3])))
    monkeypatch.setattr(wkt, "_BLOCK", 7)
    monkeypatch.setattr(wkb, "_BLOCK", 2)
    assert rows_of(*wkt.format_wkt(made)) == rows_of(*whole)
    assert rows_of(*wkb.format_wkb(made.take(np.array([0, 3])))) == rows_of(*binary)


@settings(max_examples=50, deadline=None)
@given(shapes())
def test_shapely_reads_our_text_and_we_read_its(made: Shapes) -> None:
    plain = without(made, radius=True)
    ours = shapely.from_wkt([row.decode() for row in rows_of(*wkt.format_wkt(plain))])
    for i, value in enumerate(ours):
        points = shapely.get_coordinates(value, include_z=True)
        assert np.array_equal(points, plain.points(i))
    texts = [shapely.to_wkt(value, rounding_precision=-1) for value in ours]  # of 16 digits or so
    theirs = read_text(texts)
    assert theirs.shapes.kind.tolist() == plain.kind.tolist()
    meant = shapely.get_coordinates(shapely.from_wkt(texts), include_z=True)
    assert np.array_equal(theirs.shapes.coords, np.nan_to_num(meant))


@settings(max_examples=30, deadline=None)
@given(shapes(small_number), st.randoms(use_true_random=False))
def test_case_blanks_and_spellings_do_not_matter(made: Shapes, random: Random) -> None:
    def varied(text: str) -> str:
        out = ""
        for mark in text.replace(" Z", random.choice([" Z", "Z", ""])):
            blank = random.choice(["", "", " ", "\n\t "])
            mark = mark.lower() if random.random() < 0.5 else mark
            out += blank + mark + blank if mark in "()," else mark
        return f" {out}\r\n"

    texts = [varied(row.decode()) for row in rows_of(*wkt.format_wkt(made))]
    with_srid = [f"srid = 9 ;{text}" for text in texts]
    each = read_text(texts)
    assert not each.codes.any(), (texts, each)
    assert_same(each.shapes, without(made))
    assert (read_text(with_srid).shapes.srid == 9).all()
    assert (read_text(with_srid, 9).shapes.srid == 9).all()
    assert (read_text(texts, 9).shapes.srid == 9).all()
    assert (read_text(with_srid, 8).codes == faults.SRID_CONFLICT).all()


def test_other_forms() -> None:
    each = read_text(["multipoint((1 2),3 4)", "POINT(1. .5)", "HULLZ(+1 -2e0 3E+0)", "POINT(1 2)"])
    texts = rows_of(*wkt.format_wkt(each.shapes))
    assert texts == [
        b"MULTIPOINT Z (1 2 0, 3 4 0)", b"POINT Z (1 0.5 0)", b"HULL Z (1 -2 3)",
        b"POINT Z (1 2 0)",
    ]  # fmt: skip


decimals = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-", "+"]),
    st.text("0123456789", min_size=1, max_size=25),
    st.one_of(st.just(""), st.text("0123456789", max_size=25).map(lambda d: "." + d)),
    st.one_of(st.just(""), st.integers(-400, 400).map(lambda e: f"e{e}")),
)


@settings(max_examples=150, deadline=None)
@given(decimals)
@example("9007199254740993")
@example("1" + "0" * 400 + "e-400")
@example("." + "0" * 70 + "123")
def test_decimals_are_correctly_rounded(text: str) -> None:
    value = float(text)
    each = read_text([f"POINT ({text} 0)"])
    if np.isinf(value):
        assert (each.codes[0], each.positions[0]) == (faults.NOT_FINITE, 7)
    else:
        assert each.shapes.coords[0, 0].tobytes() == np.float64(value).tobytes()


def test_decimals_at_the_limits_of_exact_arithmetic() -> None:
    mantissas = [1, 3, 7, 9, 123456789, 2**53 - 1, 2**53, 2**53 + 1, 2**53 + 3, 10**17 + 1]
    texts = [f"{m}e{e}" for m in mantissas for e in range(-40, 41)]
    texts += [f"{m}.{'0' * zeros}{m}" for m in mantissas for zeros in range(9)]
    each = read_text([f"POINT ({text} -{text})" for text in texts])
    meant = np.array([float(text) for text in texts])
    assert each.shapes.coords[:, 0].tolist() == meant.tolist()
    assert each.shapes.coords[:, 1].tolist() == (-meant).tolist()


@settings(max_examples=60, deadline=None)
@given(st.lists(any_number))
def test_numbers_are_written_as_short_as_they_can_be(numbers: list[float]) -> None:
    for text, number in zip(number_text.texts(np.array(numbers, float)), numbers, strict=True):
        assert text.decode() == repr(number).removesuffix(".0")


FAULTS = [
    ("", faults.KIND_EXPECTED, 0, "kind"),
    ("  (1 2)", faults.KIND_EXPECTED, 2, "kind"),
    ("SRID=3;", faults.KIND_EXPECTED, 7, "kind"),
    ("CIRCLE (1 2)", faults.UNKNOWN_KIND, 0, "CIRCLE is no kind"),
    ("GEOMETRYCOLLECTION EMPTY", faults.UNKNOWN_KIND, 0, "GEOMETRYCOLLECTION is not supported"),
    (" multipolygon(((0 0)))", faults.UNKNOWN_KIND, 1, "MULTIPOLYGON is not supported"),
    ("MULTILINESTRINGZ((0 0 0))", faults.UNKNOWN_KIND, 0, "MULTILINESTRINGZ is not supported"),
    ("POINTZZ (1 2 3)", faults.UNKNOWN_KIND, 0, "POINTZZ"),
    ("POINT M (1 2 3)", faults.MEASURES, 6, "M coordinates"),
    ("POINT ZM (1 2 3 4)", faults.MEASURES, 6, "M coordinates"),
    ("POINTZM (1 2 3 4)", faults.UNKNOWN_KIND, 0, "M coordinates"),
    ("SRID=-1;POINT (1 2)", faults.BAD_SRID, 5, "SRID"),
    ("SRID=2147483648;POINT (1 2)", faults.BAD_SRID, 5, "SRID"),
    ("SRID=3 POINT (1 2)", faults.BAD_SRID, 7, "SRID"),
    ("SRID 3;POINT (1 2)", faults.BAD_SRID, 5, "SRID"),
    ("POINT ()", faults.NUMBER_EXPECTED, 7, "missing"),
    ("POINT (1)", faults.NUMBER_EXPECTED, 8, "missing"),
    ("POINT (1 ,2)", faults.NUMBER_EXPECTED, 9, "missing"),
    ("LINESTRING (1 2, )", faults.NUMBER_EXPECTED, 17, "missing"),
    ("POINT (1 2", faults.CLOSE_EXPECTED, 10, ")"),
    ("POINT (1.2.3 4)", faults.BAD_NUMBER, 7, "no number"),
    ("POINT (0x10 4)", faults.BAD_NUMBER, 7, "no number"),
    ("POINT (1e 4)", faults.BAD_NUMBER, 7, "no number"),
    ("POINT (1_0 4)", faults.BAD_NUMBER, 7, "no number"),
    ("POINT (1 NaN)", faults.NOT_FINITE, 9, "finite"),
    ("POINT (-Infinity 1)", faults.NOT_FINITE, 7, "finite"),
    ("POINT (1 -1e400)", faults.NOT_FINITE, 9, "finite"),
    ("BUFFER (inf, POINT (1 1))", faults.NOT_FINITE, 8, "finite"),
    ("POINT 1 2", faults.OPEN_EXPECTED, 6, "("),
    ("POINT FULL", faults.OPEN_EXPECTED, 6, "("),
    ("POLYGON (0 0, 1 0, 1 1, 0 0)", faults.OPEN_EXPECTED, 9, "("),
    ("MULTIPOINT ((1 2, 3 4))", faults.CLOSE_EXPECTED, 16, ")"),
    ("BUFFER (1 POINT (1 2))", faults.COMMA_EXPECTED, 10, ","),
    ("BUFFER (1, POINT (1 2)", faults.CLOSE_EXPECTED, 22, ")"),
    ("POINT Z (1 2)", faults.DIMENSIONS, 9, "coordinates"),
    ("POINT (1 2 3 4)", faults.DIMENSIONS, 7, "coordinates"),
    ("LINESTRING (1 2, 1 2 3)", faults.DIMENSIONS, 17, "coordinates"),
    ("POINT (1 2, 3 4)", faults.ONE_POINT, 10, "one point"),
    ("LINESTRING (1 2)", faults.SHORT_LINE, 11, "two points"),
    ("POLYGON ((0 0, 1 0, 0 0))", faults.SHORT_RING, 9, "four points"),
    ("POLYGON ((0 0, 1 0, 1 1, 0 0), (0 0, 1 0, 1 1, 0 1))", faults.OPEN_RING, 31, "begins"),
    ("POLYGON Z ((0 0 0, 1 0 0, 1 1 0, 0 0 1))", faults.OPEN_RING, 11, "begins"),
    ("POINT (1 2) x", faults.TRAILING, 12, "ends before"),
    ("POINT EMPTY)", faults.TRAILING, 11, "ends before"),
    ("BUFFER (-1, POINT (1 2))", faults.BAD_RADIUS, 8, "radius"),
    ("BUFFER (1, BUFFER (1, POINT (1 2)))", faults.NESTED_BUFFER, 11, "sum of the radii"),
    ("PÖINT (1 2)", faults.UNKNOWN_KIND, 0, "P is no kind"),
]


@pytest.mark.parametrize(("text", "code", "position", "words"), FAULTS)
def test_faults_of_text(text: str, code: int, position: int, words: str) -> None:
    rows = ["BUFFER (1, LINESTRING (5 6, 7 8))", text, "POLYGON ((0 0, 1 0, 1 1, 0 0))"]
    each = read_text(rows, 3)
    assert each.codes.tolist() == [0, code, 0] and each.positions[1] == position
    assert words in wkt.describe(code, text.encode(), position)
    assert each.shapes.num_points.tolist() == [2, 0, 4]
    assert (each.shapes.kind[1], each.shapes.srid.tolist()) == (POINT, [3, 0, 3])
    found = wkt.parse_wkt(*column(rows), srid=3)
    assert found[1:] == (1, position, code)


def test_every_fault_has_a_test_and_a_sentence() -> None:
    shown = {code for _, code, *_ in FAULTS} | {code for _, code, _ in BYTE_FAULTS}
    assert shown | {faults.SRID_CONFLICT} == set(faults.SENTENCES)


_RINGS_TEXT = "(0 0 0, 1e1 0 0, 1 -1.5 0, 0 0 0), (0 0 0, 1 0 0, 1 1 0, 0 0 0)"
VALID = f"SRID=5;BUFFER (2.5, POLYGON Z ({_RINGS_TEXT}))"
pieces = st.one_of(
    st.sampled_from(
        ["(", ")", ",", " ", "Z", "M", "EMPTY", "POINT", "HULL", "nan", "1e999", "-", ";"]
    ),
    st.sampled_from(
        ["SRID=", "BUFFER", "LINESTRING", "MULTIPOINT", ".", "e", "\x00", "é", "9" * 20]
    ),
    st.text(max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(VALID)), st.integers(0, 9), pieces), max_size=4))
def test_mutated_text_is_read_alike_or_refused_alike(edits: list[tuple[int, int, str]]) -> None:
    text = VALID
    for at, length, piece in edits:
        text = text[:at] + piece + text[at + length :]
    rows = ["POINT (1 2)", text, "LINESTRING (0 0, 1 1)"]
    each = read_text(rows)
    assert each.codes[0] == each.codes[2] == 0
    assert 0 <= each.positions[1] <= len(text.encode())
    if each.codes[1]:
        assert wkt.describe(int(each.codes[1]), text.encode(), int(each.positions[1]))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=4))
def test_any_bytes_are_refused_alike(rows: list[bytes]) -> None:
    assert read_text(rows).codes.all()
    read_bytes(rows)


# ---- binary --------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(shapes())
def test_binary_reads_back_to_the_bit(made: Shapes) -> None:
    plain = without(made, radius=True)
    assert wkb.is_writable(made).sum() == ((made.kind != HULL) & (made.radius == 0)).sum()
    rows = rows_of(*wkb.format_wkb(plain))
    assert rows_of(*wkb.format_wkb(sliced(plain))) == rows
    each = read_bytes(rows)
    assert not each.codes.any()
    assert_same(each.shapes, plain)


@settings(max_examples=50, deadline=None)
@given(shapes(), st.sampled_from(["iso", "extended"]), st.booleans(), st.booleans())
def test_binary_is_shapelys(made: Shapes, flavor: str, little: bool, flat: bool) -> None:
    plain = without(made, radius=True)
    ours = shapely.from_wkb(rows_of(*wkb.format_wkb(plain)))
    for i, value in enumerate(ours):
        assert np.array_equal(shapely.get_coordinates(value, include_z=True), plain.points(i))
    ours = shapely.set_srid(shapely.force_2d(ours) if flat else ours, 7)
    srid = flavor == "extended"
    theirs = [
        shapely.to_wkb(value, flavor=flavor, byte_order=int(little), include_srid=srid)
        for value in ours
    ]
    each = read_bytes(theirs)
    assert not each.codes.any()
    assert each.shapes.kind.tolist() == plain.kind.tolist()
    assert np.array_equal(each.shapes.coords, plain.coords * ([1, 1, 0] if flat else 1))
    assert np.array_equal(each.shapes.rings, plain.rings)
    assert (each.shapes.srid == (7 if srid else 0)).all()


def test_a_point_by_hand() -> None:
    offsets, data = wkb.format_wkb(make([(POINT, (1, 2, 3))]))
    assert data.tobytes() == bytes.fromhex("01e9030000") + struct.pack("<3d", 1, 2, 3)


def test_hulls_and_buffers_have_no_binary() -> None:
    made = make([(HULL, [(1, 2, 3)]), (POINT, (1, 2, 3)), (POINT, (1, 2, 3))], [0, 1, 0])
    assert wkb.is_writable(made).tolist() == [False, False, True]


def little(kind: int, *rest: int | float) -> bytes:
    return b"\x01" + struct.pack("<I", kind) + b"".join(
        struct.pack("<I" if isinstance(x, int) else "<d", x) for x in rest
    )  # fmt: skip


_RING = (0.0, 0.0, 1.0, 0.0, 1.0, 1.0)
BYTE_FAULTS = [
    (b"", faults.TRUNCATED, 0),
    (b"\x01\x01\x00", faults.TRUNCATED, 3),
    (little(1, 1.0), faults.TRUNCATED, 13),
    (little(2, 2**32 - 1), faults.TRUNCATED, 9),
    (little(3, 2**32 - 1), faults.TRUNCATED, 9),
    (little(4, 2**31), faults.TRUNCATED, 9),
    (little(3, 1, 2**30), faults.TRUNCATED, 13),
    (b"\x02" + little(1)[1:], faults.BYTE_ORDER, 0),
    (little(7, 0), faults.UNKNOWN_KIND, 1),
    (little(1006, 0), faults.UNKNOWN_KIND, 1),
    (little(0), faults.UNKNOWN_KIND, 1),
    (little(4001), faults.UNKNOWN_KIND, 1),
    (little(2001, 1.0, 2.0, 3.0), faults.MEASURES, 1),
    (little(0x40000001, 1.0, 2.0, 3.0), faults.MEASURES, 1),
    (little(0x20000001, 2**31, 1.0, 2.0), faults.BAD_SRID, 5),
    (little(1, 1.0, float("inf")), faults.NOT_FINITE, 13),
    (little(1, float("nan"), 1.0), faults.NOT_FINITE, 5),
    (little(2, 1, 1.0, 1.0), faults.SHORT_LINE, 5),
    (little(3, 1, 3, *_RING), faults.SHORT_RING, 9),
    (little(3, 1, 4, *_RING, 0.0, 1.0), faults.OPEN_RING, 9),
    (little(1, 1.0, 2.0) + b"x", faults.TRAILING, 21),
    (little(4, 1) + little(2, 2, 0.0, 0.0), faults.BAD_MEMBER, 10),
    (little(4, 1) + little(1001, 0.0, 0.0, 0.0), faults.DIMENSIONS, 10),
    (little(4, 1) + little(4, 1) + b"x" * 30, faults.BAD_MEMBER, 10),
]


@pytest.mark.parametrize(("row", "code", "position"), BYTE_FAULTS)
def test_faults_of_bytes(row: bytes, code: int, position: int) -> None:
    rows = [little(1, 1.0, 2.0), row, little(2, 2, 0.0, 0.0, 1.0, 1.0)]
    each = read_bytes(rows, 3)
    assert each.codes.tolist() == [0, code, 0] and each.positions[1] == position
    assert wkb.describe(code, row, position)
    assert each.shapes.num_points.tolist() == [1, 0, 2]
    assert wkb.parse_wkb(*column(rows), srid=3)[1:] == (1, position, code)


def test_srids_of_bytes_and_of_the_call_must_agree() -> None:
    row = little(0x20000001, 7, 1.0, 2.0)
    assert read_bytes([row], 7).shapes.srid.tolist() == [7]
    assert read_bytes([row], 8).codes.tolist() == [faults.SRID_CONFLICT]
    member = little(4, 1) + row
    assert read_bytes([member]).shapes.srid.tolist() == [7]


def test_foreign_kinds_of_bytes_are_named() -> None:
    assert "MULTIPOLYGON is not supported" in wkb.describe(faults.UNKNOWN_KIND, little(6), 1)
    assert "no kind of geometry 99" in wkb.describe(faults.UNKNOWN_KIND, little(99), 1)


VALID_BYTES = [
    little(0x20000003, 7, 2, 4, *_RING, 0.0, 0.0, 4, *_RING, 0.0, 0.0),
    little(4, 2) + little(1, 1.0, 2.0) + b"\x00" + struct.pack(">I2d", 1, 3.0, 4.0),
    little(1002, 2, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(VALID_BYTES),
    st.lists(st.tuples(st.integers(0, 150), st.integers(0, 255), st.integers(-9, 9)), max_size=4),
)
def test_mutated_bytes_are_read_alike_or_refused_alike(
    row: bytes, edits: list[tuple[int, int, int]]
) -> None:
    for at, byte, cut in edits:
        changed = bytearray(row)
        if at < len(changed):
            changed[at] = byte
        row = bytes(changed[:cut] if cut < 0 else changed)
    each = read_bytes([VALID_BYTES[0], row, VALID_BYTES[2]])
    assert each.codes[0] == each.codes[2] == 0
    assert 0 <= each.positions[1] <= len(row)
    if each.codes[1]:
        assert wkb.describe(int(each.codes[1]), row, int(each.positions[1]))
