"""Times as people write them: `2026-12-24T18:00Z`, `2026-12-24 18:00+01:00`."""

from datetime import UTC, datetime

import typer


def time(text: str) -> datetime:
    """The time that `text` says, with its zone.

    Raises:
        BadParameter: it is no time, or nobody says in which zone.
    """
    try:
        when = datetime.fromisoformat(text.strip())
        if when.tzinfo is not None:
            return when.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise typer.BadParameter(
        f"{text!r} is not a time with its zone: write 2026-12-24T18:00Z or 2026-12-24T18:00+01:00"
    )
