"""What PostgreSQL's notifications say, and to whom."""

from collections.abc import Generator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from perdure.backend import News
from perdure_backends.postgres import PostgresBackend
from perdure_backends.postgres.wakeups import PostgresWakeups
from perdure_compat.suite.listeners import Listener
from perdure_compat.suite.races import until

Psql = psycopg.Connection[Any]


@pytest.fixture
def listener(postgres: PostgresBackend) -> Generator[Listener, None, None]:
    """One that hears."""
    listener = Listener(postgres.wakeups())
    yield listener
    assert listener.end()


def test_one_hears_what_others_tell_and_not_oneself(
    postgres: PostgresBackend, listener: Listener
) -> None:
    listener.wakeups.publish(News.ENQUEUED)
    postgres.wakeups().publish(News.ENDED)
    until(lambda: listener.heard)
    assert listener.heard == [News.ENDED]


@pytest.mark.parametrize(
    ("payload", "news"),
    [("ended", News.ENDED), ("promoted", News.CHANGED), ("promoted 17", News.CHANGED)],
)
def test_what_another_version_tells_is_heard(
    psql: Psql, listener: Listener, payload: str, news: News
) -> None:
    assert isinstance(listener.wakeups, PostgresWakeups)
    psql.execute("SELECT pg_notify(%s, %s)", [listener.wakeups.channel, payload])
    until(lambda: listener.heard)
    assert listener.heard == [news]


def test_whoever_has_told_something_tells_the_next_without_waiting(
    postgres: PostgresBackend, listener: Listener
) -> None:
    with closing(postgres.wakeups()) as other:
        assert not other.tell(News.SENT)
        other.publish(News.ENDED)
        until(lambda: other.tell(News.ENQUEUED))
        until(lambda: News.ENQUEUED in listener.heard)
        other.publish(News.ASKED)
        until(lambda: News.ASKED in listener.heard)
        assert listener.heard == [News.ENDED, News.ENQUEUED, News.ASKED]


def test_a_line_that_is_gone_is_opened_again(
    postgres: PostgresBackend, psql: Psql, listener: Listener
) -> None:
    with closing(postgres.wakeups()) as other:
        for news in (News.ENDED, News.ENQUEUED):
            other.publish(news)
            until(lambda: news in listener.heard)  # noqa: B023 (called at once)
            psql.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE query LIKE %s AND pid <> pg_backend_pid()",
                ["SET LOCAL synchronous_commit = off; NOTIFY%"],
            )
            assert not other.tell(News.SENT)
        assert News.SENT not in listener.heard


def test_the_name_of_a_namespace_may_be_as_long_as_any(postgres_url: str) -> None:
    """The channel's is longer, and cut alike for who tells and who listens."""
    with closing(PostgresBackend(postgres_url, namespace="a" * 63)) as long:
        listener = Listener(long.wakeups())
        with closing(long.wakeups()) as other:
            other.publish(News.ENDED)
            until(lambda: listener.heard)
        assert listener.heard == [News.ENDED]
        assert listener.end()
