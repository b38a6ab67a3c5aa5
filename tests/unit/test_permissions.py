"""Every statement x every role: who may run it. A statement that says no right, or stands in no
row here, fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from hartonomous import hql
from hartonomous.hql.dbapi import Connection
from hartonomous.hql.security.accounts import Accounts
from hartonomous.hql.security.directory import Role, User, grant_text, role_text, user_text
from hartonomous.hql.security.rights import DATABASE_RIGHTS
from hartonomous.hql.statements import STATEMENTS
from hartonomous.storage.errors import Error

#: what a database has before each row; the owner's
SETUP = """
CREATE TABLE t (a INT PRIMARY KEY, b INT);
INSERT INTO t VALUES (1, 10), (2, 20);
CREATE TABLE child (a INT REFERENCES t (a));
CREATE VIEW v AS SELECT a FROM t;
CREATE SCHEMA s;
CREATE INDEX i ON t (b);
CREATE TAG tag;
CREATE BRANCH br;
CREATE ROLE r;
CREATE USER other;
"""
SPACE = (
    "CREATE SPACE {} LANDMARKS (SELECT EMBED(w) AS v FROM "
    "(VALUES ('cat'), ('dog'), ('horse'), ('fish'), ('bird')) AS x(w))"
)
MODEL = "CREATE MODEL {} ARCHITECTURE mlp(inputs = 2, hidden = 3, outputs = 1) WITH (SEED = 1)"
PROCEDURES = (
    "CREATE PROCEDURE p AS DELETE FROM t WHERE a = 99",
    "CREATE FUNCTION f(@x INT) RETURNS INT AS BEGIN RETURN @x END",
)
#: what an account that may not do it is told: no right, or that there is no such thing
DENIALS = {
    "PERMISSION",
    "UNKNOWN_TABLE",
    "UNKNOWN_PROCEDURE",
    "UNKNOWN_MODEL",
    "NOT_FOUND",
}
#: nobody has no rights at all, the others one built-in role each
WHO = ("nobody", "reader", "writer", "owner")
ALL, READ, WRITE, OWN = WHO, WHO[1:], WHO[2:], WHO[3:]

#: statement -> (text, who may run it)
TABLE: dict[str, tuple[str, tuple[str, ...]]] = {
    "alter_database": ("ALTER DATABASE SET retention = '8 days'", OWN),
    "alter_role": ("ALTER ROLE r ADD MEMBER other", OWN),
    "alter_table": ("ALTER TABLE t ADD c INT", OWN),
    "alter_user": ("ALTER USER other WITH ENABLED = OFF", OWN),
    "backup_database": ("BACKUP DATABASE TO '{folder}/backup'", OWN),
    "begin_transaction": ("BEGIN TRAN; COMMIT", ALL),
    "block": ("BEGIN PRINT 'x' END", ALL),
    "break_loop": ("WHILE 1 = 1 BREAK", ALL),
    "checkpoint": ("CHECKPOINT", OWN),
    "close_cursor": ("DECLARE c CURSOR FOR SELECT 1 AS x; OPEN c; CLOSE c; DEALLOCATE c", ALL),
    "commit": ("BEGIN TRAN; COMMIT", ALL),
    "continue_loop": ("DECLARE @i INT = 0; WHILE @i < 1 BEGIN SET @i = 1; CONTINUE END", ALL),
    "copy": ("COPY t TO '{folder}/t.csv'", OWN),
    "create_branch": ("CREATE BRANCH made", OWN),
    "create_function": ("CREATE FUNCTION g() RETURNS INT AS BEGIN RETURN 1 END", OWN),
    "create_index": ("CREATE INDEX made ON t (b)", OWN),
    "create_model": (
        MODEL.format("m"),
        OWN,
    ),
    "create_policy": ("CREATE POLICY pol ON t TO other USING (a > 0)", OWN),
    "create_procedure": ("CREATE PROCEDURE q AS PRINT 'x'", OWN),
    "create_role": ("CREATE ROLE made", OWN),
    "create_schema": ("CREATE SCHEMA made", OWN),
    "create_space": (SPACE.format("made"), OWN),
    "create_table": ("CREATE TABLE made (a INT)", OWN),
    "create_tag": ("CREATE TAG made", OWN),
    "create_token": ("CREATE TOKEN tok FOR other", OWN),
    "create_user": ("CREATE USER made", OWN),
    "create_view": ("CREATE VIEW made AS SELECT a FROM t", OWN),
    "deallocate": ("DECLARE c CURSOR FOR SELECT 1 AS x; DEALLOCATE c", ALL),
    "declare": ("DECLARE @x INT = 1", ALL),
    "declare_cursor": ("DECLARE c CURSOR FOR SELECT 1 AS x; DEALLOCATE c", ALL),
    "delete": ("DELETE FROM t WHERE a = 3", WRITE),
    "diff_commit": ("DIFF COMMIT 'tag', 'tag'", OWN),
    "drop_branch": ("DROP BRANCH br", OWN),
    "drop_function": ("DROP FUNCTION f", OWN),
    "drop_index": ("DROP INDEX i ON t", OWN),
    "drop_model": ("DROP MODEL m", OWN),
    "drop_policy": ("DROP POLICY IF EXISTS pol ON t", OWN),
    "drop_procedure": ("DROP PROCEDURE p", OWN),
    "drop_role": ("DROP ROLE r", OWN),
    "drop_schema": ("DROP SCHEMA s", OWN),
    "drop_space": ("DROP SPACE sp", OWN),
    "drop_table": ("DROP TABLE child", OWN),
    "drop_tag": ("DROP TAG tag", OWN),
    "drop_token": ("DROP TOKEN tok", OWN),
    "drop_user": ("DROP USER other", OWN),
    "drop_view": ("DROP VIEW v", OWN),
    "execute": ("EXEC p", OWN),
    "execute_as": ("EXECUTE AS USER = 'other'; EXECUTE AS CALLER", OWN),
    "execute_text": ("EXEC('SELECT a FROM t')", READ),
    "explain": ("EXPLAIN SELECT a FROM t", READ),
    "export_model": ("EXPORT MODEL m TO '{folder}/m.gguf'", OWN),
    "fetch": (
        "DECLARE c CURSOR FOR SELECT a FROM t; OPEN c; FETCH NEXT FROM c; DEALLOCATE c",
        READ,
    ),
    "grant": ("GRANT SELECT ON t TO other", OWN),
    "help": ("HELP 'SELECT'", ALL),
    "if_else": ("IF EXISTS (SELECT a FROM t) PRINT 'x'", READ),
    "ingest": ("INGEST (SELECT a, 'text' AS body FROM t)", WRITE),
    "insert": ("INSERT INTO t (a) SELECT MAX(a) + 1 FROM t", WRITE),
    "insert_execute": ("INSERT INTO child EXEC('SELECT a FROM t WHERE a = 1')", WRITE),
    "merge": (
        "MERGE INTO t USING (VALUES (2)) x(a) ON t.a = x.a WHEN MATCHED THEN UPDATE SET b = 1",
        WRITE,
    ),
    "merge_branch": ("MERGE BRANCH br", OWN),
    "open_cursor": ("DECLARE c CURSOR FOR SELECT a FROM t; OPEN c; DEALLOCATE c", READ),
    "print_text": ("PRINT 'x'", ALL),
    "query": ("SELECT a FROM t", READ),
    "raise_error": ("BEGIN TRY RAISERROR('x', 16, 1) END TRY BEGIN CATCH END CATCH", ALL),
    "return_value": ("RETURN", ALL),
    "revert_commit": ("REVERT COMMIT '{last}'", OWN),
    "revoke": ("REVOKE SELECT ON t FROM other", OWN),
    "rollback": ("BEGIN TRAN; ROLLBACK", ALL),
    "savepoint": ("BEGIN TRAN; SAVE TRAN s; COMMIT", ALL),
    "set_option": ("SET NOCOUNT ON; SET NOCOUNT OFF", ALL),
    "set_variable": ("DECLARE @x INT; SET @x = (SELECT MAX(a) FROM t)", READ),
    "show_branches": ("SHOW BRANCHES", ALL),
    "show_commits": ("SHOW COMMITS", OWN),
    "show_tags": ("SHOW TAGS", ALL),
    "throw": ("BEGIN TRY THROW 50001, 'x', 1 END TRY BEGIN CATCH END CATCH", ALL),
    "truncate_table": ("TRUNCATE TABLE child", WRITE),
    "try_catch": ("BEGIN TRY SELECT a FROM t END TRY BEGIN CATCH THROW END CATCH", READ),
    "update": ("UPDATE t SET b = 5 WHERE a = 1", WRITE),
    "update_statistics": ("UPDATE STATISTICS t", OWN),
    "use_branch": ("USE BRANCH br; USE BRANCH main", ALL),
    "vacuum": ("VACUUM", OWN),
    "verify_database": ("VERIFY DATABASE", OWN),
    "wait_for": ("WAITFOR DELAY '00:00:00'", ALL),
    "while_loop": ("WHILE EXISTS (SELECT a FROM t WHERE a = 99) PRINT 'x'", READ),
    "kill": ("KILL {other}", OWN),
}
#: what rows need beside SETUP
MORE = {
    "drop_model": MODEL.format("m"),
    "export_model": MODEL.format("m"),
    "drop_space": SPACE.format("sp"),
    "drop_token": "CREATE TOKEN tok FOR other",
}


def people(db: Connection) -> Accounts:
    """One user for each of WHO, without passwords."""
    accounts = Accounts.of(db.session.database)
    accounts.change(
        lambda _: {
            **{f"user/{name}1": user_text(User(f"{name}1")) for name in WHO},
            **{f"role/{name}": role_text(Role(name, frozenset({f"{name}1"}))) for name in WHO[1:]},
        }
    )
    return accounts


def as_user(db: Connection, name: str) -> None:
    db.session.account = Accounts.of(db.session.database).find(name)
    assert db.session.account is not None


def denial(db: Connection, text: str) -> str | None:
    """The code that refuses a text, or None if it ran."""
    try:
        cursor = db.execute(text)
        while cursor.nextset():
            pass
    except Error as error:
        assert error.code in DENIALS, (text, error)
        return error.code
    finally:
        if db.in_transaction:
            db.rollback()
    return None


@pytest.mark.parametrize("name", STATEMENTS)
def test_who_may_run_it(name: str, tmp_path: Path) -> None:
    assert "right" in vars(STATEMENTS[name]), f"{name} does not say which right it needs"
    assert STATEMENTS[name].right in ("", *DATABASE_RIGHTS)
    text, may = TABLE[name]
    with hql.connect(":memory:security") as db, hql.connect(":memory:security") as victim:
        for piece in (SETUP, *PROCEDURES, MORE.get(name, "")):
            db.execute(piece)
        people(db)
        last = db.execute("SELECT TOP (1) Hash FROM Commits ORDER BY Sequence DESC").fetchone()[0]
        text = text.format(folder=tmp_path, last=last.hex(), other=victim.session.number)
        for who in WHO:
            as_user(db, f"{who}1")
            code = denial(db, text)
            assert (code is None) == (who in may), (name, who, code)


def test_each_right_alone_is_enough() -> None:
    """What only an owner may by a role, somebody may who was granted the one right it needs."""
    with hql.connect(":memory:") as db:
        for piece in (SETUP, *PROCEDURES):
            db.execute(piece)
        people(db)
        accounts = Accounts.of(db.session.database)
        wanted = {
            "BRANCH": "CREATE BRANCH made; DROP BRANCH made",
            "VIEW HISTORY": "SHOW COMMITS",
            "CREATE": "CREATE TABLE made (a INT)",
            "EXECUTE": "EXEC p",
            "ALTER": "ALTER TABLE t ADD c INT",
            "VIEW STATE": "SELECT * FROM sys.settings",
            "SELECT": "SELECT * FROM v",
            "UPDATE": "UPDATE t SET b = 1",
            "DELETE": "DELETE FROM child",
            "INSERT": "INSERT INTO t (a) VALUES (7)",
        }
        for right, text in wanted.items():
            rights = {right, "SELECT"} if right == "UPDATE" else {right}
            as_user(db, "nobody1")
            assert denial(db, text) in DENIALS, right
            accounts.change(lambda _, r=rights: {"grant/nobody1/": grant_text(r)})  # type: ignore[misc]
            assert denial(db, text) is None, right
            accounts.change(lambda _: {"grant/nobody1/": None})
            assert denial(db, text) in DENIALS, right


def test_a_name_that_is_hidden_is_like_one_that_is_not_there() -> None:
    """Errors, hints and lists are the same."""
    with hql.connect(":memory:") as db:
        db.execute("CREATE TABLE payroll (salary INT)")
        db.execute("CREATE VIEW payroll_view AS SELECT * FROM payroll")
        db.execute("CREATE PROCEDURE payroll_procedure AS SELECT 1 AS x")
        db.execute("CREATE FUNCTION payroll_function() RETURNS INT AS BEGIN RETURN 1 END")
        db.execute(MODEL.format("payroll_model"))
        accounts = people(db)
        beside = ("BRANCH", "COPY FILES", "CREATE", "INGEST", "VIEW HISTORY", "VIEW STATE")
        accounts.change(lambda _: {"grant/nobody1/": grant_text(beside)})
        as_user(db, "nobody1")
        texts = [
            "SELECT * FROM {}", "INSERT INTO {} VALUES (1)", "UPDATE {} SET salary = 1",
            "DELETE FROM {}", "TRUNCATE TABLE {}", "DROP TABLE {}", "DROP VIEW {}",
            "DROP PROCEDURE {}", "EXEC {}", "SELECT dbo.{}()", "SELECT * FROM {}()",
            "GRANT SELECT ON {} TO nobody1", "ALTER TABLE {} ADD x INT", "DROP MODEL {}",
            "CREATE INDEX i ON {} (salary)", "SELECT PREDICT('{}', [1, 2])",
            "EXPORT MODEL {} TO 'x'", "UPDATE STATISTICS {}", "VACUUM {}",
            "EXPLAIN SELECT * FROM {}",
            "CREATE POLICY p ON {} TO reader USING (1 = 1)", "SELECT OBJECT_ID('{}')",
            "MERGE INTO {} t USING (VALUES (1)) s(a) ON 1 = 1 WHEN MATCHED THEN DELETE",
            "SELECT * FROM {} FOR SYSTEM_TIME AS OF BRANCH 'main'",
            "CREATE TABLE #x (a INT REFERENCES {} (salary))",
            "INSERT INTO #y SELECT * FROM {}",
        ]  # fmt: skip
        for text in texts:
            for hidden in ("payroll", "payroll_view", "payroll_procedure", "payroll_function",
                           "payroll_model"):  # fmt: skip
                missing = hidden.replace("payroll", "payrool")
                assert said(db, text, hidden) == said(db, text, missing), text
        for table in ("sys.tables", "sys.columns", "sys.views", "sys.procedures", "sys.functions",
                      "sys.indexes", "sys.parameters", "Models", "TensorAtoms", "ModelVersions",
                      "information_schema.tables", "information_schema.routines",
                      "information_schema.columns"):  # fmt: skip
            shown = db.execute(f"SELECT * FROM {table}").fetchall()
            assert "payroll" not in repr(shown), table


def said(db: Connection, text: str, name: str) -> str:
    """What a text gives, with the name taken out."""
    try:
        return repr(db.execute(text.format(name)).fetchall())
    except Error as error:
        message = str(error).split(" (line")[0].replace(name, "NAME")
        return f"{error.code}: {message}"
