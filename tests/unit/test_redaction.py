"""Secrets are taken out of texts however these are written."""

from __future__ import annotations

import pytest

from hartonomous.hql.security.redaction import redact


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("WITH PASSWORD /* x */ = 'hunter2'", "WITH PASSWORD /* x */ = '***'"),
        ("WITH PASSWORD -- x\n = 'hunter2'", "WITH PASSWORD -- x\n = '***'"),
        ("WITH PASSWORD = ('hunter2'), a = 'b'", "WITH PASSWORD = ('***'), a = 'b'"),
        ("WITH PASSWORD = 'hun' + 'ter2'", "WITH PASSWORD = '***' + '***'"),
        ("WITH [password] = 'hunter2'", "WITH [password] = '***'"),
        ("PRINT 'a token'; PASSWORD = 'hunter2'", "PRINT 'a token'; PASSWORD = '***'"),
        ("EXEC('USER x WITH PASSWORD = ''hunter2''')", "EXEC('***')"),
        ("PASSWORD = 'a'; PRINT 'unclosed hunter2", "PASSWORD = '***'; PRINT '***'"),
        ("VALUES (1, 'secret', 'b')", "VALUES (1, 'secret', 'b')"),
    ],
)
def test_secrets_are_taken_out(text: str, kept: str) -> None:
    assert redact(text) == kept
