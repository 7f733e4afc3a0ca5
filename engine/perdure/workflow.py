"""Workflows: functions that survive the death of the process that runs them."""

import functools
import warnings
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from . import ids
from .call import Call
from .children import arun_child, run_child
from .context import BRANCH, current_branch
from .definition import Async, Definition, WorkflowDefinition
from .errors import BlockingCall, DefinitionError, UsageError
from .registry import IMPORTED

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")

OPEN_ENGINES: set[int] = set()
"""The `id()` of each engine that is open in this process."""


class NothingRecorded(UserWarning):
    """A workflow was called like a function while an engine is open."""


class Workflow(Generic[P, R_co]):
    """A decorated workflow. P and R are the function's own: of an async one R is a coroutine."""

    def __init__(self, definition: WorkflowDefinition) -> None:
        self.definition = definition
        functools.update_wrapper(self, definition.fn)

    @property
    def name(self) -> str:
        """What its rows are called; how workers know that it is theirs."""
        return self.definition.name

    @property
    def fn(self) -> Callable[P, R_co]:
        """The undecorated function."""
        fn: Callable[P, R_co] = self.definition.fn
        return fn

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Outside a workflow the plain function: nothing is recorded. In one: a child, awaited.

        Raises:
            BlockingCall: a sync workflow called in an async one.
            UsageError: an async workflow called in a sync one, or any in a step.
        """
        if BRANCH.get(None) is not None:
            child: R_co = self._child(args, kwargs)
            return child
        if OPEN_ENGINES:
            warnings.warn(
                f"{self.name} was called directly: nothing is recorded; "
                f"engine.start({self.name}, …)",
                NothingRecorded,
                stacklevel=2,
            )
        return self.fn(*args, **kwargs)

    def _child(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        branch = current_branch()
        if branch is None:
            raise UsageError(
                f"{self.name} is a workflow and cannot be called in a step: engine.start"
            )
        call: Call[Any] = Call(self.definition, self.definition.dump(args, kwargs))
        if branch.attempt.definition.is_async == self.definition.is_async:
            return (arun_child if self.definition.is_async else run_child)(call)
        if self.definition.is_async:
            raise UsageError(
                f"{self.name} is async and this workflow is not: "
                f"perdure.start_child({self.name}, …).result()"
            )
        raise BlockingCall(
            f"{self.name} is sync and would block the event loop: "
            f"await (await perdure.astart_child({self.name}, …)).aresult()"
        )

    @overload
    def bind(self: "Workflow[P, Async[T]]", *args: P.args, **kwargs: P.kwargs) -> Call[T]: ...
    @overload
    def bind(self: "Workflow[P, T]", *args: P.args, **kwargs: P.kwargs) -> Call[T]: ...
    def bind(self, *args: P.args, **kwargs: P.kwargs) -> Call[Any]:
        """The workflow with its arguments, for `start` and `start_many`.

        Raises:
            InvalidArguments: it does not take them.
            SerializationError: one of them cannot become JSON.
        """
        return Call(self.definition, self.definition.dump(args, kwargs))

    def __set_name__(self, owner: type[Any], name: str) -> None:
        raise DefinitionError(
            f"{self.name} is a method, and a workflow must be rebuilt from its row alone: "
            f"make it a function or a static method"
        )

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"


class WorkflowDecorator(Protocol):
    """What `workflow(…)` with options returns."""

    def __call__(self, fn: Callable[P, R], /) -> Workflow[P, R]: ...


@overload
def workflow(fn: Callable[P, R], /) -> Workflow[P, R]: ...
@overload
def workflow(*, name: str | None = None, queue: str | None = None) -> WorkflowDecorator: ...
def workflow(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    queue: str | None = None,
) -> Any:
    """Make a function a workflow: `engine.start` writes it down, a worker runs it.

    Its code must do the same at every replay: everything that may come out
    differently (time, chance, the outside world) belongs into steps, or into
    `perdure.now`, `uuid4` and `random`.

    Args:
        name: what its rows are called; the qualified name by default. Workers find
            their work by it, so that it must stay when the function moves.
        queue: where it stands in line, unless the start says otherwise.

    Raises:
        DefinitionError: it is not a function, or a name cannot be stored.
    """

    def decorate(fn: Callable[P, R]) -> Workflow[P, R]:
        checked = Definition.check(fn, name)
        line = ids.checked(queue, what="the queue's name") if queue is not None else "default"
        definition = WorkflowDefinition(fn=fn, name=checked, queue=line)
        if not definition.local:
            IMPORTED.add(definition)
        return Workflow(definition)

    return decorate if fn is None else decorate(fn)
