"""Settings of a database: which there are, and what their texts mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from hartonomous.storage.errors import SettingFault

#: how long AS OF can see what was changed
RETENTION: Final = "retention"
#: whether what is older is removed in the background
COMPACTION: Final = "compaction"
#: whether statements are noted in QueryLog
QUERY_LOG: Final = "query_log"
DEFAULTS: Final[Mapping[str, str]] = {COMPACTION: "ON", QUERY_LOG: "ON", RETENTION: "7 days"}

_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_LENGTH: Final = re.compile(r"\s*(\d{1,9})\s*([a-z]+?)s?\s*", re.IGNORECASE)


def retention_us(text: str) -> int:
    """'7 days' in microseconds. SettingFault for what is no number of seconds, minutes, hours, days
    or weeks."""
    found = _LENGTH.fullmatch(text)
    unit = _SECONDS.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise SettingFault(
            f"'{text}' is not a length of time",
            hint="for example '7 days'; there are seconds, minutes, hours, days and weeks",
        )
    return int(found[1]) * unit * 1_000_000
