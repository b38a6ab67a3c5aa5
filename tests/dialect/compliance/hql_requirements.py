"""What HQL has of all that SQLAlchemy's suite can ask for."""

from __future__ import annotations

from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

#: what HQL has, and SQLAlchemy takes for absent unless told otherwise
PRESENT = """
    autocommit binary_literals check_constraint_reflection column_collation_reflection
    computed_columns computed_columns_reflect_persisted computed_columns_stored
    computed_columns_virtual create_or_replace_view create_table_as cross_schema_fk_reflection ctes
    ctes_on_dml
    ctes_with_update_delete ctes_with_values date_historic datetime_historic
    datetime_literals datetime_timezone datetime_timezone_historic dbapi_lastrowid
    delete_from except_ expression_server_defaults fetch_expression fetch_first
    fetch_no_order_by fetch_percent fetch_ties fk_constraint_option_reflection_ondelete_noaction
    float_is_numeric foreign_key_constraint_name_reflection
    foreign_key_constraint_option_reflection_ondelete
    foreign_key_constraint_option_reflection_onupdate foreign_key_constraint_reflection
    foreign_keys has_temp_table
    identity_columns implicit_default_schema index_ddl_if_exists indexes_check_column_order
    infinity_floats inline_check_constraint_reflection intersect isolation_level json_type
    nullsordering nvarchar_types order_by_label_with_expression percent_schema_names
    precision_numerics_enotation_small precision_numerics_many_significant_digits
    precision_numerics_retains_significant_digits reflects_pk_names savepoints
    schema_create_delete schema_reflection schemas self_referential_foreign_keys
    server_defaults skip_autocommit_rollback
    supports_bitwise_and supports_bitwise_not supports_bitwise_or supports_bitwise_xor
    table_ddl_if_exists table_value_constructor temp_table_names timestamp_microseconds
    unicode_ddl unique_constraints_reflect_as_index
    unique_index_reflect_as_unique_constraints update_from uuid_data_type
    view_column_reflection view_reflection views window_functions window_range
    window_range_numeric
""".split()  # noqa: SIM905

#: what HQL has not -> why
ABSENT = {
    "array_type": "HQL has vectors and JSON, no arrays",
    "comment_reflection": "HQL has no comments on tables",
    "comment_reflection_full_unicode": "HQL has no comments on tables",
    "computed_columns_default_persisted": "a computed column is stored only if it is PERSISTED",
    "constraint_comment_reflection": "HQL has no comments on constraints",
    "create_temp_table_as": "tables are temporary by a name that begins with #, views never",
    "datetime_interval": "HQL has no type of intervals; Interval() is stored as a DATETIME2",
    "default_schema_name_switch": "the default schema is dbo always",
    "fetch_offset_with_options": "TOP … WITH TIES and PERCENT have no OFFSET",
    "fk_constraint_option_reflection_ondelete_restrict": "HQL has NO ACTION, no RESTRICT",
    "fk_constraint_option_reflection_onupdate_restrict": "HQL has NO ACTION, no RESTRICT",
    "float_or_double_precision_behaves_generically": "FLOAT and DOUBLE are both 64 bits",
    "foreign_keys_reflect_as_index": "a foreign key is no index",
    "identity_columns_standard": "IDENTITY has a start and an increment, and no bounds",
    "index_reflects_included_columns": "an index has no included columns",
    "indexes_with_expressions": "an index is over columns; a computed column may be one",
    "json_deserializer_binary": "JSON is text in HQL, never bytes",
    "legacy_unconditional_json_extract": "a part of JSON has the type that was asked for",
    "materialized_views": "HQL has no materialized views",
    "materialized_views_reflect_pk": "HQL has no materialized views",
    "reflect_indexes_with_ascdesc": "an index keeps no direction: it is read either way",
    "reflect_indexes_with_ascdesc_as_expression": "an index keeps no direction",
    "reflect_indexes_with_expressions": "an index is over columns",
    "reflect_table_options": "tables have no options",
    "reflect_tables_no_columns": "a table has at least one column",
    "regexp_match": "HQL has no regular expressions",
    "regexp_replace": "HQL has no regular expressions",
    "repeated_column_foreign_keys": "a foreign key names a column once",
    "repeated_remote_col_foreign_keys": "a foreign key names a column once",
    "sequences": "HQL has IDENTITY, no sequences",
    "server_side_cursors": "every result streams; there is nothing to switch on",
    "supports_bitwise_shift": "HQL has no << and >>",
    "supports_distinct_on": "HQL has no DISTINCT ON",
    "temp_table_comment_reflection": "HQL has no comments on tables",
    "temporary_views": "tables are temporary by a name that begins with #, views never",
    "time_timezone": "a TIME has no zone",
    "tuple_in": "HQL has no tuples: (a, b) IN …",
    "tuple_in_w_empty": "HQL has no tuples: (a, b) IN …",
    "update_returning_dialect_not_supported": "UPDATE … OUTPUT is supported",
    "window_range_non_numeric": "a RANGE of a window is a number, not an interval",
}


class Requirements(SuiteRequirements):
    """`PRESENT` is open, `ABSENT` is closed."""

    def get_order_by_collation(self, config: object) -> str:
        return "NOCASE"

    def get_isolation_levels(self, config: object) -> dict[str, object]:
        return {"default": "SNAPSHOT", "supported": ["SNAPSHOT", "AUTOCOMMIT"]}


for _name in PRESENT:
    assert hasattr(SuiteRequirements, _name), _name
    setattr(Requirements, _name, property(lambda self: exclusions.open()))
for _name, _reason in ABSENT.items():
    assert hasattr(SuiteRequirements, _name), _name
    setattr(
        Requirements, _name, property(lambda self, r=_reason: exclusions.skip_if(lambda: True, r))
    )
