"""What the text of a statement tells: where it stands, and what it is."""

import re
from enum import StrEnum
from functools import lru_cache

_HIDDEN = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | \$(\w*)\$.*?\$\1\$ | --[^\n]* | /\*.*?\*/""",
    re.VERBOSE | re.DOTALL,
)
_DDL = re.compile(r"(CREATE|ALTER|DROP|TRUNCATE|COMMENT|GRANT|REVOKE)\b", re.IGNORECASE)
_TAME = re.compile(r"(SET|SHOW|RESET|DISCARD|DEALLOCATE|DO)\b", re.IGNORECASE)
_PLACES = re.compile(r"(BEGIN|START|COMMIT|END|ROLLBACK|ABORT)\b(?!.*\bTO\b)", re.IGNORECASE)


class Place(StrEnum):
    """Where a statement stands, which decides what can go wrong there."""

    BEGIN = "begin"
    INSIDE = "inside"
    """Within a transaction of several statements."""
    COMMIT = "commit"
    ROLLBACK = "rollback"
    ALONE = "alone"
    """It commits by itself, so its end is a COMMIT too."""
    QUIET = "quiet"
    """Nothing goes wrong here: a setting, a script, a transaction that has failed."""


_WORDS = {
    "BEGIN": Place.BEGIN,
    "START": Place.BEGIN,
    "COMMIT": Place.COMMIT,
    "END": Place.COMMIT,
    "ROLLBACK": Place.ROLLBACK,
    "ABORT": Place.ROLLBACK,
}


# The same few texts come again and again.
@lru_cache(maxsize=512)
def masked(sql: str) -> str:
    """The statement without comments and without what stands in quotes."""
    return _HIDDEN.sub(" ", sql).strip()


@lru_cache(maxsize=512)
def place(sql: str, *, state: bytes) -> Place:
    """Where a statement stands on a connection in this state: I, T or E."""
    text = masked(sql).rstrip("; \n")
    if state == b"E" or not text or ";" in text or _TAME.match(text):
        return Place.QUIET
    if word := _PLACES.match(text):
        found = _WORDS[word[1].upper()]
        begins = found is Place.BEGIN
        return found if begins == (state == b"I") else Place.QUIET
    return Place.INSIDE if state == b"T" else Place.ALONE


def changes_schema(sql: str) -> bool:
    """Whether it is DDL."""
    return _DDL.match(masked(sql)) is not None
