"""Statements of PostgreSQL's that are no HQL, as whole messages: transactions in PostgreSQL's
words, SET, SHOW, RESET, DISCARD, DEALLOCATE and their kin, and cursors as psycopg declares them.
HQL's own cursors live inside one message; a DECLARE … CURSOR alone in one is PostgreSQL's.

What cannot be had is refused, never agreed to: `SET TimeZone = 'Asia/Tokyo'` is an error, as times
are in UTC here. (A client's first message may ask for anything; it is told what it got.)
"""

from __future__ import annotations

import re
from collections.abc import Callable

from hartonomous.hql.errors import NotSupported
from hartonomous.hql.frozen import frozen
from hartonomous.server.postgres.faults import Refused

#: what clients are told that they speak with
VERSION, VERSION_NUMBER = "16.0", "160000"
#: SQLSTATEs: a setting that there is not, a value that it cannot have
_UNKNOWN_SETTING, _BAD_VALUE = "42704", "22023"

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_SETTING = rf"(?P<name>{_NAME}(?:\.{_NAME})?)"
_MODES = r"(?P<modes>(?:ISOLATION\s+LEVEL|READ\s|(?:NOT\s+)?DEFERRABLE).*)?"
_WORK = r"(?:\s+(?:WORK|TRANSACTION))?"
_PATTERNS: dict[str, str] = {
    "begin": rf"(?:BEGIN{_WORK}|START\s+TRANSACTION)\s*{_MODES}",
    "commit": rf"(?:COMMIT|END){_WORK}(?:\s+AND\s+NO\s+CHAIN)?",
    "rollback": rf"(?:ROLLBACK|ABORT){_WORK}(?:\s+AND\s+NO\s+CHAIN)?",
    "savepoint": rf"SAVEPOINT\s+(?P<name>{_NAME})",
    "release": rf"RELEASE(?:\s+SAVEPOINT)?\s+(?P<name>{_NAME})",
    "rollback_to": rf"ROLLBACK{_WORK}\s+TO(?:\s+SAVEPOINT)?\s+(?P<name>{_NAME})",
    "modes": rf"SET\s+(?:SESSION\s+CHARACTERISTICS\s+AS\s+)?TRANSACTION\s+{_MODES}",
    "set": rf"SET\s+(?:(?:SESSION|LOCAL)\s+)?{_SETTING}\s*(?:=|\bTO\b)\s*(?P<value>.+)",
    "zone": r"SET\s+(?:(?:SESSION|LOCAL)\s+)?TIME\s+ZONE\s+(?P<value>.+)",
    "names": r"SET\s+NAMES\s+(?P<value>.+)",
    "reset": rf"RESET\s+{_SETTING}",
    "show_zone": r"SHOW\s+TIME\s+ZONE",
    "show_isolation": r"SHOW\s+TRANSACTION\s+ISOLATION\s+LEVEL",
    "show": rf"SHOW\s+{_SETTING}",
    "discard": r"DISCARD\s+(?P<what>ALL|PLANS|SEQUENCES|TEMP|TEMPORARY)",
    "deallocate": rf"DEALLOCATE(?:\s+PREPARE)?\s+(?P<name>{_NAME})",
    "declare": rf"DECLARE\s+(?P<name>{_NAME})\s+(?:(?:NO\s+SCROLL|INSENSITIVE|ASENSITIVE)\s+)*"
    r"CURSOR\s+(?P<hold>WITH\s+HOLD\s+|WITHOUT\s+HOLD\s+)?FOR\s+(?P<value>.+)",
    "fetch": r"FETCH\s+(?:FORWARD\s+)?(?P<value>\d{1,9}|ALL|NEXT)?\s*(?:\b(?:FROM|IN)\s+)?"
    rf"(?P<name>{_NAME})",
    "close": rf"CLOSE\s+(?P<name>{_NAME})",
    "unlisten": r"UNLISTEN\s+\*",
}
_COMMANDS = {
    name: re.compile(rf"\s*(?:{pattern})\s*;?\s*", re.IGNORECASE | re.DOTALL)
    for name, pattern in _PATTERNS.items()
}
#: words that a command begins with: other texts are not looked at
_FIRST = re.compile(
    r"\s*(BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|SET|RESET|SHOW|DISCARD|DEALLOCATE"
    r"|DECLARE|FETCH|CLOSE|UNLISTEN)\b",
    re.IGNORECASE,
)
#: a command is short, but for the query of a cursor
CHARACTERS_MAX = 2_000


