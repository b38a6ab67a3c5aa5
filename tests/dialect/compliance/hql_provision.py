"""A plugin for runs of SQLAlchemy's suite: the schemas it finds in the database, what temporary
tables are called in it, the tests left out. The engine is made before the requirements are read, so
this cannot stand beside them."""

from __future__ import annotations

import pytest
from excluded import EXCLUDED
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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out what `excluded.py` names; a name that meets no test is an error."""
    unmet = dict(EXCLUDED)
    for item in items:
        class_name, _, test = item.nodeid.partition("::")[2].partition("::")
        name = f"{class_name.partition('_hql')[0]}::{test}"
        for excluded, reason in EXCLUDED.items():
            if name == excluded or ("[" in excluded and name.startswith(excluded)):
                item.add_marker(pytest.mark.skip(reason=f"excluded: {reason}"))
                unmet.pop(excluded, None)
    if unmet and len(items) > 1000:
        raise pytest.UsageError(f"excluded tests that are not there: {', '.join(unmet)}")
