"""What SQLAlchemy's suite finds in the database, and what temporary tables are called in it. Loaded
as a plugin, as the engine is made before the requirements are read."""

from __future__ import annotations

from sqlalchemy.engine import Engine
from sqlalchemy.testing.provision import (
    get_temp_table_name,
    post_configure_engine,
    temp_table_keyword_args,
)


@post_configure_engine.for_db("hql")
def _make_schemas(url: object, engine: Engine, follower_ident: object) -> None:
    with engine.begin() as connection:
        for name in ("test_schema", "test_schema_2"):
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {name}")


@get_temp_table_name.for_db("hql")
def _temp_table_name(cfg: object, eng: object, base_name: str) -> str:
    return f"#{base_name}"


@temp_table_keyword_args.for_db("hql")
def _temp_table_arguments(cfg: object, eng: object) -> dict[str, object]:
    return {}
