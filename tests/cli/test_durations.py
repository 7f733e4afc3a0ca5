"""Durations as texts."""

from datetime import timedelta

import pytest

from perdure.cli.durations import duration, spoken


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("30s", timedelta(seconds=30)),
        ("1.5s", timedelta(seconds=1.5)),
        ("5m", timedelta(minutes=5)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("2d", timedelta(days=2)),
        (" 10s ", timedelta(seconds=10)),
        ("0s", timedelta()),
    ],
)
def test_a_duration_is_numbers_with_units(text: str, length: timedelta) -> None:
    assert duration(text) == length


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(milliseconds=3), "3 ms"),
        (timedelta(seconds=20.06), "20.1 s"),
        (timedelta(minutes=4, seconds=10), "4 min 10 s"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
    ],
)
def test_a_duration_is_shown_in_fitting_units(length: timedelta, text: str) -> None:
    assert spoken(length) == text
