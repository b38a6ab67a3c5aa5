"""Table variables in storage: what is undone, what is not, and that deleted rows do not pile up."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from hartonomous import hql
from hartonomous.storage.catalog import ColumnEntry, TableEntry
from hartonomous.storage.database import Database
from hartonomous.storage.transaction import Transaction
from hartonomous.storage.variables import HIDDEN_ROWS_MAX, TableVariables, new_id

TURNS = 3 * HIDDEN_ROWS_MAX


def entry() -> TableEntry:
    column = ColumnEntry(1, "n", "INT", pa.int32())
    return TableEntry(new_id(), "dbo", "@t", (column,), next_id=2, temporary=True)


def rows(*values: int) -> pa.Table:
    return pa.table({"n": pa.array(values, pa.int32())})


def values(transaction: Transaction, table: TableEntry) -> list[int]:
    found = transaction.view(table.id).scan(["n"]).table.column("n").to_pylist()
    return sorted(found)


@pytest.fixture
def transaction() -> Transaction:
    out = Database.open(None).begin()
    out.variables = TableVariables()
    return out


def test_a_mark_undoes_and_a_rollback_does_not(transaction: Transaction) -> None:
    table, variables = entry(), transaction.variables
    assert variables is not None
    variables.declare(table)
    savepoint = transaction.savepoint()
    transaction.insert(table.id, rows(1, 2))
    mark = variables.mark()
    transaction.insert(table.id, rows(3))
    transaction.delete(table.id, np.array([0]))
    assert values(transaction, table) == [2, 3]
    transaction.rollback_to(savepoint)
    assert values(transaction, table) == [2, 3]
    variables.restore(mark)
    assert values(transaction, table) == [1, 2]
    assert not transaction.has_changes


def test_identity_values_are_each_variables_own(transaction: Transaction) -> None:
    first, second = entry(), entry()
    variables = transaction.variables
    assert variables is not None
    variables.declare(first)
    variables.declare(second)
    assert transaction.next_identity(first.id, 3, 1, 1) == 1
    variables.restore(variables.mark())
    assert transaction.next_identity(first.id, 1, 1, 1) == 4
    assert transaction.next_identity(second.id, 1, 10, 5) == 10
    transaction.bump_identity(second.id, 100, 10, 5)
    assert transaction.next_identity(second.id, 1, 10, 5) == 105


def test_deleted_rows_are_thrown_away(transaction: Transaction) -> None:
    table, variables = entry(), transaction.variables
    assert variables is not None
    variables.declare(table)
    most = 0
    for number in range(TURNS):
        variables.mark()
        transaction.insert(table.id, rows(number))
        found = transaction.view(table.id).scan(["n"], address=True).table
        if found.num_rows > 3:
            oldest = int(np.argmin(found.column("n").to_numpy()))
            transaction.delete(table.id, found.column(1).to_numpy()[[oldest]])
        working = variables.find(table.id)
        assert working is not None
        most = max(most, sum(chunk.count for _, chunk in working.inserted))
    assert values(transaction, table) == [TURNS - 3, TURNS - 2, TURNS - 1]
    assert most < 2 * HIDDEN_ROWS_MAX


def test_a_read_only_database_has_them(tmp_path: object) -> None:
    hql.connect(f"{tmp_path}/d.hdb").close()
    with hql.connect(f"{tmp_path}/d.hdb", read_only=True) as connection:
        cursor = connection.cursor()
        cursor.execute("DECLARE @t TABLE (n INT); INSERT INTO @t VALUES (1), (2); SELECT * FROM @t")
        while cursor.description is None:
            cursor.nextset()
        assert cursor.fetchall() == [(1,), (2,)]


def test_frames_of_one_text_share_plans_and_not_rows() -> None:
    cursor = hql.connect(":memory:").cursor()
    text = (
        "DECLARE @t TABLE (n INT IDENTITY, v INT); INSERT INTO @t VALUES (?); SELECT n, v FROM @t"
    )
    for value in (5, 6):
        cursor.execute(text, [value])
        while cursor.description is None:
            cursor.nextset()
        assert cursor.fetchall() == [(1, value)]
