"""The PostgreSQL doorway: psql, psycopg and other clients of PostgreSQL speak to a database in HQL.

    messages.py, replies.py            the protocol's messages, bytes in and bytes out
    types.py, rows.py, parameters.py   values
    door.py, connection.py             who is there; one client's bytes, in order
    login.py, scram.py                 who a client is
    client.py, portals.py              its messages: statements, portals, errors
    running.py, answers.py             how a statement runs, and what it gives
    commands.py                        PostgreSQL's own statements: SET, BEGIN, FETCH …
    catalog*.py, relations.txt         what clients ask about tables

No library that is kept well gives the server's side of the protocol in Python, so it is written
here. Not covered: replication, COPY to and from the client, function calls, NOTIFY, GSSAPI.
"""
