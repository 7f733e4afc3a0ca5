"""SQLite in memory has one connection for everybody: it must be fit for use after any failure."""

import pytest

from perdure.backend import Query
from perdure_backends.sqlite import SqliteBackend
from perdure_backends.testing.injector import Injector
from perdure_backends.testing.mishaps import SQLITE, Mishap, Pause, When
from perdure_backends.testing.statements import Place, intercept
from perdure_compat.fault import Strike
from perdure_compat.suite.records import ids, job


def _kept(mishap: Mishap | Pause) -> bool:
    # A crash would take the data along.
    fails = isinstance(mishap, Mishap) and mishap.name != "crash"
    return fails and mishap.when is When.BEFORE


@pytest.mark.parametrize("at", range(3))
def test_a_statement_that_fails_is_tried_again(at: int) -> None:
    backend = SqliteBackend("sqlite://")
    backend.migrate()
    injector = Injector(SQLITE)
    intercept(backend, injector)
    place = (Place.BEGIN, Place.INSIDE, Place.COMMIT)[at]
    (busy,) = filter(_kept, SQLITE[place])
    injector.arm((Strike(at, busy),))
    assert list(backend.submit([job("w")])) == []
    assert injector.trace[at] is place
    assert ids(backend.find(Query())) == ["w"]