#: what clients of PostgreSQL try, and HQL says otherwise
_ELSEWHERE = (
    (
        re.compile(r"\s*COPY\b.*\b(?:TO\s+STDOUT|FROM\s+STDIN)\b", re.IGNORECASE | re.DOTALL),
        "COPY to and from the client",
        "SELECT and INSERT; COPY … TO 'file' writes on the server",
    ),
    (
        re.compile(r"\s*(?:LISTEN|NOTIFY)\b", re.IGNORECASE),
        "LISTEN and NOTIFY",
        None,
    ),
)


def check_is_here(text: str) -> None:
    """Raises NotSupported for what is not."""
    for pattern, name, hint in _ELSEWHERE:
        if pattern.match(text[:CHARACTERS_MAX]):
            raise NotSupported(f"not supported yet: {name}", hint=hint)


@frozen
class Command:
    """`kind` is a key of the table above. `start` is where the value begins in the text; `holds`: a
    cursor outlives its transaction."""

    kind: str
    name: str = ""
    value: str = ""
    start: int = 0
    holds: bool = False


def find_command(text: str) -> Command | None:
    """The command that a whole text is, or None: then it is HQL."""
    first = _FIRST.match(text)
    if first is None or (len(text) > CHARACTERS_MAX and first[1].upper() != "DECLARE"):
        return None
    for kind, pattern in _COMMANDS.items():
        match = pattern.fullmatch(text)
        if match is None:
            continue
        groups = match.groupdict()
        name = _plain(groups.get("name") or groups.get("what") or "")
        if kind == "show" and find_setting(name) is None and name.lower() != "all":
            return None  # SHOW COMMITS is HQL
        value = (groups.get("value") or groups.get("modes") or "").rstrip("; \r\n\t").strip()
        start = match.start("value") if kind == "declare" else 0
        return Command(kind, name, value, start, "WITH " in (groups.get("hold") or "").upper())
    return None


_PIECES = re.compile(r"'[^']*(?:''[^']*)*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|(;)", re.DOTALL)


def pieces_of(text: str) -> list[str]:
    """A text cut at its semicolons; blank pieces are left out."""
    cuts = [match.start() for match in _PIECES.finditer(text) if match[1]]
    starts, ends = [0, *(cut + 1 for cut in cuts)], [*cuts, len(text)]
    found = (text[start:end].strip() for start, end in zip(starts, ends, strict=True))
    return [piece for piece in found if piece]


