"""Times as texts."""

from datetime import UTC, datetime

import pytest

from perdure.cli.times import time


@pytest.mark.parametrize(
    "text", ["2026-12-24T18:00Z", "2026-12-24 19:00+01:00", " 2026-12-24T12:00:00.000-06:00 "]
)
def test_a_time_has_a_zone(text: str) -> None:
    assert time(text) == datetime(2026, 12, 24, 18, tzinfo=UTC)
