"""A COMMIT that PostgreSQL turns into a ROLLBACK is never taken for success.

A transaction in which a statement failed answers its COMMIT with ROLLBACK and with no
error, so whoever overlooks the failure believes that all is written.
"""

from contextlib import closing

import attrs
import psycopg
import pytest

from perdure.errors import BackendRefused
from perdure_backends.postgres import PostgresBackend
from perdure_backends.testing.statements import Place, Statement, intercept
from perdure_compat.suite.records import LEASE, join


@attrs.define
class _Spoiler:
    """Aborts the transaction behind one of its statements, unnoticed."""

    at: int
    spoiled: bool = False

    def lend(self) -> None:
        """Nothing to do."""

    def execute(self, statement: Statement) -> None:
        inside = statement.place is Place.INSIDE
        statement.run()
        if inside:
            self.at -= 1
        if inside and self.at == 0:
            self.spoiled = True
            with pytest.raises(psycopg.errors.DivisionByZero):
                statement.driver.execute("SELECT 1 / 0")


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_heartbeat_that_was_rolled_back_unnoticed_is_an_error(
    at: int, postgres: PostgresBackend, postgres_url: str
) -> None:
    join(postgres, "a", lease=-LEASE)
    with closing(PostgresBackend(postgres_url)) as faulty:
        spoiler = _Spoiler(at)
        intercept(faulty, spoiler)
        with pytest.raises(BackendRefused):
            faulty.heartbeat("a", lease=LEASE)
    assert spoiler.spoiled
    join(postgres, "b")
    pulse = postgres.heartbeat("b", lease=LEASE)
    assert pulse
    (a,) = (peer for peer in pulse.peers if peer.worker_id == "a")
    assert (a.beat, a.lease_until < pulse.now) == (0, True)
