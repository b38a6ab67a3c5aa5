"""The PostgreSQL doorway: psql, psycopg and other clients of PostgreSQL speak to a database in HQL.

`messages.py` and `replies.py` are the protocol's messages, bytes in and bytes out; `types.py`,
`parameters.py` and `rows.py` are values; `scram.py` is how a password is proved; `door.py` accepts,
`connection.py` is one client's connection, `portals.py` its statements. `commands.py` are the few
statements of PostgreSQL's that are no HQL, `catalog*.py` what clients ask about tables.

No library that is kept well gives the server's side of the protocol in Python, so it is written
here. Not covered: replication, COPY, function calls, NOTIFY, GSSAPI, cursors declared in SQL.
"""
