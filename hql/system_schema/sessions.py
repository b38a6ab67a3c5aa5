"""Sessions: what happened in them, atom by atom, and the paths that they take through space.

A SessionId is text: session ids of event logs are opaque tokens (uuids, cookies, `user-17/3`), and
whoever has numbers loses nothing but the order of numbers. Events of a session are ordered by Seq.

SessionPaths has a row for every session. Path is the LINESTRING through the SpatialKeys of its
events; events without an atom, or whose atom has no SpatialKey, are left out, a single one gives a
line of that point twice, none gives NULL. StartedAt and EndedAt are the first and the last At,
Outcome is the last one that is not NULL. hql/sessions keeps all of them up to date. Sessions
without events, whose paths come from elsewhere, keep what they are given.
"""

from hartonomous.hql.system_schema.base import StoredTable

SESSION_TABLES = (
    StoredTable(
        "SessionEvents",
        """CREATE TABLE SessionEvents (
            SessionId NVARCHAR(256) NOT NULL,
            Seq BIGINT NOT NULL,
            AtomId BIGINT,
            At DATETIMEOFFSET,
            Outcome NVARCHAR(256),
            PRIMARY KEY (SessionId, Seq)
        );
        CREATE INDEX IX_SessionEvents_SessionId ON SessionEvents (SessionId) USING HASH;
        CREATE INDEX IX_SessionEvents_AtomId ON SessionEvents (AtomId) USING HASH""",
        changeable=True,
        behaviour="hartonomous.hql.sessions.rows:EVENTS",
    ),
    StoredTable(
        "SessionPaths",
        """CREATE TABLE SessionPaths (
            SessionId NVARCHAR(256) PRIMARY KEY,
            UserId NVARCHAR(256),
            Path GEOMETRY,
            StartedAt DATETIMEOFFSET,
            EndedAt DATETIMEOFFSET,
            Outcome NVARCHAR(256)
        );
        CREATE INDEX IX_SessionPaths_Path ON SessionPaths (Path) USING RTREE""",
        changeable=True,
        behaviour="hartonomous.hql.sessions.rows:PATHS",
    ),
)
