"""What the double refuses, and what it lets go wrong.

All choices come from a seed, the number of the connection and the number of the
statement on it: the same calls in the same order meet the same faults.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from random import Random

import attrs

from .messages import Message
from .statement import Place, masked


class Kind(StrEnum):
    """One way in which a statement or a COMMIT fails."""

    RESTART = "restart"
    """40001 before anything ran."""
    RESTART_LATE = "restart-late"
    """40001 at the end; all is rolled back."""
    AMBIGUOUS_LOST = "ambiguous-lost"
    """40003, and nothing happened."""
    AMBIGUOUS_APPLIED = "ambiguous-applied"
    """40003, and it is committed."""
    DROPPED_LOST = "dropped-lost"
    """The connection ends, and nothing happened."""
    DROPPED_APPLIED = "dropped-applied"
    """The connection ends after it was committed."""

    @property
    def applied(self) -> bool:
        """Whether its effect stays though the answer is lost."""
        return self in {Kind.AMBIGUOUS_APPLIED, Kind.DROPPED_APPLIED}


ALL = frozenset(Kind)
UNAPPLIED = frozenset(kind for kind in Kind if not kind.applied)
"""Whoever repeats after one of these gets the answer of a first time."""

_POSSIBLE: Mapping[Place, Collection[Kind]] = {
    Place.ALONE: ALL,
    Place.COMMIT: ALL - {Kind.RESTART},
    Place.INSIDE: {Kind.RESTART, Kind.RESTART_LATE, Kind.DROPPED_LOST},
    Place.BEGIN: {Kind.DROPPED_LOST},
    Place.ROLLBACK: {Kind.DROPPED_LOST},
}


@attrs.frozen
class Manners:
    """How often what goes wrong, and how far clocks are apart."""

    rate: float = 0.0
    kinds: Collection[Kind] = ALL
    seed: int = 0
    skew: float = 0.25
    """Seconds by which a connection's clock is wrong at most, either way."""

    def fate(self, connection: int) -> "Fate":
        """What one connection meets."""
        return Fate(self, Random(f"{self.seed}/{connection}"))  # noqa: S311 (no secret)


@attrs.define
class Fate:
    """The faults of one connection, one after the other."""

    _manners: Manners
    _random: Random
    skew: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.skew = self._random.uniform(-self._manners.skew, self._manners.skew)

    def next(self, place: Place) -> Kind | None:
        """What becomes of the statement that is about to run here."""
        hit, choice = self._random.random() < self._manners.rate, self._random.random()
        possible = [
            kind
            for kind in Kind
            if kind in self._manners.kinds and kind in _POSSIBLE.get(place, ())
        ]
        return possible[int(choice * len(possible))] if hit and possible else None


# -------------------------------------------------------------- refusals


@attrs.frozen
class Refusal:
    """A construct that the server does not have."""

    code: str
    text: str


def _unimplemented(issue: int) -> Refusal:
    return Refusal(
        "0A000", f"unimplemented: this syntax (see: https://go.crdb.dev/issue-v/{issue}/v25.2)"
    )


_OURS = Refusal("0A000", "the double cannot do this, and CockroachDB perhaps can")
_REFUSED: Mapping[str, Refusal] = {
    r"^(UN)?LISTEN\b|^NOTIFY\b": _unimplemented(41522),
    r"\bpg_notify\s*\(": Refusal("42883", "unknown function: pg_notify()"),
    # CockroachDB says true and locks nothing, which is worse than an error.
    r"\bpg_(try_)?advisory_\w+\s*\(": Refusal("0A000", "advisory locks lock nothing"),
    r"^LOCK\b": Refusal("42601", 'at or near "lock": syntax error'),
    r"^CREATE\s+((LOCAL|GLOBAL)\s+)?TEMP": Refusal(
        "0A000", "temporary tables are only supported experimentally"
    ),
    # The protocol of COPY is not spoken here; the other two would be the server's own clock.
    r"^COPY\b": _OURS,
    r"\bCURRENT_(TIMESTAMP|TIME|DATE)\b|\bLOCALTIME(STAMP)?\b": _OURS,
    r"\bpg_catalog\s*\.\s*(now|\w+_timestamp)\s*\(": _OURS,
}
_PATTERNS = {re.compile(each, re.IGNORECASE): found for each, found in _REFUSED.items()}


LARGEST = 16 << 20
"""Bytes that one message may have, by the cluster's default."""


def excess(messages: Iterable[Message]) -> Refusal | None:
    """Why CockroachDB would not read these to the end."""
    if max(len(message.body) for message in messages) <= LARGEST:
        return None
    return Refusal(
        "08P01",
        f"message size {LARGEST >> 20} MiB bigger than maximum allowed message size "
        f"{LARGEST >> 20} MiB",
    )


@lru_cache(maxsize=512)
def refusal(sql: str) -> Refusal | None:
    """Why CockroachDB would not run this, as far as its text can tell for certain."""
    text = masked(sql)
    return next((found for each, found in _PATTERNS.items() if each.search(text)), None)
