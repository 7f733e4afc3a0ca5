"""What the conformance suite borrows from our databases is given back, and ages as it should."""

from collections.abc import Callable, Generator
from contextlib import closing
from datetime import timedelta

import pytest

from perdure.errors import BackendUnavailable
from perdure_backends.testing.harness import (
    CockroachHarness,
    PostgresHarness,
    SqlHarness,
    SqliteHarness,
)
from perdure_compat.suite.records import get, join, submit

HOUR = timedelta(hours=1)
MAKERS: dict[str, tuple[str, Callable[[str], SqlHarness]]] = {
    "postgresql": ("postgres_url", PostgresHarness),
    "double": ("cockroach_url", CockroachHarness),
    "sqlite": ("sqlite_url", SqliteHarness),
}


@pytest.fixture(params=MAKERS)
def harness(request: pytest.FixtureRequest) -> Generator[SqlHarness, None, None]:
    """Each of ours in turn."""
    fixture, make = MAKERS[request.param]
    with closing(make(request.getfixturevalue(fixture))) as harness:
        yield harness


def test_nothing_is_left_of_a_place_that_is_given_back(harness: SqlHarness) -> None:
    place = harness.fresh()
    with closing(place.open()) as backend:
        backend.migrate()
        submit(backend, "w")
    harness.dispose(place)
    assert harness.left == []
    with closing(place.open()) as backend:
        if isinstance(harness, SqliteHarness):
            with pytest.raises(BackendUnavailable):
                backend.schema_version()
        else:
            assert backend.schema_version().current is None


def test_time_passes_for_workflows_and_workers_of_one_place(harness: SqlHarness) -> None:
    place, other = harness.fresh(), harness.fresh()
    with closing(place.open()) as backend, closing(other.open()) as untouched:
        for each in (backend, untouched):
            each.migrate()
            submit(each, "w")
        join(backend, "a", lease=HOUR)
        before, elsewhere = get(backend, "w"), get(untouched, "w")
        harness.pass_time(place, 2 * HOUR)
        after = get(backend, "w")
        assert before.run_at - after.run_at == 2 * HOUR
        assert before.created_at - after.created_at == 2 * HOUR
        assert get(untouched, "w") == elsewhere
        join(backend, "b")
        pulse = backend.heartbeat("b", lease=HOUR)
        assert pulse
        held = {peer.worker_id: peer.lease_until > pulse.now for peer in pulse.peers}
        assert held == {"a": False, "b": True}


def test_time_passes_where_nothing_was_made_yet(harness: SqlHarness) -> None:
    place = harness.fresh()
    harness.pass_time(place, HOUR)
    with closing(place.open()) as backend:
        assert backend.schema_version().current is None
