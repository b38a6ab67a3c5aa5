"""What `POST /query` asks: a JSON object, read within bounds, and the kind of answer that Accept
wants."""

from __future__ import annotations

import json
import math
from typing import Any

from hartonomous.hql.frozen import frozen
from hartonomous.server.problems import RequestFault

#: seconds that `timeout` may ask for at most
TIMEOUT_SECONDS_MAX = 7 * 86_400.0
#: members of the body, as docs and messages name them
MEMBERS = ("query", "parameters", "branch", "timeout")
#: content types that announce the body
JSON_TYPES = ("application/json",)


@frozen
class QueryRequest:
    """`timeout` in seconds."""

    text: str
    parameters: dict[str, Any] | list[Any] | None
    branch: str | None
    timeout: float | None


def check_content_type(value: str | None, encoding: str | None) -> None:
    """A body is JSON, in UTF-8 and not compressed. A page of another site cannot send that type
    without asking first. Raises RequestFault 415."""
    kind, *options = [part.strip() for part in (value or "").lower().split(";")]
    if kind not in JSON_TYPES:
        raise RequestFault(
            415, "the body must be JSON", hint="send the header Content-Type: application/json"
        )
    for option in options:
        name, _, text = option.partition("=")
        if name.strip() == "charset" and text.strip().strip('"') not in ("utf-8", "utf8"):
            raise RequestFault(415, "JSON is UTF-8")
    if encoding is not None and encoding.strip().lower() not in ("", "identity"):
        raise RequestFault(415, "a compressed body is not read", hint="send it as it is")


def parse_query(body: bytes) -> QueryRequest:
    """The request of a body. Raises RequestFault 400."""
    given = _parse_json(body)
    if not isinstance(given, dict):
        raise RequestFault(400, "the body is not a JSON object", hint='{"query": "SELECT 1"}')
    for name in given:
        if name not in MEMBERS:
            raise RequestFault(
                400, f"there is no member {name[:40]!r}", hint="members: " + ", ".join(MEMBERS)
            )
    text, parameters = given.get("query"), given.get("parameters")
    branch, timeout = given.get("branch"), given.get("timeout")
    if not isinstance(text, str):
        raise RequestFault(400, "`query` must be a text")
    if parameters is not None and not isinstance(parameters, (dict, list)):
        raise RequestFault(400, "`parameters` must be an object or, for `?`, an array")
    if branch is not None and not isinstance(branch, str):
        raise RequestFault(400, "`branch` must be a text")
    return QueryRequest(text, parameters, branch, _seconds(timeout))


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RequestFault(400, "`timeout` must be a number of seconds")
    if not 0 < value <= TIMEOUT_SECONDS_MAX:
        raise RequestFault(400, f"`timeout` must be above 0 and at most {TIMEOUT_SECONDS_MAX:.0f}")
    return float(value)


def _parse_json(body: bytes) -> Any:
    """The value of a body. Numbers that a float cannot hold, keys given twice, lone surrogates and
    what nests too deep are refused: nothing is taken for what it is not."""
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text,
            parse_float=_finite,
            parse_constant=_no_constant,
            object_pairs_hook=_without_doubles,
        )
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as fault:
        raise RequestFault(400, "the body is not UTF-8") from fault
    except UnicodeEncodeError as fault:
        raise RequestFault(400, "the body holds half of a surrogate pair") from fault
    except RecursionError as fault:
        raise RequestFault(400, "the body nests too deep") from fault
    except json.JSONDecodeError as fault:
        place = f"line {fault.lineno}, column {fault.colno}"
        raise RequestFault(400, f"the body is not JSON: {fault.msg} ({place})") from fault
    except ValueError as fault:  # a number of thousands of digits among them
        raise RequestFault(400, f"the body is not JSON: {str(fault)[:200]}") from fault
    return value


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number is out of range")
    return value


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


# --- Accept --------------------------------------------------------------------------------------


def choose_type(accept: str | None, offered: tuple[str, ...]) -> str:
    """The offered content type that an Accept header (RFC 9110, 12.5.1) likes best; of equals the
    first offered. Raises RequestFault 406."""
    if accept is None or not accept.strip():
        return offered[0]
    ranges = [_parse_range(part) for part in accept.split(",") if part.strip()]
    liked = [(_quality(ranges, kind), -i, kind) for i, kind in enumerate(offered)]
    quality, _, best = max(liked)
    if quality <= 0:
        raise RequestFault(
            406, "none of the types that Accept asks for", hint="there are: " + ", ".join(offered)
        )
    return best


def _parse_range(part: str) -> tuple[str, float]:
    kind, *options = [p.strip().lower() for p in part.split(";")]
    for option in options:
        name, _, text = option.partition("=")
        if name.strip() == "q":
            try:
                quality = float(text)
            except ValueError:
                return kind, 0.0
            return kind, quality if 0 <= quality <= 1 else 0.0
    return kind, 1.0


def _quality(ranges: list[tuple[str, float]], kind: str) -> float:
    """That of the narrowest range that takes the type in."""
    family = kind.split("/")[0] + "/*"
    for wanted in (kind, family, "*/*"):
        found = [quality for name, quality in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0
