"""A migration under a lease: DDL there has no transaction to hide in."""

import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

from sqlalchemy.exc import SQLAlchemyError

from perdure_backends.sql import locks
from perdure_backends.sql.session import Session

_PAUSE = 0.2


@contextmanager
def leased(session: Session, holder: str) -> Generator[None, None, None]:
    """Hold the migration's row for two minutes at most.

    Whoever is killed leaves it to run out. Should a slow migration outlive it,
    both go through the same statements, and each of those can run twice. Who
    tries again under the same name finds its own lease and goes on.
    """
    mine = {"holder": holder}
    while not session.rows(locks.taken, mine):
        time.sleep(_PAUSE)
    try:
        yield
    except BaseException:
        # It may have failed because the connection is gone.
        with suppress(SQLAlchemyError):
            session.rows(locks.released, mine)
        raise
    session.rows(locks.released, mine)
