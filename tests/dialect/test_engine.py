"""The SQLAlchemy dialect: engines, Core, ORM, transactions. tests/dialect/compliance holds what
SQLAlchemy itself asks for."""

from __future__ import annotations

import datetime
import decimal
import re
import sys
import threading
import types
import uuid
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from servers import serving
from sqlalchemy import exc
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from hartonomous import hql
from hartonomous.hql.sqlalchemy import GEOMETRY, TINYINT, VECTOR


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40), unique=True)
    born: Mapped[datetime.datetime] = mapped_column(server_default=sa.func.now())
    alive: Mapped[bool] = mapped_column(default=True)
    style = mapped_column(VECTOR(3))
    facts = mapped_column(sa.JSON)
    books: Mapped[list[Book]] = relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("author.id"))
    title: Mapped[str]
    price: Mapped[decimal.Decimal] = mapped_column(sa.Numeric(8, 2))
    author: Mapped[Author] = relationship(back_populates="books")


@pytest.fixture(params=["embedded", pytest.param("wire", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    """Of a database in this process, or of a server."""
    with serving() if request.param == "wire" else nullcontext() as server:
        made = sa.create_engine("hql://" if server is None else server.url)
        yield made
        made.dispose()


@pytest.fixture
def library(engine: sa.Engine) -> sa.Engine:
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        for number, name in enumerate(["Woolf", "Joyce", "Kafka"]):
            author = Author(
                name=name, style=[number, 1, 0], facts={"city": name[::-1], "n": [number]}
            )
            author.books = [
                Book(title=f"{name} {i}", price=decimal.Decimal("9.50") + i) for i in range(number)
            ]
            session.add(author)
        session.commit()
    return engine


def test_objects_come_back_as_they_went(library: sa.Engine) -> None:
    with Session(library) as session:
        author = session.scalars(sa.select(Author).where(Author.name == "Kafka")).one()
        assert author.id == 3  # IDENTITY, given to objects in their order
        assert author.alive is True
        assert author.facts == {"city": "akfaK", "n": [2]}
        assert np.array_equal(author.style, np.array([2, 1, 0], np.float32))
        assert abs(datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - author.born) < (
            datetime.timedelta(minutes=5)
        )
        assert [b.price for b in author.books] == [
            decimal.Decimal("9.50"),
            decimal.Decimal("10.50"),
        ]


def test_changes_of_objects(library: sa.Engine) -> None:
    with Session(library) as session:
        author = session.get_one(Author, 3)
        author.alive = False
        author.books.pop()
        session.delete(session.get_one(Author, 2))
        session.commit()
        left = sa.select(Author.name, Author.alive, sa.func.count(Book.id)).outerjoin(Book)
        rows = session.execute(
            left.group_by(Author.id, Author.name, Author.alive).order_by(Author.id)
        )
        assert rows.all() == [("Woolf", True, 0), ("Kafka", False, 1)]


def test_nearest_by_vector(library: sa.Engine) -> None:
    with Session(library) as session:
        distance = Author.style.euclidean_distance([2, 0, 0])
        nearest = session.execute(
            sa.select(Author.name, distance).order_by(distance).limit(2)
        ).all()
        assert [(n, round(d, 4)) for n, d in nearest] == [("Kafka", 1.0), ("Joyce", 1.4142)]
        other = sa.orm.aliased(Author)
        cosine = Author.style.cosine_distance(other.style)
        same = sa.select(sa.func.max(cosine)).join(other, Author.id == other.id)
        assert session.scalar(same) == pytest.approx(0, abs=1e-6)
        dot = sa.select(Author.style.dot_distance([1, 1, 0])).where(Author.id == 2)
        assert session.scalar(dot) == -2


def test_json_by_path(library: sa.Engine) -> None:
    with Session(library) as session:
        number = Author.facts["n", 0].as_integer()
        cities = sa.select(Author.facts["city"].as_string()).where(number > 0).order_by(number)
        assert session.scalars(cities).all() == ["ecyoJ", "akfaK"]
        # the paths of one cached statement are its own
        assert session.scalars(sa.select(Author.facts["n"]).order_by(Author.id)).all() == [
            [0],
            [1],
            [2],
        ]
        # written twice, a path is the same one
        city = sa.select(Author.facts["city"].as_string(), sa.func.count())
        counts = session.execute(city.group_by(Author.facts["city"].as_string())).all()
        assert sorted(counts)[0] == ("akfaK", 1)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (sa.literal(1) == 1, True),
        (sa.and_(sa.literal(1) == 1, sa.literal(2) > 3), False),
        (sa.not_(sa.literal("a").like("b%")), True),
        (sa.literal(None).is_(None), True),
        (sa.true(), True),
        (sa.exists(sa.select(1)), True),
        (sa.case((sa.literal(1) > 2, "a"), else_="b"), "b"),
        (sa.cast(sa.literal(1) == 1, sa.Integer), 1),
        (sa.func.coalesce(sa.literal(1) == 2, True), False),
        (sa.literal(7) / sa.literal(2), 3.5),
        (sa.literal(7) // sa.literal(2), 3),
        (sa.extract("dow", sa.literal(datetime.date(2026, 11, 22))), 0),
        (sa.extract("year", sa.literal(datetime.date(2026, 11, 22))), 2026),
        (sa.literal("a") + sa.literal("b"), "ab"),
        (sa.literal("it's %(x)s :y ? @z", sa.String), "it's %(x)s :y ? @z"),
        (sa.literal(uuid.UUID(int=5)), uuid.UUID(int=5)),
        (sa.literal(b"\x00\xff"), b"\x00\xff"),
        (sa.try_cast("x", sa.Integer), None),
    ],
)
def test_expressions(engine: sa.Engine, expression: Any, value: Any) -> None:
    with engine.connect() as connection:
        assert connection.scalar(sa.select(expression)) == value
        # as part of others: compared, sorted by, in a condition
        item = sa.select(expression.label("item")).subquery()
        assert connection.scalar(sa.select(item.c.item).order_by(item.c.item)) == value


def test_conditions_in_changes(engine: sa.Engine) -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("a", sa.Integer), sa.Column("b", sa.Boolean))
    table.create(engine)
    with engine.begin() as connection:
        connection.execute(table.insert().values(a=1, b=sa.literal(1) > 2))
        connection.execute(table.update().values(b=table.c.a == 1).where(table.c.b.is_(False)))
        rows = connection.execute(table.delete().where(table.c.b).returning(table.c.a, table.c.b))
        assert rows.all() == [(1, True)]


def test_limits(engine: sa.Engine) -> None:
    numbers = sa.values(sa.column("n", sa.Integer), name="numbers").data(
        [(n,) for n in (1, 2, 2, 3)]
    )
    query = sa.select(numbers.c.n).order_by(numbers.c.n)
    with engine.connect() as connection:
        assert connection.scalars(query.limit(2)).all() == [1, 2]
        assert connection.scalars(query.limit(2).offset(1)).all() == [2, 2]
        assert connection.scalars(query.offset(3)).all() == [3]
        assert connection.scalars(query.fetch(2, with_ties=True)).all() == [1, 2, 2]
        assert connection.scalars(query.fetch(50, percent=True)).all() == [1, 2]
        both = sa.union_all(query.limit(1), query.limit(1)).limit(5)
        assert connection.scalars(both).all() == [1, 1]
        with pytest.raises(exc.CompileError, match="OFFSET beside FETCH"):
            connection.execute(query.fetch(1, with_ties=True).offset(1))


def test_many_rows_keep_their_order(engine: sa.Engine) -> None:
    table = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("x", sa.Integer),
    )
    table.create(engine)
    values = [{"x": n} for n in range(2500)]
    with engine.begin() as connection:
        insert = table.insert().returning(table.c.id, table.c.x, sort_by_parameter_order=True)
        assert connection.execute(insert, values).all() == [(n + 1, n) for n in range(2500)]
        result = connection.execute(table.insert(), values)
        assert result.rowcount == 2500
        one = connection.execute(table.insert().values(x=1))
        assert one.inserted_primary_key == (5001,)


