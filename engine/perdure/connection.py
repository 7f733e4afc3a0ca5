"""What an engine has open in one process: a backend, its client, its waiters, its threads."""

import asyncio
import os
from collections.abc import Callable
from typing import Self, TypeVar

import attrs

from . import threads
from .backend import Backend
from .bell import Bell
from .client import Client
from .outcomes import Outcomes
from .readers import Readers
from .url import open_backend

T = TypeVar("T")

THREADS = 32
"""How many async verbs of an engine may be under way at once."""


@attrs.frozen(eq=False)
class Connection:
    """An open backend; belongs to one process and is useless in a forked child."""

    pid: int
    backend: Backend
    client: Client
    outcomes: Outcomes
    readers: Readers
    pool: threads.Pool
    bell: Bell

    @classmethod
    def open(
        cls,
        url: str,
        *,
        namespace: str,
        migrate: bool | None,
        advice: Callable[[str], str],
    ) -> Self:
        """Connect, and see that the tables are there.

        Raises:
            UnknownBackend: nothing serves the URL's scheme.
            BackendUnavailable: the database is not available.
            SchemaError: the tables are missing, older or newer than this code.
        """
        backend = open_backend(url, namespace=namespace)
        bell = Bell(backend.wakeups)
        client = Client(backend, bell.ring)
        try:
            client.check_schema(migrate=migrate)
        except BaseException:
            backend.close()
            raise
        return cls(
            os.getpid(),
            backend,
            client,
            Outcomes(backend, advice, bell),
            Readers(backend, bell),
            threads.Pool(THREADS, "client"),
            bell,
        )

    @property
    def here(self) -> bool:
        """Whether it was opened by this very process."""
        return self.pid == os.getpid()

    async def aside(self, fn: Callable[[], T]) -> T:
        """Run a blocking call in a thread."""
        return await asyncio.wrap_future(self.pool.submit(fn))

    def close(self) -> None:
        """Close the connections and answer nobody any more."""
        self.bell.close()
        self.outcomes.close()
        self.readers.close()
        self.pool.close()
        self.backend.close()
