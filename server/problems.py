"""Errors as HTTP says them: a status by kind, and a problem document (RFC 9457) with everything
that a client of the wire gets too."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from hartonomous.hql.frozen import frozen
from hartonomous.storage.errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InternalError,
    NotSupportedError,
    ProgrammingError,
)

PROBLEM = "application/problem+json"
INTERNAL = "an internal error; the server's log says what happened"

#: codes whose status says more than that of their kind
CODES: dict[str, HTTPStatus] = {
    "AUTH": HTTPStatus.UNAUTHORIZED,
    "LOGIN_LIMIT": HTTPStatus.TOO_MANY_REQUESTS,
    "PERMISSION": HTTPStatus.FORBIDDEN,
    "READ_ONLY": HTTPStatus.FORBIDDEN,
    "BUSY": HTTPStatus.SERVICE_UNAVAILABLE,
    "LOCKED": HTTPStatus.SERVICE_UNAVAILABLE,
    "STOPPING": HTTPStatus.SERVICE_UNAVAILABLE,
    "TIMEOUT": HTTPStatus.GATEWAY_TIMEOUT,
    "CONFLICT": HTTPStatus.CONFLICT,
    "CANCELLED": HTTPStatus.CONFLICT,
    "MERGE_CONFLICT": HTTPStatus.CONFLICT,
    "REVERT_CONFLICT": HTTPStatus.CONFLICT,
    "HISTORY_GONE": HTTPStatus.GONE,
    "DISK": HTTPStatus.INSUFFICIENT_STORAGE,
    "MEMORY": HTTPStatus.INSUFFICIENT_STORAGE,
    "NOT_INSTALLED": HTTPStatus.NOT_IMPLEMENTED,
    "FILE": HTTPStatus.UNPROCESSABLE_ENTITY,
    "MODEL_FORMAT": HTTPStatus.UNPROCESSABLE_ENTITY,
    "RAISED": HTTPStatus.UNPROCESSABLE_ENTITY,
}

#: of everything else the kind decides
KINDS: tuple[tuple[type[Error], HTTPStatus], ...] = (
    (ProgrammingError, HTTPStatus.BAD_REQUEST),
    (DataError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (IntegrityError, HTTPStatus.CONFLICT),
    (NotSupportedError, HTTPStatus.NOT_IMPLEMENTED),
    (DatabaseError, HTTPStatus.INTERNAL_SERVER_ERROR),
)


@frozen
class Problem:
    """What went wrong, ready to be sent. `members` are those of the document."""

    status: int
    members: dict[str, Any]

    @property
    def body(self) -> bytes:
        """The document."""
        return json.dumps(self.members, ensure_ascii=False).encode("utf-8", "replace")


class RequestFault(Exception):
    """A request that cannot be read: its fault lies with HTTP, not with HQL."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        hint: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.hint = status, detail, hint
        self.headers = headers or {}


def problem_of_request(fault: RequestFault) -> Problem:
    """The document of a request that cannot be read."""
    return Problem(fault.status, _members(fault.status, "REQUEST", fault.detail, hint=fault.hint))


def problem_of(error: Error, sqlstate: str) -> Problem:
    """The document of an error of HQL. Of a bug of ours the server's log knows more than whoever
    asked."""
    status = status_of(error)
    detail = INTERNAL if isinstance(error, InternalError) else error.message
    return Problem(
        status,
        _members(
            status,
            error.code,
            detail,
            sqlstate=sqlstate,
            hint=error.hint,
            line=error.line,
            column=error.column,
            routine=error.routine,
            calls=list(error.calls) or None,
            retry=True if error.retry else None,
        ),
    )


def _members(status: int, code: str, detail: str, **others: Any) -> dict[str, Any]:
    """Those that say something; `type` is about:blank, so the title is the status's."""
    members: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
    }
    return members | {name: value for name, value in others.items() if value is not None}


def status_of(error: Error) -> int:
    """The status of an error: its code's, else that of its kind."""
    known = CODES.get(error.code)
    if known is not None:
        return int(known)
    return int(next((s for kind, s in KINDS if isinstance(error, kind)), 500))
