"""Backends that lock too little: the schedules of two actors find each of them."""

from collections.abc import Callable
from typing import Any

import attrs
import psycopg
import pytest

from perdure_backends.postgres import PostgresBackend
from perdure_backends.sql import claims, commits, workers
from perdure_backends.sql.compiled import Build
from perdure_backends.testing.rewriting import rewrite
from perdure_backends.testing.world import World

from .mail_scenes import subscribe_and_publish
from .roles import Scene
from .scenes import reap_and_claim, takeover_and_record, two_claims
from .stage import staged
from .stream_scenes import takeover_and_write


@attrs.frozen(kw_only=True)
class Lockless:
    """A statement without a lock, and the scene in which it is missed."""

    name: str
    build: Build
    lock: str
    scene: Callable[[World], Scene]
    without_key: bool = False
    """The unique key is gone too that makes every death a change of the worker's key."""


LOCKLESS = (
    Lockless(
        name="a fence that locks nothing",
        build=commits.commit,
        lock=" FOR KEY SHARE",
        scene=takeover_and_record,
    ),
    Lockless(
        name="a fence that locks nothing, where only items are written",
        build=commits.commit,
        lock=" FOR KEY SHARE",
        scene=takeover_and_write,
    ),
    Lockless(
        name="a death that takes no strong lock",
        build=workers.declare,
        lock=" FOR UPDATE SKIP LOCKED",
        scene=takeover_and_record,
        without_key=True,
    ),
    Lockless(
        name="a claim that locks nothing",
        build=claims.claim,
        lock=" FOR UPDATE SKIP LOCKED",
        scene=two_claims,
    ),
    Lockless(
        name="a claim whose fence locks nothing",
        build=claims.claim,
        lock=" FOR KEY SHARE",
        scene=reap_and_claim,
    ),
    Lockless(
        name="a publishing that locks nothing",
        build=commits.commit,
        lock=" FOR NO KEY UPDATE OF workflows",
        scene=subscribe_and_publish,
    ),
)


@pytest.mark.parametrize("lockless", LOCKLESS, ids=lambda lockless: lockless.name)
def test_a_lock_that_is_missing_is_missed(
    postgres_url: str, psql: psycopg.Connection[Any], lockless: Lockless
) -> None:
    def change(backend: PostgresBackend) -> None:
        rewrite(backend, lockless.build, lockless.lock)

    with staged(postgres_url, psql, change) as stage:
        if lockless.without_key:
            psql.execute("DROP INDEX perdure.workers_life")
        with pytest.raises(AssertionError):
            stage.play(lockless.scene)


@pytest.mark.parametrize("lockless", LOCKLESS, ids=lambda lockless: lockless.name)
def test_with_the_lock_nothing_is_amiss(
    postgres_url: str, psql: psycopg.Connection[Any], lockless: Lockless
) -> None:
    with staged(postgres_url, psql) as stage:
        assert stage.play(lockless.scene) > 1
