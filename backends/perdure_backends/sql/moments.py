"""Times in columns, which are nearly always all in UTC."""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson


def utc_json(moments: Sequence[datetime | None]) -> str | None:
    """These as one JSON array, `null` and all, in one call; None if one is not in UTC.

    What writes the array rounds the offsets of other zones to minutes.
    """
    if {moment.tzinfo for moment in moments if moment is not None} <= {UTC}:
        return orjson.dumps(moments, option=orjson.OPT_UTC_Z).decode()
    return None
