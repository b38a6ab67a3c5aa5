"""SQLAlchemy's definitions as HQL: CREATE TABLE, VIEW, INDEX and their kin."""

from __future__ import annotations

from typing import Any

from sqlalchemy import exc
from sqlalchemy.sql.compiler import DDLCompiler
from sqlalchemy.sql.schema import Identity


class HQLDDLCompiler(DDLCompiler):
    """Definitions."""

    def get_column_specification(self, column: Any, **kw: Any) -> str:
        name = self.preparer.format_column(column)
        if column.computed is not None:
            return f"{name} {self.process(column.computed)}"
        type_ = self.dialect.type_compiler_instance.process(column.type, type_expression=column)
        parts = [name, type_]
        default = self.get_column_default_string(column)
        if default is not None and column.identity is None:
            parts.append(f"DEFAULT {default}")
        if column.identity is not None:
            parts.append(self.process(column.identity))
        elif column is column.table._autoincrement_column and default is None:
            parts.append(self.process(Identity(start=1, increment=1)))
        if not column.nullable:
            parts.append("NOT NULL")
        elif column.identity is None:
            parts.append("NULL")
        return " ".join(parts)

    def visit_identity_column(self, identity: Any, **kw: Any) -> str:
        start = 1 if identity.start is None else identity.start
        step = 1 if identity.increment is None else identity.increment
        return f"IDENTITY({start},{step})"

    def visit_computed_column(self, generated: Any, **kw: Any) -> str:
        value = self.sql_compiler.process(
            generated.sqltext, include_table=False, literal_binds=True
        )
        return f"AS ({value}) PERSISTED" if generated.persisted else f"AS ({value})"

    def visit_create_index(self, create: Any, *args: Any, **kw: Any) -> str:
        """`Index("ix", t.c.place, hql_using="RTREE")` names an access method; `hql_with` holds its
        settings as a dict."""
        index = create.element
        self._verify_index_table(index)
        options = index.dialect_options["hql"]
        columns = ", ".join(
            self.sql_compiler.process(e, include_table=False, literal_binds=True, as_value=True)
            for e in index.expressions
        )
        text = "CREATE UNIQUE INDEX " if index.unique else "CREATE INDEX "
        if create.if_not_exists:
            text += "IF NOT EXISTS "
        text += self._prepared_index_name(index, include_schema=False)
        text += f" ON {self.preparer.format_table(index.table)} ({columns})"
        if options["using"]:
            text += f" USING {self.preparer.quote(options['using'])}"
        if options["with"]:
            settings = (f"{name} = {_setting(v)}" for name, v in options["with"].items())
            text += f" WITH ({', '.join(settings)})"
        return text

    def visit_drop_index(self, drop: Any, **kw: Any) -> str:
        index = drop.element
        if_exists = "IF EXISTS " if drop.if_exists else ""
        name = self._prepared_index_name(index, include_schema=False)
        return f"DROP INDEX {if_exists}{name} ON {self.preparer.format_table(index.table)}"

    def visit_create_view(self, element: Any, **kw: Any) -> str:
        text = super().visit_create_view(element, **kw)
        return text.replace("CREATE OR REPLACE VIEW", "CREATE OR ALTER VIEW", 1)

    def visit_create_table_as(self, element: Any, **kw: Any) -> str:
        """SELECT INTO: HQL has no CREATE TABLE AS."""
        if element.temporary or element.if_not_exists:
            raise exc.CompileError(
                "SELECT … INTO makes a table of a query: there is no IF NOT EXISTS, and a temporary"
                " table is one whose name begins with #"
            )
        query = self.sql_compiler.process(element.selectable, **{**kw, "literal_binds": True})
        return f"SELECT * INTO {self.preparer.format_table(element.table)} FROM ({query}) AS source"


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)
