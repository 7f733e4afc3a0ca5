"""The engine: talks to the database for its user. It runs nothing; its workers do."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar, TypeVarTuple, overload

from . import clock, ids, settings, threads
from .attempt import Attempt
from .backend import Guest, Query
from .call import Call
from .client import Client
from .codec import codec_of
from .connection import Connection
from .context import refuse_in_workflow
from .definition import Async, WorkflowDefinition
from .errors import ConfigurationError
from .handle import Handle
from .loop import refuse_on_loop
from .mail import EventKey, Published
from .membership import Settings
from .model import Attributes, Status, WorkflowRecord
from .readers import Reader
from .registry import Serving, advice
from .scope import Scope
from .starter import Starter
from .starting import Named, Start, submission
from .url import open_backend
from .wakeups import News
from .worker import Worker
from .workflow import OPEN_ENGINES, Workflow

R = TypeVar("R")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = logging.getLogger("perdure")


class Engine(Scope, Starter):
    """A database that holds workflows, and the verbs to start and see them.

    Making one does no I/O: it opens at first use, and again in a forked child. It runs
    no workflow; `engine.worker()` and `perdure worker` do.

    Args:
        url: chooses the backend by its scheme; PERDURE_DATABASE_URL, DATABASE_URL,
            `[tool.perdure] url` or `sqlite:///perdure.db` by default.
        workflows: what its workers serve; all that is imported or started by default.
        schema: the namespace of the tables, where the database has such.
        lease: how long a worker that falls silent keeps its workflows.
        heartbeat: how often a worker renews its lease.
        max_recoveries: so many deaths of its worker without progress park a workflow.
        linger: how long a durable wait stays in memory before the workflow leaves it.
        migrate: create or update the tables when opening; None: only in an empty file.

    Raises:
        ConfigurationError: the durations do not fit together.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        workflows: Iterable[Workflow[..., Any]] | None = None,
        schema: str = "perdure",
        lease: timedelta = timedelta(seconds=10),
        heartbeat: timedelta = timedelta(seconds=2.5),
        max_recoveries: int = 5,
        linger: timedelta = timedelta(seconds=1),
        migrate: bool | None = None,
    ) -> None:
        lease, heartbeat = clock.bounded(lease), clock.bounded(heartbeat)
        if heartbeat <= timedelta(0) or lease < 3 * heartbeat or lease < timedelta(seconds=1.5):
            raise ConfigurationError(
                f"a lease of {lease} with a heartbeat of {heartbeat} would be lost by chance: "
                f"the lease must be 1.5 s at least, and three heartbeats long"
            )
        if max_recoveries < 1:
            raise ConfigurationError("max_recoveries must be 1 at least")
        self._url = url
        self._schema = schema
        self._lease, self._heartbeat = lease, heartbeat
        self._max_recoveries = max_recoveries
        self._linger = linger
        self._migrate = migrate
        listed = None if workflows is None else [workflow.definition for workflow in workflows]
        self._serving = Serving(listed)
        self._opened: Connection | None = None
        self._workers: list[Worker] = []
        self._lock = threading.RLock()

    # ------------------------------------------------------------- its life

    def _enter(self) -> None:
        """Open the connections, as `with` does."""
        self._connection()

    def _leave(self) -> None:
        """As `close`."""
        self.close()

    def close(self) -> None:
        """Close the connections. Workers are closed by their own `with`; a verb opens it again."""
        with self._lock:
            opened, self._opened = self._opened, None
            OPEN_ENGINES.discard(id(self))
        if opened is not None and opened.here:
            opened.close()

    def migrate(self) -> None:
        """Create the tables, or bring them to this code's version; safe to repeat.

        Raises:
            BackendUnavailable: the database is not available.
            SchemaError: the tables are newer than this code.
        """
        backend = open_backend(settings.database_url(self._url), namespace=self._schema)
        try:
            backend.migrate()
        finally:
            backend.close()

    # ---------------------------------------------------------------- seeing

    @overload
    def handle(self, id: str, /) -> Handle[Any]: ...
    @overload
    def handle(self, id: str, workflow: Workflow[..., Async[R]], /) -> Handle[R]: ...
    @overload
    def handle(self, id: str, workflow: Workflow[..., R], /) -> Handle[R]: ...
    def handle(self, id: str, workflow: Workflow[..., Any] | None = None, /) -> Handle[Any]:
        """The handle of a workflow; nothing is read. The workflow types its result.

        Raises:
            UsageError: nothing can have that id.
        """
        ids.checked(id, what="the id")
        codec = workflow.definition.result if workflow else codec_of(Any)
        return Handle(id, False, self, codec)  # noqa: FBT003 (`created`, as its record has it)

    def find(
        self,
        *,
        name: str | None = None,
        status: Status | Iterable[Status] | None = None,
        queue: str | None = None,
        attributes: Attributes | None = None,
        parent: str | None = None,
        limit: int | None = None,
    ) -> Iterator[WorkflowRecord]:
        """Workflows that fit all that is asked, newest first, read as they are taken."""
        query = Query.of(name, status, queue, attributes, parent)
        return self.ask("engine.find", lambda client: client.find(query, limit))

    async def afind(
        self,
        *,
        name: str | None = None,
        status: Status | Iterable[Status] | None = None,
        queue: str | None = None,
        attributes: Attributes | None = None,
        parent: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[WorkflowRecord]:
        """As `find`, for async code."""
        query = Query.of(name, status, queue, attributes, parent)
        pages = await self.aask("engine.afind", lambda client: client.pages(query, limit))
        while page := await self.aask("engine.afind", lambda _: next(pages, None)):
            for record in page:
                yield record

    # --------------------------------------------------------------- working

    def worker(
        self,
        *,
        concurrency: int | None = None,
        threads: int | None = None,
        queues: Iterable[str] | None = None,
        grace: timedelta = timedelta(seconds=25),
    ) -> Worker:
        """A worker in this process: `with engine.worker():` in the background, or `.run()`.

        Args:
            concurrency: how many workflows at once; 500 by default.
            threads: how many sync workflows and steps at once; 100 by default.
            queues: which to serve; those its workflows name, and `default`, by default.
            grace: how long a drain waits for step bodies.
        """
        return Worker(
            self._connection,
            self.serving,
            Settings(
                lease=self._lease,
                heartbeat=self._heartbeat,
                max_recoveries=self._max_recoveries,
                concurrency=500 if concurrency is None else concurrency,
                threads=100 if threads is None else threads,
                queues=None if queues is None else list(queues),
                grace=grace,
                linger=self._linger,
                desk=self,
            ),
            self._through,
            self._workers.append,
            self._workers.remove,
        )

    def serving(self) -> Sequence[WorkflowDefinition]:
        """What its workers serve now.

        Raises:
            DefinitionError: one name is defined in two files.
        """
        return self._serving.all()

    @property
    def url(self) -> str:
        """The database's URL, password and all."""
        return settings.database_url(self._url)

    def __repr__(self) -> str:
        state = self._opened.backend.where if self._opened else "closed"
        return f"<engine {state}>"

    # ------------------------------------------------ what a handle asks of it

    def ask(self, verb: str, fn: Callable[[Client], T]) -> T:
        """Run a blocking call of the client."""
        refuse_in_workflow(verb)
        refuse_on_loop(verb)
        return fn(self._connection().client)

    async def aask(self, verb: str, fn: Callable[[Client], T]) -> T:
        """Run a blocking call of the client in a thread."""
        connection = await self._aconnection(verb)
        return await connection.aside(lambda: fn(connection.client))

    def write(self, verb: str, connection: object, fn: Callable[[Client, Guest | None], T]) -> T:
        """Run a blocking call of the client, in a caller's transaction if there is one."""
        if connection is None:
            return self.ask(verb, lambda client: fn(client, None))
        return self.ask(verb, lambda client: client.backend.within(connection, partial(fn, client)))

    async def awrite(
        self, verb: str, connection: object, fn: Callable[[Client, Guest | None], T]
    ) -> T:
        """The same for who awaits: in a thread, or on the caller's own loop."""
        if connection is None:
            return await self.aask(verb, lambda client: fn(client, None))
        client = (await self._aconnection(verb)).client
        return await client.backend.awithin(connection, partial(fn, client))

    def outcome(self, verb: str, id: str) -> "Future[WorkflowRecord]":
        """The record of a workflow once it has ended, for who waits by blocking."""
        refuse_in_workflow(verb)
        refuse_on_loop(verb)
        return self._connection().outcomes.of(id)

    async def aoutcome(self, verb: str, id: str) -> "Future[WorkflowRecord]":
        """The record of a workflow once it has ended, for who waits by awaiting."""
        return (await self._aconnection(verb)).outcomes.of(id)

    def started(self, definition: WorkflowDefinition) -> None:
        """Serve this workflow from now on, unless the engine was told what to serve."""
        self._serving.started(definition)

    def published(self, verb: str, key: EventKey) -> "Future[Published | WorkflowRecord]":
        """The latest value of an event, for who waits by blocking."""
        refuse_in_workflow(verb)
        refuse_on_loop(verb)
        return self._connection().outcomes.event(key)

    async def apublished(self, verb: str, key: EventKey) -> "Future[Published | WorkflowRecord]":
        """The latest value of an event, for who waits by awaiting."""
        return (await self._aconnection(verb)).outcomes.event(key)

    def follow(self, verb: str, id: str, stream: str, after: int) -> Reader:
        """A reader of a stream, for who waits by blocking."""
        refuse_in_workflow(verb)
        refuse_on_loop(verb)
        return self._connection().readers.follow(id, stream, after)

    async def afollow(self, verb: str, id: str, stream: str, after: int) -> Reader:
        """A reader of a stream, for who waits by awaiting."""
        return (await self._aconnection(verb)).readers.follow(id, stream, after)

    # ------------------------------------------------------------- its inside

    async def _aconnection(self, verb: str) -> Connection:
        refuse_in_workflow(verb)
        opened = self._opened
        if opened is not None and opened.here:
            return opened
        return await asyncio.wrap_future(threads.call(self._connection, name="open"))

    def _connection(self) -> Connection:
        opened = self._opened
        if opened is not None and opened.here:
            return opened
        with self._lock:
            if self._opened is None or not self._opened.here:
                if self._url is None and settings.configured_url() is None:
                    log.warning("no database URL is configured: using %s", self.url)
                self._opened = Connection.open(
                    self.url,
                    namespace=self._schema,
                    migrate=self._migrate,
                    advice=advice,
                )
                OPEN_ENGINES.add(id(self))
            return self._opened

    def _started(
        self, client: Client, guest: Guest | None, starts: Sequence[Start]
    ) -> list[Handle[Any]]:
        known = (start.definition for start in starts if isinstance(start, Call))
        for definition in dict.fromkeys(known):
            self.started(definition)
        submissions = [submission(start, client.new_id) for start in starts]
        for start, one in zip(starts, submissions, strict=True):
            if isinstance(start, Named) and not self._serving.knows(one.name):
                client.check_known(one.name, one.queue)
        created = client.start(submissions, guest)
        return [
            Handle(one.id, one.id in created, self, start.definition.result)
            for one, start in zip(submissions, starts, strict=True)
        ]

    def _through(self, _: Sequence[Attempt]) -> None:
        """Workflows of a worker in this process have ended: answer who waits for them here."""
        if self._opened is not None:
            self._opened.bell.ring(News.ENDED)
