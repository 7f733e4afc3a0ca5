"""The verbs that start workflows, for an engine to have."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple, overload

from .backend import Guest
from .call import Call
from .client import Client
from .context import refuse_in_workflow
from .definition import Async
from .handle import Handle
from .model import Attributes
from .starting import Start, of_call, prepare

R = TypeVar("R")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Starter(ABC):
    """Starts workflows, and asks the database aside where the caller awaits."""

    @abstractmethod
    def ask(self, verb: str, fn: Callable[[Client], T]) -> T:
        """Run a blocking call of the client."""

    @abstractmethod
    async def aask(self, verb: str, fn: Callable[[Client], T]) -> T:
        """Run a blocking call of the client in a thread."""

    @abstractmethod
    def write(self, verb: str, connection: object, fn: Callable[[Client, Guest | None], T]) -> T:
        """Run a blocking call of the client, in a caller's transaction if there is one."""

    @abstractmethod
    async def awrite(
        self, verb: str, connection: object, fn: Callable[[Client, Guest | None], T]
    ) -> T:
        """The same for who awaits: in a thread, or on the caller's own loop."""

    @abstractmethod
    def _started(
        self, client: Client, guest: Guest | None, starts: Sequence[Start]
    ) -> list[Handle[Any]]:
        """Write them down; the handles in their order."""

    def _writes(
        self, starts: Sequence[Start]
    ) -> Callable[[Client, Guest | None], list[Handle[Any]]]:
        return lambda client, guest: self._started(client, guest, starts)

    @overload
    def start(self, call: Call[R], /, *, connection: object = None) -> Handle[R]: ...
    @overload
    def start(
        self,
        workflow: Callable[[*Ts], Async[R]],
        /,
        *args: *Ts,
        id: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        delay: timedelta | None = None,
        run_at: datetime | None = None,
        timeout: timedelta | None = None,
        deadline: datetime | None = None,
        attributes: Attributes | None = None,
        connection: object = None,
    ) -> Handle[R]: ...
    @overload
    def start(
        self,
        workflow: Callable[[*Ts], R],
        /,
        *args: *Ts,
        id: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        delay: timedelta | None = None,
        run_at: datetime | None = None,
        timeout: timedelta | None = None,
        deadline: datetime | None = None,
        attributes: Attributes | None = None,
        connection: object = None,
    ) -> Handle[R]: ...
    @overload
    def start(
        self,
        name: str,
        /,
        *args: object,
        id: str | None = None,
        queue: str | None = None,
        connection: object = None,
    ) -> Handle[Any]: ...
    def start(self, target: Any, /, *args: Any, **options: Any) -> Handle[Any]:  # type: ignore[misc]  # mypy cannot see that *args: Any covers *args: *Ts
        """Write a workflow down for a worker to run.

        Args:
            target: a workflow, a `Call` made by `workflow.bind(…)`, or a name.
            args: the workflow's arguments; keywords of its own go through `bind`.
            options: `id`, the idempotency key: the same work under it starts once;
                `queue`; `priority`, the lowest first; `delay` or `run_at`; `timeout`, from its
                first claim, and `deadline`, after which it is cancelled; `attributes`.

        Raises:
            WorkflowConflict: the id is taken by other work.
            InvalidArguments: the workflow does not take these arguments.
            SerializationError: an argument cannot become JSON.
            UnknownWorkflow: nothing ever registered a workflow of that name.
            UsageError: this is workflow code, where a replay would start it again; or the
                backend cannot write through that connection.
        """
        refuse_in_workflow("engine.start", instead="perdure.start_child(…) starts it once")
        connection = options.pop("connection", None)
        start = prepare(target, args, options)
        return self.write("engine.start", connection, self._writes([start]))[0]

    @overload
    async def astart(self, call: Call[R], /, *, connection: object = None) -> Handle[R]: ...
    @overload
    async def astart(
        self,
        workflow: Callable[[*Ts], Async[R]],
        /,
        *args: *Ts,
        id: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        delay: timedelta | None = None,
        run_at: datetime | None = None,
        timeout: timedelta | None = None,
        deadline: datetime | None = None,
        attributes: Attributes | None = None,
        connection: object = None,
    ) -> Handle[R]: ...
    @overload
    async def astart(
        self,
        workflow: Callable[[*Ts], R],
        /,
        *args: *Ts,
        id: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        delay: timedelta | None = None,
        run_at: datetime | None = None,
        timeout: timedelta | None = None,
        deadline: datetime | None = None,
        attributes: Attributes | None = None,
        connection: object = None,
    ) -> Handle[R]: ...
    @overload
    async def astart(
        self,
        name: str,
        /,
        *args: object,
        id: str | None = None,
        queue: str | None = None,
        connection: object = None,
    ) -> Handle[Any]: ...
    async def astart(self, target: Any, /, *args: Any, **options: Any) -> Handle[Any]:  # type: ignore[misc]  # as start
        """As `start`, for async code."""
        refuse_in_workflow("engine.astart", instead="perdure.astart_child(…) starts it once")
        connection = options.pop("connection", None)
        start = prepare(target, args, options)
        return (await self.awrite("engine.astart", connection, self._writes([start])))[0]

    def start_many(
        self, calls: Iterable[Call[R]], /, *, connection: object = None
    ) -> list[Handle[R]]:
        """Start many workflows, a thousand at a time; the handles in the order of the calls.

        With a `connection` all of them are in its transaction, as for `start`.

        Raises:
            WorkflowConflict: ids that are taken by other work; all others are started.
        """
        starts = [of_call(call) for call in calls]
        return self.write("engine.start_many", connection, self._writes(starts))

    async def astart_many(
        self, calls: Iterable[Call[R]], /, *, connection: object = None
    ) -> list[Handle[R]]:
        """As `start_many`, for async code."""
        starts = [of_call(call) for call in calls]
        return await self.awrite("engine.astart_many", connection, self._writes(starts))