def test_transactions(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a INT PRIMARY KEY)")
    with engine.connect() as connection, engine.connect() as other:
        with connection.begin_nested():  # a savepoint before any statement
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        savepoint = connection.begin_nested()
        connection.exec_driver_sql("INSERT INTO t VALUES (2)")
        savepoint.rollback()
        assert other.exec_driver_sql("SELECT COUNT(*) FROM t").scalar() == 0
        other.rollback()
        connection.commit()
        assert other.exec_driver_sql("SELECT a FROM t").all() == [(1,)]
        connection.exec_driver_sql("INSERT INTO t VALUES (3)")
        connection.rollback()
        assert other.exec_driver_sql("SELECT COUNT(*) FROM t").scalar() == 1
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (4)")
        connection.rollback()
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM t").scalar() == 2
    with engine.connect() as connection:
        assert connection.get_isolation_level() == "SNAPSHOT"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELEC 1", exc.ProgrammingError),
        ("SELECT * FROM nowhere", exc.ProgrammingError),
        ("SELECT 1 / 0", exc.DataError),
        ("INSERT INTO t VALUES (1)", exc.IntegrityError),
    ],
)
def test_errors_are_of_their_kind(engine: sa.Engine, text: str, kind: type[Exception]) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a INT PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    with engine.connect() as connection, pytest.raises(kind) as caught:
        connection.exec_driver_sql(text).all()
    assert isinstance(caught.value, exc.DBAPIError)
    assert isinstance(caught.value.orig, hql.Error)


