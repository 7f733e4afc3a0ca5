"""Steps: functions whose outcome is recorded once."""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from datetime import timedelta
from typing import (
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Protocol,
    Self,
    TypeVar,
    overload,
)

import attrs

from . import ids
from .context import current_branch
from .definition import Async, Definition, StepDefinition
from .errors import BlockingCall, NotInWorkflow, UsageError
from .execution import execute
from .future import Future
from .retry import ONCE, Retry
from .script import AWAITING, BLOCKING, drive

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")
T = TypeVar("T")


class Step(Generic[P, R_co]):
    """A decorated step. P and R are the function's own: of an async one R is a coroutine.

    Called in a workflow it is recorded; anywhere else it is the plain function.
    """

    def __init__(
        self,
        definition: StepDefinition,
        call: Callable[..., R_co] | None = None,
        *,
        of_class: bool = False,
    ) -> None:
        self.definition = definition
        self._call: Callable[..., R_co] = call or definition.fn
        self._of_class = of_class
        functools.update_wrapper(self, definition.fn)

    @property
    def name(self) -> str:
        """What its records are called."""
        return self.definition.name

    @property
    def fn(self) -> Callable[..., R_co]:
        """The undecorated function."""
        fn: Callable[..., R_co] = self.definition.fn
        return fn

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run the step, or replay it; outside a workflow, call the function.

        Raises:
            BlockingCall: a sync step called directly in an async workflow.
            UsageError: an async step called directly in a sync workflow.
        """
        branch = current_branch()
        if branch is None:
            return self._call(*args, **kwargs)
        run = functools.partial(self._call, *args, **kwargs)
        if branch.attempt.definition.is_async:
            if not self.definition.is_async:
                raise BlockingCall(
                    f"step {self.name} is sync and would block the event loop: "
                    f"await {self.name}.acall(…)"
                )
            # The coroutine is what an async step's R is.
            return execute(branch.draw(), self.definition, run, AWAITING)  # type: ignore[return-value]
        if self.definition.is_async:
            raise UsageError(
                f"step {self.name} is async and this workflow is not: {self.name}.submit(…).result()"
            )
        result: R_co = drive(execute(branch.draw(), self.definition, run, BLOCKING))
        return result

    @overload
    def acall(self: "Step[P, Async[T]]", *args: P.args, **kwargs: P.kwargs) -> Async[T]: ...
    @overload
    def acall(self: "Step[P, T]", *args: P.args, **kwargs: P.kwargs) -> Async[T]: ...
    def acall(self, *args: P.args, **kwargs: P.kwargs) -> Async[Any]:
        """Run a step of either colour in an async workflow; its number is drawn at this call.

        A sync step runs in a thread of the worker's pool. Outside a workflow it
        runs in a thread of asyncio's.

        Raises:
            UsageError: the workflow is sync.
        """
        branch = current_branch()
        run = functools.partial(self._call, *args, **kwargs)
        if branch is None:
            return _plain(run, is_async=self.definition.is_async)
        if not branch.attempt.definition.is_async:
            raise UsageError(f"acall is for async workflows; here it is {self.name}(…)")
        return execute(branch.draw(), self.definition, run, AWAITING)

    @overload
    def submit(self: "Step[P, Async[T]]", *args: P.args, **kwargs: P.kwargs) -> Future[T]: ...
    @overload
    def submit(self: "Step[P, T]", *args: P.args, **kwargs: P.kwargs) -> Future[T]: ...
    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Future[Any]:
        """Run the step beside this sync workflow; its number is drawn at this call.

        Raises:
            NotInWorkflow: there is no workflow here.
            UsageError: the workflow is async, where asyncio does it.
        """
        branch = current_branch()
        if branch is None:
            raise NotInWorkflow(f"{self.name}.submit was called outside a workflow")
        if branch.attempt.definition.is_async:
            raise UsageError(f"in an async workflow: asyncio.create_task({self.name}.acall(…))")
        slot, run = branch.draw(), functools.partial(self._call, *args, **kwargs)
        context = contextvars.copy_context()

        def play() -> Any:
            return drive(execute(slot, self.definition, run, BLOCKING))

        known = (slot.branch, slot.seq) in branch.attempt.steps
        future: Future[Any] = Future(branch, lambda: context.run(play), known)
        future.begin_in(branch.attempt.host.pool)
        return future

    def options(
        self,
        *,
        name: str | None = None,
        retries: Retry | None = None,
        timeout: timedelta | None = None,
    ) -> Self:
        """The same step with other options; what is not given stays as it was."""
        given = {"name": name, "retries": retries, "timeout": timeout}
        changed: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        if name is not None:
            ids.checked(name, what="the step's name")
        definition = attrs.evolve(self.definition, **changed)
        return type(self)(definition, self._call, of_class=self._of_class)

    @overload
    def __get__(self, obj: None, owner: type[Any], /) -> Self: ...
    @overload
    def __get__(
        self: Callable[Concatenate[S, Q], T], obj: S, owner: type[S] | None = None, /
    ) -> "Step[Q, T]": ...
    def __get__(self, obj: Any, owner: Any = None, /) -> Any:
        """A step in a class is a method: `self`, or `cls`, is passed on and not recorded."""
        receiver = owner if self._of_class else obj
        if receiver is None:
            return self
        return Step[Any, Any](self.definition, functools.partial(self._call, receiver))

    def __repr__(self) -> str:
        return f"<step {self.name}>"


class StepDecorator(Protocol):
    """What `step(…)` with options returns."""

    def __call__(self, fn: Callable[P, R], /) -> Step[P, R]: ...


@overload
def step(fn: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(
    *,
    name: str | None = None,
    retries: Retry | None = None,
    timeout: timedelta | None = None,
) -> StepDecorator: ...
def step(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    retries: Retry | None = None,
    timeout: timedelta | None = None,
) -> Any:
    """Make a function a step: in a workflow it is recorded once and replayed after.

    The body runs at least once; exactly once unless a crash, a lost lease or a lost
    connection falls between its start and its record.

    Steps may be methods. This decorator stands beneath `staticmethod` and above `classmethod`,
    beneath which, from Python 3.13 on, nothing but a plain call would be bound to the class.

    Args:
        name: what its records are called; the qualified name by default.
        retries: which errors are tried again, how often, how soon; none by default.
        timeout: of one try. The thread of a sync step goes on after it, and what it
            returns then is dropped.

    Raises:
        DefinitionError: it is not a function, or the name cannot be stored.
    """

    def decorate(given: Any) -> Step[Any, Any]:
        of_class = issubclass(type(given), classmethod)  # isinstance would make its types unknown
        fn = given.__func__ if of_class else given
        checked = Definition.check(fn, name)
        made = StepDefinition(fn=fn, name=checked, retries=retries or ONCE, timeout=timeout)
        return Step(made, of_class=of_class)

    return decorate if fn is None else decorate(fn)


async def _plain(run: Callable[[], Any], *, is_async: bool) -> Any:
    return await (run() if is_async else asyncio.to_thread(run))
