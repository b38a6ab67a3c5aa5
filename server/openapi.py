"""GET /openapi.json: the HTTP door's endpoints, for programs that generate clients."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from hartonomous.server.http_request import TIMEOUT_SECONDS_MAX
from hartonomous.server.http_rows import FORMS
from hartonomous.server.problems import PROBLEM

_REQUEST = {
    "type": "object",
    "required": ["query"],
    "additionalProperties": False,
    "properties": {
        "query": {"type": "string", "description": "HQL: one statement or several"},
        "parameters": {
            "description": "values of @name or :name, or an array of those of ?, in order. A list "
            "of numbers is a VECTOR, other lists and objects are JSON; texts become dates, "
            "decimals and so on where they are cast or compared",
            "oneOf": [{"type": "object"}, {"type": "array"}, {"type": "null"}],
        },
        "branch": {"type": ["string", "null"], "description": "the branch to work on, else main"},
        "timeout": {
            "type": ["number", "null"],
            "exclusiveMinimum": 0,
            "maximum": TIMEOUT_SECONDS_MAX,
            "description": "seconds",
        },
    },
}

_RESULT = {
    "type": "object",
    "required": ["row_count"],
    "properties": {
        "columns": {
            "type": "array",
            "description": "absent for a statement that gives no rows",
            "items": {
                "type": "object",
                "required": ["name", "type"],
                "properties": {"name": {"type": "string"}, "type": {"type": "string"}},
            },
        },
        "rows": {"type": "array", "items": {"type": "array", "items": {}}},
        "row_count": {
            "type": ["integer", "null"],
            "description": "rows changed or given; null where no number is known",
        },
    },
}

_ANSWER = {
    "type": "object",
    "required": ["results", "messages"],
    "properties": {
        "results": {"type": "array", "items": {"$ref": "#/components/schemas/Result"}},
        "messages": {"type": "array", "items": {"type": "string"}},
        "elapsed_ms": {"type": "number"},
        "commit": {"type": ["integer", "null"], "description": "the last commit that was made"},
        "branch": {"type": "string"},
        "last_identity": {"type": ["integer", "null"]},
    },
}

_PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "what went wrong; stable"},
        "sqlstate": {"type": "string"},
        "detail": {"type": "string"},
        "hint": {"type": "string"},
        "line": {"type": "integer", "description": "place in the text, from 1"},
        "column": {"type": "integer"},
        "routine": {"type": "string", "description": "whose text it is, if not the query's"},
        "calls": {"type": "array", "items": {"type": "string"}},
        "retry": {"type": "boolean", "description": "the same request may succeed later"},
    },
}

_OTHER_FORMS = {
    "application/x-ndjson": "the rows of all results, an object a line",
    "application/jsonl": "the same",
    "text/csv": "the rows of one result, with a header",
    "application/vnd.apache.arrow.stream": "the rows of one result as an Arrow IPC stream",
}


def document(*, has_metrics: bool) -> dict[str, Any]:
    """The document. Nothing in it depends on the database."""
    assert set(_OTHER_FORMS) | {"application/json"} == set(FORMS)
    paths: dict[str, Any] = {
        "/query": {"post": _query()},
        "/healthz": {"get": _status("The process answers", open_to_all=True)},
        "/readyz": {"get": _status("Statements are taken", open_to_all=True, busy=True)},
        "/openapi.json": {"get": _status("This document", open_to_all=True)},
    }
    if has_metrics:
        text = {"text/plain": {"schema": {"type": "string"}}}
        paths["/metrics"] = {
            "get": {
                "summary": "Figures for Prometheus",
                "responses": {"200": {"description": "figures", "content": text}, **_faults(401)},
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hartonomous",
            "version": _version(),
            "description": "HQL over HTTP. An answer whose connection ends before the body does "
            "is no answer: an error came after rows were sent.",
        },
        "paths": paths,
        "components": {
            "schemas": {
                "Query": _REQUEST,
                "Answer": _ANSWER,
                "Result": _RESULT,
                "Problem": _PROBLEM,
            },
            "securitySchemes": {
                "password": {"type": "http", "scheme": "basic"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"password": []}, {"token": []}, {}],
    }


def _query() -> dict[str, Any]:
    forms: dict[str, Any] = {
        "application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}
    }
    for kind, text in _OTHER_FORMS.items():
        forms[kind] = {"schema": {"type": "string", "description": text}}
    return {
        "summary": "Run statements",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Query"}}},
        },
        "responses": {
            "200": {"description": "all statements ran", "content": forms},
            **_faults(400, 401, 403, 406, 408, 409, 410, 413, 415, 422, 429, 500, 501, 503, 504),
        },
    }


def _faults(*statuses: int) -> dict[str, Any]:
    from http import HTTPStatus

    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        str(status): {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }


def _status(summary: str, *, open_to_all: bool, busy: bool = False) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    responses = {"200": {"description": summary, "content": content}}
    if busy:
        responses["503"] = {"description": "not now", "content": content}
    return {"summary": summary, "responses": responses} | ({"security": []} if open_to_all else {})


def _version() -> str:
    try:
        return version("hartonomous")
    except PackageNotFoundError:
        return "0"