def test_a_conflict_is_an_operational_error(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a INT)")
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    with engine.connect() as first, engine.connect() as second:
        first.exec_driver_sql("UPDATE t SET a = 2")
        second.exec_driver_sql("UPDATE t SET a = 3")
        first.commit()
        with pytest.raises(exc.OperationalError):
            second.commit()


def test_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "atlas.hdb"
    engine = sa.create_engine(f"hql:///{path}?author=me&timeout=60")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a INT)")
        raw: Any = connection.connection.dbapi_connection
        assert (raw.session.author, raw.session.timeout) == ("me", 60.0)
    with hql.connect(path) as db:
        db.execute("INSERT INTO t VALUES (7)")
    engine.dispose()
    reader = sa.create_engine(f"hql:///{path}", connect_args={"read_only": True})
    with reader.connect() as connection:
        assert connection.scalar(sa.text("SELECT a FROM t WHERE a = :a"), {"a": 7}) == 7
        with pytest.raises(exc.DBAPIError, match="read"):
            connection.exec_driver_sql("DELETE FROM t")
    reader.dispose()


def test_engines_in_memory_are_apart_and_threads_share_one() -> None:
    one, two = sa.create_engine("hql://"), sa.create_engine("hql://")
    with one.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a INT)")
    one.dispose()  # its connections, not its database

    def insert(number: int) -> None:
        with one.begin() as connection:
            connection.execute(sa.text("INSERT INTO t VALUES (:n)"), {"n": number})

    threads = [threading.Thread(target=insert, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with one.connect() as connection:
        assert connection.scalar(sa.text("SELECT COUNT(*) FROM t")) == 6
    assert sa.inspect(two).get_table_names() == []


def test_a_closed_connection_is_replaced(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
    raw.close()
    pinging = sa.create_engine("hql://", pool_pre_ping=True)
    with pinging.connect() as connection:
        connection.connection.dbapi_connection.close()  # type: ignore[union-attr]
        connection.invalidate()
    with pinging.connect() as connection:
        assert connection.scalar(sa.select(1)) == 1


def test_definitions(engine: sa.Engine) -> None:
    table = sa.Table(
        "Strange Table",
        sa.MetaData(),
        sa.Column("order", sa.Integer, sa.Identity(start=10, increment=5), primary_key=True),
        sa.Column("tiny", TINYINT, nullable=False, server_default="3"),
        sa.Column("place", GEOMETRY),
        sa.Column("double", sa.Integer, sa.Computed("tiny * 2", persisted=True)),
        sa.CheckConstraint("tiny > 0", name="positive"),
    )
    sa.Index("ix place", table.c.place, hql_using="RTREE")
    table.create(engine)
    point = hql.Geometry.from_wkt("POINT Z (1 2 3)")
    with engine.begin() as connection:
        connection.execute(table.insert().values(place=point))
        height = sa.func.STZ(table.c.place)
        made = connection.execute(
            sa.select(table.c.order, table.c.tiny, table.c.double, table.c.place, height)
        ).one()
        assert made == (10, 3, 6, point, 3.0)
        with pytest.raises(exc.IntegrityError):
            connection.execute(table.insert().values(tiny=-1))
    found = sa.inspect(engine)
    assert found.get_indexes("strange table") == [
        {
            "name": "ix place",
            "column_names": ["place"],
            "unique": False,
            "dialect_options": {"hql_using": "RTREE"},
        }
    ]
    assert found.get_check_constraints("Strange Table") == [
        {"name": "positive", "sqltext": "tiny > 0"}
    ]
    columns = {c["name"]: c for c in found.get_columns("Strange Table")}
    assert columns["order"]["identity"] == {"start": 10, "increment": 5}
    assert columns["double"]["computed"] == {"sqltext": "tiny * 2", "persisted": True}
    assert isinstance(columns["place"]["type"], GEOMETRY)


def test_reflected_tables_can_be_made_again(library: sa.Engine) -> None:
    metadata = sa.MetaData()
    metadata.reflect(library)
    assert set(metadata.tables) == {"author", "book"}
    again = sa.create_engine("hql://")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metadata.create_all(again)
    for name in metadata.tables:
        first, second = sa.inspect(library), sa.inspect(again)
        assert str(first.get_columns(name)) == str(second.get_columns(name))
        assert first.get_pk_constraint(name) == second.get_pk_constraint(name)
        assert first.get_unique_constraints(name) == second.get_unique_constraints(name)


def test_views_schemas_and_system_tables(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA s")
        connection.exec_driver_sql("CREATE TABLE s.t (a INT, b DECIMAL(9,3), v VECTOR(4))")
        connection.exec_driver_sql("CREATE VIEW s.w AS SELECT b, v, a + 1 AS more FROM s.t")
    found = sa.inspect(engine)
    assert found.get_schema_names() == ["dbo", "s"]
    assert found.get_table_names("S") == ["t"] and found.get_view_names("s") == ["w"]
    types = {c["name"]: repr(c["type"]) for c in found.get_columns("w", "s")}
    assert types == {
        "b": "DECIMAL(precision=9, scale=3)",
        "v": "VECTOR(4)",
        "more": "INTEGER()",
    }
    atoms = sa.Table("Atoms", sa.MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(atoms)).scalar() == 0
    with pytest.raises(exc.NoSuchTableError):
        sa.Table("nowhere", sa.MetaData(), autoload_with=engine)


def test_foreign_keys_are_made_added_dropped_and_found(engine: sa.Engine) -> None:
    metadata = sa.MetaData()
    author = sa.Table("author", metadata, sa.Column("id", sa.Integer, primary_key=True))
    key = sa.ForeignKeyConstraint(["author_id"], ["author.id"], name="fk", ondelete="SET NULL")
    sa.Table("book", metadata, sa.Column("author_id", sa.Integer), key)
    with engine.connect() as connection:
        metadata.create_all(connection)
        connection.execute(author.insert().values(id=1))
        with pytest.raises(exc.IntegrityError, match="has no row"):
            connection.exec_driver_sql("INSERT INTO book VALUES (2)")
        (found,) = sa.inspect(connection).get_foreign_keys("book")
        assert found == {
            "name": "fk",
            "constrained_columns": ["author_id"],
            "referred_schema": None,
            "referred_table": "author",
            "referred_columns": ["id"],
            "options": {"ondelete": "SET NULL"},
        }
        connection.execute(sa.schema.DropConstraint(key))
        connection.exec_driver_sql("INSERT INTO book VALUES (2)")
        with pytest.raises(exc.IntegrityError, match="has no row"):
            connection.execute(sa.schema.AddConstraint(key))
        connection.exec_driver_sql("DELETE FROM book")
        connection.execute(sa.schema.AddConstraint(key))
        metadata.drop_all(connection)
        assert sa.inspect(connection).get_table_names() == []


def test_the_document_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs" / "SQLALCHEMY.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    module = types.ModuleType("example")  # where SQLAlchemy looks for what annotations name
    monkeypatch.setitem(sys.modules, "example", module)
    exec(compile(example, "docs/SQLALCHEMY.md", "exec"), module.__dict__)
