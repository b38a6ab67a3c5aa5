"""What HQL has of all that SQLAlchemy's suite can ask for."""

from __future__ import annotations

from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

#: SQLAlchemy takes these for absent unless told otherwise
PRESENT = """
    autocommit binary_literals check_constraint_reflection column_collation_reflection
    computed_columns computed_columns_default_persisted computed_columns_reflect_persisted
    computed_columns_stored computed_columns_virtual create_or_replace_view ctes ctes_on_dml
    ctes_with_update_delete ctes_with_values date_historic datetime_historic datetime_timezone
    datetime_timezone_historic delete_from except_ expression_server_defaults fetch_expression
    fetch_first fetch_no_order_by fetch_percent fetch_ties float_is_numeric
    has_temp_table identity_columns implicit_default_schema index_ddl_if_exists
    indexes_check_column_order infinity_floats inline_check_constraint_reflection intersect
    isolation_level json_type nullsordering nvarchar_types order_by_label_with_expression
    precision_numerics_enotation_small precision_numerics_many_significant_digits
    reflects_pk_names savepoints schema_create_delete schema_reflection schemas server_defaults
    skip_autocommit_rollback supports_bitwise_and supports_bitwise_not supports_bitwise_or
    supports_bitwise_xor table_ddl_if_exists table_value_constructor temp_table_names
    timestamp_microseconds unicode_ddl unique_constraints_reflect_as_index
    unique_index_reflect_as_unique_constraints update_from uuid_data_type view_column_reflection
    view_reflection views window_functions window_range window_range_numeric
""".split()

#: SQLAlchemy takes these for present unless told otherwise: name -> why HQL has it not
ABSENT = {
    "foreign_keys": "not supported yet: REFERENCES",
    "foreign_key_ddl": "not supported yet: REFERENCES",
    "foreign_key_constraint_reflection": "not supported yet: REFERENCES",
    "self_referential_foreign_keys": "not supported yet: REFERENCES",
    "reflect_indexes_with_ascdesc": "an index keeps no direction: it is read either way",
}


class Requirements(SuiteRequirements):
    """`PRESENT` is open, `ABSENT` is closed."""

    def get_isolation_levels(self, config: object) -> dict[str, object]:
        return {"default": "SNAPSHOT", "supported": ["SNAPSHOT", "AUTOCOMMIT"]}


for _name in PRESENT:
    assert hasattr(SuiteRequirements, _name), _name
    setattr(Requirements, _name, property(lambda self: exclusions.open()))
for _name, _reason in ABSENT.items():
    assert hasattr(SuiteRequirements, _name), _name
    setattr(Requirements, _name, property(lambda self, r=_reason: exclusions.skip_if(lambda: True, r)))
