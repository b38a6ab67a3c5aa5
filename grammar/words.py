"""The words of the language: which are reserved, and what terminals are called in messages."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Words that cannot be names unless they are quoted: they begin a statement or a clause (HQL.md
#: sections 2, 4 and 7), or they are operators and marks of expressions. Every other keyword may
#: name a column, table or function. docs/KEYWORDS.md lists all.
STATEMENT_WORDS = _words(
    """ALTER BEGIN BREAK CHECKPOINT CLOSE COMMIT CONTINUE COPY CREATE DEALLOCATE DECLARE DELETE
    DROP EXEC EXECUTE EXPLAIN EXPORT FETCH IF INGEST INSERT MERGE OPEN PRINT RAISERROR RETURN
    ROLLBACK SAVE SAVEPOINT SELECT SET SHOW THROW TRUNCATE UPDATE VALUES VERIFY WAITFOR WHILE
    WITH"""
)
#: words that begin a statement and are names everywhere else
FREE_STATEMENT_WORDS = _words("BACKUP DIFF GRANT HELP KILL REVERT REVOKE USE VACUUM")
CLAUSE_WORDS = _words(
    """AS CHECK CONSTRAINT CROSS DEFAULT DISTINCT ELSE END EXCEPT FOR FROM FULL GROUP HAVING INNER
    INTERSECT INTO JOIN LEFT LIMIT OFFSET ON OPTION ORDER OUTER OUTPUT REFERENCES RIGHT THEN TOP
    UNION UNIQUE USING WHEN WHERE"""
)
EXPRESSION_WORDS = _words("ALL AND BETWEEN CASE COLLATE EXISTS IN IS LIKE NOT NULL OR")
RESERVED = STATEMENT_WORDS | CLAUSE_WORDS | EXPRESSION_WORDS

#: reserved words that are functions before a parenthesis
FUNCTION_WORDS = _words("LEFT RIGHT")

#: words with a syntax of their own before a parenthesis, there or in some places: the printer
#: quotes a function of that name
CALL_WORDS = _words(
    "ANY CAST CONVERT CUBE FILTER IDENTITY OVER ROLLUP ROOT SOME TRY_CAST TRY_CONVERT"
)

#: words that begin a statement which the grammar does not have yet (later.py): where a statement
#: may begin they are not taken for names
LATER_WORDS = _words(
    """ANALYZE APPROVE CANCEL COMPARE DISTILL PAUSE PROVE PRUNE RECEIVE
    REJECT RESUME REVERT SEND SUBMIT TRACE TRAIN"""
)

#: words that are names, but not everywhere (`SELECT TOP (1) percent`, `UPDATE statistics x SET`):
#: the printer quotes them
NARROW_WORDS = _words("COLUMN GO PERCENT RECURSIVE STATISTICS")