def _plain(name: str) -> str:
    """A name without its quotes."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def check_modes(modes: str) -> None:
    """What a transaction may be asked to be. Every one sees one moment: that is at least what READ
    COMMITTED and REPEATABLE READ promise, and less than SERIALIZABLE."""
    words = " ".join(modes.upper().replace(",", " ").split())
    for refused in ("SERIALIZABLE", "READ ONLY"):
        if refused in words.replace("DEFERRABLE", ""):
            raise NotSupported(
                f"not supported yet: {refused} transactions",
                hint="transactions are ISOLATION LEVEL REPEATABLE READ, READ WRITE",
            )


# --- settings ------------------------------------------------------------------------------------


@frozen
class Setting:
    """A setting of a connection. `check` gives the value in its own form, or None for one that it
    cannot have; without it the setting stays as it is. `is_reported`: clients are told of it."""

    name: str
    value: str
    check: Callable[[str], str | None] | None = None
    is_reported: bool = False
    about: str = ""


def _one_of(*values: str) -> Callable[[str], str | None]:
    known = {value.lower(): values[0] for value in values}
    return lambda given: known.get(given.lower())


def _any(given: str) -> str | None:
    return given[:1_000]


def _style(given: str) -> str | None:
    return "ISO, MDY" if given.upper().split(",")[0].strip() == "ISO" else None


_DURATION = re.compile(r"\s*(\d{1,12})\s*(us|ms|s|min|h|d)?\s*")
_UNITS = {"us": 0.001, "ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def _duration(given: str) -> str | None:
    """Milliseconds, as text."""
    match = _DURATION.fullmatch(given)
    return None if match is None else f"{round(int(match[1]) * _UNITS[match[2] or 'ms'])}"


def _number(given: str) -> str | None:
    return given if given.lstrip("-").isdecimal() and len(given) < 10 else None


_UTC = _one_of("UTC", "GMT", "Etc/UTC", "Etc/GMT", "Zulu", "Z", "0", "+00", "+00:00", "UCT")
_SETTINGS = (
    Setting("application_name", "", _any, True, "the client's name"),
    Setting("bytea_output", "hex", _one_of("hex")),
    Setting("client_encoding", "UTF8", _one_of("UTF8", "UTF-8", "UNICODE"), True),
    Setting("client_min_messages", "notice", _one_of("notice", "log", "info")),
    Setting("DateStyle", "ISO, MDY", _style, True),
    Setting("default_transaction_isolation", "repeatable read"),
    Setting("default_transaction_read_only", "off", _one_of("off", "false", "0"), True),
    Setting("escape_string_warning", "on", _one_of("on", "off")),
    Setting("extra_float_digits", "1", _number, False, "floats are as short as they read back"),
    Setting("hql.branch", "main", _any, True, "the branch that statements read and change"),
    Setting("idle_in_transaction_session_timeout", "0", _one_of("0")),
    Setting("in_hot_standby", "off", None, True),
    Setting("integer_datetimes", "on", None, True),
    Setting("IntervalStyle", "postgres", _one_of("postgres"), True),
    Setting("is_superuser", "off", None, True),
    Setting("jit", "off", _one_of("off", "false", "0")),
    Setting("lc_collate", "C.UTF-8"),
    Setting("lc_ctype", "C.UTF-8"),
    Setting("lc_messages", "C"),
    Setting("lc_monetary", "C"),
    Setting("lock_timeout", "0", _one_of("0")),
    Setting("max_identifier_length", "128"),
    Setting("max_index_keys", "32"),
    Setting("row_security", "on", _one_of("on")),
    Setting("search_path", "dbo", _one_of("dbo")),
    Setting("server_encoding", "UTF8", None, True),
    Setting("server_version", VERSION, None, True),
    Setting("server_version_num", VERSION_NUMBER),
    Setting("session_authorization", "", None, True),
    Setting("standard_conforming_strings", "on", _one_of("on", "true", "1"), True),
    Setting("statement_timeout", "0", _duration, False, "milliseconds; 0: no limit"),
    Setting("synchronous_commit", "on", _one_of("on")),
    Setting("TimeZone", "UTC", _UTC, True),
    Setting("transaction_isolation", "repeatable read"),
    Setting("transaction_read_only", "off", _one_of("off", "false", "0")),
)
SETTINGS = {setting.name.lower(): setting for setting in _SETTINGS}


def find_setting(name: str) -> Setting | None:
    """A setting by its name without case."""
    return SETTINGS.get(name.lower())


class Values:
    """The settings of one connection."""

    def __init__(self) -> None:
        self._values = {setting.name: setting.value for setting in _SETTINGS}

    def __getitem__(self, name: str) -> str:
        return self._values[_get(name).name]

    def all(self) -> list[tuple[str, str, str]]:
        """Names, values and what they mean, in order."""
        return [(s.name, self._values[s.name], s.about) for s in _SETTINGS]

    @property
    def reported(self) -> list[tuple[str, str]]:
        """What a client is told at the beginning, and whenever it changes."""
        return [(s.name, self._values[s.name]) for s in _SETTINGS if s.is_reported]

    def put(self, name: str, value: str) -> None:
        """What the server itself sets."""
        self._values[_get(name).name] = value

    def accept(self, name: str, value: str) -> Setting:
        """What a client sets, as SQL has it. Raises Refused."""
        setting = _get(name)
        given = unquoted(value)
        if given.lower() == "default":
            self._values[setting.name] = setting.value
            return setting
        checked = setting.check(given) if setting.check is not None else None
        if checked is None and given.lower() != self._values[setting.name].lower():
            raise Refused(
                _BAD_VALUE,
                f"{setting.name} cannot be {value} here",
                f"it is {self._values[setting.name]}",
            )
        self._values[setting.name] = checked if checked is not None else given
        return setting

    def try_accept(self, name: str, value: str) -> bool:
        """The same for the first message: what cannot be had is left out."""
        try:
            self.accept(name, value)
        except Refused:
            return False
        return True

    def reset(self, name: str) -> None:
        """The setting is what it was at first; `all` are."""
        for setting in _SETTINGS if name.lower() == "all" else (_get(name),):
            if setting.check is not None:
                self._values[setting.name] = setting.value

    @property
    def timeout(self) -> float | None:
        """Seconds that a statement may take."""
        milliseconds = int(self._values["statement_timeout"])
        return milliseconds / 1000 if milliseconds else None


def _get(name: str) -> Setting:
    setting = find_setting(name)
    if setting is None:
        raise Refused(_UNKNOWN_SETTING, f'unrecognized configuration parameter "{name}"')
    return setting


def unquoted(value: str) -> str:
    """`'UTC'` and `"dbo"` without their quotes; lists stay lists."""
    value = value.strip()
    parts = [part.strip() for part in value.split(",")]
    plain = [p[1:-1] if len(p) > 1 and p[0] == p[-1] and p[0] in "'\"" else p for p in parts]
    return ", ".join(plain)
