"""How the shell comes to a server: who asks for it is in the URL, what proves it in the environment
(HQL_PASSWORD, HQL_TOKEN; HQL_CA_FILE names whom to trust), so that it does not stand among the
processes' arguments; else a person is asked."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Unpack

from hartonomous.hql import connect
from hartonomous.hql.errors import AuthFault

if TYPE_CHECKING:
    from hartonomous.hql.dbapi import Connection
    from hartonomous.hql.opening import Options


def connect_to_server(url: str, **options: Unpack[Options]) -> Connection:
    """A connection to the server at `url`. Raises Error."""
    options["password"] = os.environ.get("HQL_PASSWORD")
    options["token"] = os.environ.get("HQL_TOKEN")
    options["ca_file"] = os.environ.get("HQL_CA_FILE")
    try:
        return connect(url, **options)
    except AuthFault:
        is_asked = options["password"] is None and options["token"] is None
        if not (is_asked and sys.stdin is not None and sys.stdin.isatty()):
            raise
    from getpass import getpass

    options["password"] = getpass("password: ")
    return connect(url, **options)
