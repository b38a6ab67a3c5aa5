"""Tests of SQLAlchemy's suite that ask for something else than HQL promises: name -> why.

A name is `Class::test`, with `[parameters]` where only some are meant.
"""

EXCLUDED = {
    "ComponentReflectionTest::test_get_temp_table_names": (
        "expects temporary tables without the # that their names begin with"
    ),
    "ComponentReflectionTestExtra::test_string_length_reflection[CHAR": (
        "HQL has one type of text: CHAR is reflected as NVARCHAR"
    ),
    "ComponentReflectionTestExtra::test_string_length_reflection[VARCHAR": (
        "HQL has one type of text: VARCHAR is reflected as NVARCHAR"
    ),
    "DifficultParametersTest::test_round_trip_same_named_column[___name]": (
        "names that begin with two underscores are HQL's own"
    ),
    "IsolationLevelTest::test_dialect_user_setting_is_restored": (
        "needs two levels beside AUTOCOMMIT; HQL has SNAPSHOT alone"
    ),
    "TableViaSelectTest::test_create_table_as_if_not_exists": (
        "SELECT … INTO, which makes a table of a query, has no IF NOT EXISTS"
    ),
    "TrueDivTest::test_truediv_divisor[numeric_38_digit_divisor": (
        "a quotient of DECIMALs is a FLOAT in HQL, with 15 digits"
    ),
    "TrueDivTest::test_truediv_divisor[numeric_many_decimals": (
        "a quotient of DECIMALs is a FLOAT in HQL, with 15 digits"
    ),
    "WindowFunctionTest::test_window_range": (
        "expects rows in the window's order without an ORDER BY, which promises none"
    ),
    "WindowFunctionTest::test_window_range_numeric": (
        "expects rows in the window's order without an ORDER BY, which promises none"
    ),
}
