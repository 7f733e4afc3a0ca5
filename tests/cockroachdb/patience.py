"""Reading and starting while nodes die: asked again until some node answers."""

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import attrs
import psycopg

import perdure

from ..durability.ledger import Ledger

T = TypeVar("T")

LONGEST = 90.0
"""Seconds that a cluster takes at most to do without a node."""
LOOK = 0.2


def patiently(call: Callable[[], T], *troubles: type[Exception]) -> T:
    """What a call that is safe to repeat answers once the cluster is well again."""
    deadline = time.monotonic() + LONGEST
    while True:
        try:
            return call()
        except troubles:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK)


@attrs.frozen
class PatientLedger(Ledger):
    """The tables, read through whichever node answers."""

    def _rows(self, statement: str) -> list[Any]:
        read = super()._rows
        return patiently(lambda: read(statement), psycopg.OperationalError, psycopg.InternalError)


def start(engine: perdure.Engine, calls: Iterable[perdure.Call[Any]]) -> set[str]:
    """Start workflows whose ids are given; their ids."""
    given = list(calls)
    handles = patiently(lambda: engine.start_many(given), perdure.BackendUnavailable)
    return {handle.id for handle in handles}
