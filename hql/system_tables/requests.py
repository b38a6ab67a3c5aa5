"""InferenceRequests: what was asked of models (hql/models/requests.py). As a log it is the same in
every transaction, and has no past."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.system_tables.base import Row, milliseconds_of, of_tuples
from hartonomous.hql.types import (
    BIGINT,
    BIT,
    DATETIMEOFFSET,
    FLOAT,
    INT,
    NVARCHAR,
    UNIQUEIDENTIFIER,
)
from hartonomous.storage.state import moment

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def _requests(context: Context) -> list[Row]:
    from hartonomous.hql.models.requests import requests_of

    return [
        (
            r.id,
            moment(r.at_us),
            r.model_id,
            r.model_name,
            r.version,
            r.kind,
            r.rows,
            r.tokens_in,
            r.tokens_out,
            milliseconds_of(r.seconds),
            r.cache_hits,
            r.was_loaded,
            r.error,
        )
        for r in requests_of(context.session.database)
    ]


REQUESTS = of_tuples(
    _requests,
    RequestId=UNIQUEIDENTIFIER,
    RequestedAt=DATETIMEOFFSET,
    ModelId=INT,
    ModelName=NVARCHAR,
    Version=INT,
    Kind=NVARCHAR,
    RowCount=BIGINT,
    TokensIn=BIGINT,
    TokensOut=BIGINT,
    Milliseconds=FLOAT,
    CacheHits=BIGINT,
    Loaded=BIT,
    Error=NVARCHAR,
)
