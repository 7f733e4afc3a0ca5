"""The backend for CockroachDB."""

import os
import random
import re
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import attrs
from sqlalchemy import Connection

from perdure.backend import Capabilities, Claimed, Lane
from perdure.errors import BackendUnavailable, ConfigurationError, OutcomeUnknown
from perdure_backends.sql import claims, locks, wire
from perdure_backends.sql.server import ServerBackend
from perdure_backends.sql.session import Session

from .dialect import COCKROACHDB
from .lease import leased

_OLDEST = (23, 1)


@attrs.frozen
class _Head:
    """A shard of a lane that has something due."""

    lane: Lane
    shard: int
    priority: int


class CockroachBackend(ServerBackend):
    """CockroachDB 23.1 or newer, through psycopg, at its default isolation.

    The ready index is spread over shards; a claim visits those that have work.
    """

    capabilities = Capabilities(
        time_ordered_ids=False,
        clock_skew=timedelta(milliseconds=500),
        missing={"ordered_claims": "the queue is spread over ranges"},
    )

    def __init__(self, url: str, *, namespace: str = "perdure") -> None:
        self._identity = uuid4()
        super().__init__(COCKROACHDB, url, namespace=namespace)

    def _check(self, connection: Connection) -> None:
        announced = wire.parameter(connection, "crdb_version")
        if announced is None:
            raise ConfigurationError(
                f"{self.where} is no CockroachDB; for PostgreSQL the URL must begin "
                f"with postgresql://"
            )
        found = re.search(r"v(\d+)\.(\d+)", announced)
        if found and (int(found[1]), int(found[2])) < _OLDEST:
            raise ConfigurationError(
                f"{self.where} is {announced}; Perdure needs CockroachDB 23.1 or newer"
            )

    # -------------------------------------------------------------- schema

    @contextmanager
    def _migrating(self, session: Session) -> Generator[None, None, None]:
        locks.prepare(session, self._namespace)
        with leased(session, self._holder()):
            yield

    def _holder(self) -> str:
        # The same for each try of one call: a try that lost its connection could
        # not give the lease back.
        return f"{self._identity}:{os.getpid()}:{threading.get_ident()}"

    def migration_sql(self) -> str:
        first = locks.script(self.compiled.text, self._namespace)
        return first + super().migration_sql()

    # --------------------------------------------------------------- claim

    def claim(
        self, worker_id: str, lanes: Sequence[Lane], *, limit: int, suspects: bool = False
    ) -> Sequence[Claimed]:
        found: list[Sequence[Any]] = []
        try:
            for head in self._heads(lanes, suspects=suspects) if limit > 0 else ():
                asked: dict[str, Any] = {"limit": limit - len(found), "shard": head.shard}
                asked |= {"me": worker_id, "queue": head.lane.queue, "name": head.lane.name}
                found += self._claim_shard(asked, suspects=suspects)
                if len(found) >= limit:
                    break
        except OutcomeUnknown:
            raise
        except BackendUnavailable:
            # The last statement did nothing; what came before is ours.
            if not found:
                raise
        return self._claimed(found)

    def _claim_shard(self, asked: dict[str, Any], *, suspects: bool) -> Sequence[Any]:
        # Not certain: an error out of a write that commits by itself may come
        # from a server that has committed it.
        return self._write(
            lambda session: session.rows(claims.claim_shard, asked, suspects),
            repeatable=False,
            certain=False,
        )

    def _heads(self, lanes: Sequence[Lane], *, suspects: bool) -> list[_Head]:
        """Where there is work, the most urgent first, else at random.

        At random, because claimers that meet at the same shard stand in each
        other's way. One read for each lane: an idle worker pays no more.
        """
        heads: list[_Head] = []
        for lane in lanes:
            rows = self._read(partial(_due, lane=lane, suspects=suspects))
            heads += [_Head(lane, row[0], row[1]) for row in rows]
        random.shuffle(heads)
        heads.sort(key=lambda head: head.priority)
        return heads


def _due(session: Session, *, lane: Lane, suspects: bool) -> Sequence[Any]:
    return session.rows(claims.heads, {"queue": lane.queue, "name": lane.name}, suspects)
