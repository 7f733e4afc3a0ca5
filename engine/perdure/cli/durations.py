"""Durations as people write them: `500ms`, `30s`, `5m`, `1h30m`, `2d`."""

import re
from datetime import timedelta

import typer

_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_PIECE = r"(\d+(?:\.\d+)?)(ms|d|h|m|s)"
_WHOLE = re.compile(f"(?:{_PIECE})+")


def duration(text: str) -> timedelta:
    """The duration that `text` says; each number has a unit, the largest unit first.

    Raises:
        BadParameter: it is no duration, or could be read in two ways.
    """
    given = text.strip()
    pieces = re.findall(_PIECE, given)
    ranks = [list(_UNITS).index(unit) for _, unit in pieces]
    if not _WHOLE.fullmatch(given) or ranks != sorted(set(ranks)):
        raise typer.BadParameter(
            f"{text!r} is not a duration: write 500ms, 30s, 5m, 2h, 1d or 1h30m "
            f"(a unit after each number, lower case, m for minutes)"
        )
    try:
        return sum((float(number) * _UNITS[unit] for number, unit in pieces), timedelta())
    except OverflowError:
        raise typer.BadParameter(f"{text!r} is longer than any calendar") from None


def spoken(length: timedelta) -> str:
    """A duration for people's eyes: `3 ms`, `20.1 s`, `4 min 10 s`, `2 h 5 min`."""
    seconds = length.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 (a minute)
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
