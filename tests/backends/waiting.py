"""Acts that start and wait for a lock, and how to see that they do."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg

from perdure_compat.suite.races import until

__all__ = ["blocked", "started", "until"]

T = TypeVar("T")


def started(act: Callable[[], T]) -> Future[T]:
    """Do it in a thread of its own."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(act)
    finally:
        pool.shutdown(wait=False)


def blocked(psql: psycopg.Connection[Any]) -> bool:
    """Whether somebody waits for a lock."""
    waiting = psql.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND cardinality(pg_blocking_pids(pid)) > 0"
    ).fetchone()
    return bool(waiting and waiting[0])
