"""The conformance suite's trials under faults catch backends that are wrong only when something fails."""

from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

import attrs
import pytest
from sqlalchemy import Connection

from perdure.backend import Backend, Batch, Committed
from perdure_backends.sql.runner import Runner
from perdure_backends.sqlite import SqliteBackend
from perdure_backends.testing.harness import SqliteHarness
from perdure_compat.suite.records import join
from perdure_compat.suite.scene import OBSERVER, Unjust
from perdure_compat.suite.trials import Trial
from perdure_compat.suite.verbs import VERBS

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class _Blind(Runner):
    """Takes every write for repeatable."""

    def run(self, work: Callable[[Connection], T], **how: bool) -> T:
        return super().run(work, **(how | {"repeatable": True}))


class _Halving(SqliteBackend):
    """Writes transitions in a transaction of their own, after all else."""

    def commit(self, worker_id: str, batch: Batch) -> Committed:
        first = super().commit(worker_id, attrs.evolve(batch, transitions=()))
        second = super().commit(worker_id, Batch(transitions=batch.transitions))
        return attrs.evolve(first, transitions=second.transitions)


@pytest.fixture
def harness() -> Generator[SqliteHarness, None, None]:
    """Files."""
    with closing(SqliteHarness("sqlite://")) as harness:
        yield harness


@pytest.fixture
def clean(sqlite: Backend) -> Backend:
    """A backend without a fault, and the worker that looks on."""
    join(sqlite, OBSERVER)
    return sqlite


def _caught(wrong: SqliteBackend, clean: Backend, harness: SqliteHarness, verb: str) -> str:
    injector = harness.injector(wrong)
    assert injector
    with closing(wrong), pytest.raises(Unjust) as caught:
        Trial(clean, wrong, injector, VERBS[verb]).explore(pairs=0)
    return str(caught.value)


def test_a_claim_that_is_repeated_blindly_is_caught(
    clean: Backend, harness: SqliteHarness, sqlite_url: str
) -> None:
    wrong = SqliteBackend(sqlite_url)
    right = wrong.runner
    wrong.runner = _Blind(**{each.name: getattr(right, each.name) for each in attrs.fields(Runner)})
    assert "and owns" in _caught(wrong, clean, harness, "claim")


def test_a_batch_in_two_transactions_is_caught(
    clean: Backend, harness: SqliteHarness, sqlite_url: str
) -> None:
    said = _caught(_Halving(sqlite_url), clean, harness, "commit")
    assert "wrong state without an answer" in said
