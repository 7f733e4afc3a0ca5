"""A migration under a lease: DDL there has no transaction to hide in."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from uuid import uuid4

from perdure_backends.sql import locks
from perdure_backends.sql.session import Session

_PAUSE = 0.2


@contextmanager
def leased(session: Session) -> Generator[None, None, None]:
    """Hold the migration's row for two minutes at most.

    Whoever is killed leaves it to run out. Should a slow migration outlive it,
    both go through the same statements, and each of those can run twice.
    """
    mine = {"holder": str(uuid4())}
    while not session.rows(locks.taken, mine):
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        session.rows(locks.released, mine)
