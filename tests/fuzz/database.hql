-- What mutated statements run against: every type, NULLs, keys, a view, an empty table.
CREATE TABLE t (
    id INT PRIMARY KEY, a INT, b BIGINT, c NVARCHAR(20), d DECIMAL(10, 2), e FLOAT, f BIT,
    g DATE, h DATETIME2, v VECTOR(2), CHECK (a < 1000)
);
INSERT INTO t VALUES
    (1, 10, 100, 'one', 1.50, 0.5, 1, '2024-01-31', '2024-01-31 10:00:00', [1, 0]),
    (2, 20, -200, 'two', -2.25, -1e10, 0, '2024-02-29', '2024-02-29 23:59:59', [0, 1]),
    (3, NULL, 9223372036854775807, '', 0, 0, 1, '1999-12-31', '1999-12-31 00:00:00', [1, 1]),
    (4, 10, NULL, 'ten', 10, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE t1 (a INT, b INT);
INSERT INTO t1 VALUES (1, 2), (2, 3), (3, NULL), (1, 2);
CREATE TABLE t2 (a INT NOT NULL, name TEXT DEFAULT 'none', UNIQUE (a));
INSERT INTO t2 VALUES (1, 'x'), (2, 'y');
CREATE TABLE u (a INT, b NVARCHAR(20), c FLOAT, total DECIMAL(10, 2), x1 BIT);
INSERT INTO u VALUES (1, 'one', 0.5, 1.25, 1), (2, NULL, NULL, -3, 0);
CREATE TABLE empty (a INT, b TEXT);
GO
CREATE VIEW w AS SELECT a, COUNT(*) AS n FROM t1 GROUP BY a;
