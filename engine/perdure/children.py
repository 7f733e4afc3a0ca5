"""Workflows that workflows start, and waiting for many of them."""

import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any, Literal, TypeVar, TypeVarTuple, overload

from . import ids, news
from .backend import Existing, Submission
from .branch import Slot
from .call import Call
from .codec import Codec, codec_of
from .context import waiting_branch
from .definition import Async
from .desk import Desk
from .errors import UsageError, WorkflowConflict
from .execution import note
from .failure import Failure
from .handle import Handle
from .history import outcome
from .script import AWAITING, BLOCKING, Waits, drive, settle
from .starting import Start, of_call, prepare, same_work, submission

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

KIND = "child"
PAGE = 200
"""How many results are in memory at once."""
_THERE: Codec[list[int] | None] = codec_of(list[int] | None)


@overload
def start_child(call: Call[R], /, *, detach: bool = False) -> Handle[R]: ...
@overload
def start_child(
    workflow: Callable[[*Ts], Async[R]],
    /,
    *args: *Ts,
    id: str | None = None,
    queue: str | None = None,
    timeout: timedelta | None = None,
    detach: bool = False,
) -> Handle[R]: ...
@overload
def start_child(
    workflow: Callable[[*Ts], R],
    /,
    *args: *Ts,
    id: str | None = None,
    queue: str | None = None,
    timeout: timedelta | None = None,
    detach: bool = False,
) -> Handle[R]: ...
def start_child(  # type: ignore[misc]  # mypy cannot see that *args: Any covers *args: *Ts
    target: Any, /, *args: Any, detach: bool = False, **options: Any
) -> Handle[Any]:
    """Start a workflow from a sync workflow; its end wakes this one.

    Without an id of its own it gets one from its parent's and its place, so that a
    replay starts nothing twice. A parent that is cancelled has its children cancelled,
    unless they are detached; its deadline is theirs, too.

    Raises:
        WorkflowConflict: the id is taken by other work.
        InvalidArguments: the workflow does not take these arguments.
        NotInWorkflow: there is no workflow here: `engine.start`.
        BlockingCall: the workflow is async: `await perdure.astart_child(…)`.
    """
    slot = waiting_branch("perdure.start_child", is_async=False).draw()
    return drive(_start(slot, [prepare(target, args, options)], BLOCKING, detach=detach))[0]


@overload
def astart_child(call: Call[R], /, *, detach: bool = False) -> Coroutine[Any, Any, Handle[R]]: ...
@overload
def astart_child(
    workflow: Callable[[*Ts], Async[R]],
    /,
    *args: *Ts,
    id: str | None = None,
    queue: str | None = None,
    timeout: timedelta | None = None,
    detach: bool = False,
) -> Coroutine[Any, Any, Handle[R]]: ...
@overload
def astart_child(
    workflow: Callable[[*Ts], R],
    /,
    *args: *Ts,
    id: str | None = None,
    queue: str | None = None,
    timeout: timedelta | None = None,
    detach: bool = False,
) -> Coroutine[Any, Any, Handle[R]]: ...
def astart_child(  # type: ignore[misc]  # as start_child
    target: Any, /, *args: Any, detach: bool = False, **options: Any
) -> Coroutine[Any, Any, Handle[Any]]:
    """As `start_child`, from an async workflow."""
    slot = waiting_branch("perdure.astart_child", is_async=True).draw()
    return _only(_start(slot, [prepare(target, args, options)], AWAITING, detach=detach))


def start_children(calls: Iterable[Call[R]], /, *, detach: bool = False) -> list[Handle[R]]:
    """Start many workflows from a sync workflow, in batches; one step records them all.

    Raises:
        WorkflowConflict: ids that are taken by other work; all others are started.
    """
    slot = waiting_branch("perdure.start_children", is_async=False).draw()
    return drive(_start(slot, [of_call(call) for call in calls], BLOCKING, detach=detach))


def astart_children(
    calls: Iterable[Call[R]], /, *, detach: bool = False
) -> Coroutine[Any, Any, list[Handle[R]]]:
    """As `start_children`, from an async workflow."""
    slot = waiting_branch("perdure.astart_children", is_async=True).draw()
    return _start(slot, [of_call(call) for call in calls], AWAITING, detach=detach)


def run_child(call: Call[Any]) -> Any:
    """What a workflow called in a sync workflow does: start a child and wait for it."""
    branch = waiting_branch("perdure.start_child", is_async=False)
    return drive(_run(branch.draw(), branch.draw(), call, BLOCKING))


def arun_child(call: Call[Any]) -> Coroutine[Any, Any, Any]:
    """The same in an async workflow; both its numbers are drawn at this call."""
    branch = waiting_branch("perdure.astart_child", is_async=True)
    return _run(branch.draw(), branch.draw(), call, AWAITING)


# ------------------------------------------------------------ waiting for many


def first(handles: Iterable[Handle[R]], /, *, timeout: timedelta | None = None) -> Handle[R]:
    """The workflow that ends first, in a sync workflow.

    Raises:
        WaitTimeout: none has ended in time.
        UsageError: there are no handles.
    """
    slot = waiting_branch("perdure.first", is_async=False).draw()
    there = _by_id(handles)
    return there[drive(news.first(slot, list(there), timeout, BLOCKING))]


async def afirst(handles: Iterable[Handle[R]], /, *, timeout: timedelta | None = None) -> Handle[R]:
    """As `first`, in an async workflow."""
    slot = waiting_branch("perdure.afirst", is_async=True).draw()
    there = _by_id(handles)
    return there[await news.first(slot, list(there), timeout, AWAITING)]


@overload
def results(handles: Iterable[Handle[R]], /) -> Iterator[R]: ...
@overload
def results(
    handles: Iterable[Handle[R]], /, *, return_exceptions: Literal[True]
) -> Iterator[R | Exception]: ...
def results(handles: Iterable[Handle[Any]], /, *, return_exceptions: bool = False) -> Iterator[Any]:
    """What workflows return, in the order of the handles, in a sync workflow.

    Read as they are taken, some hundreds at a time, so that any number takes
    little memory. The first that failed raises what it raised.

    Args:
        handles: of workflows, children or not.
        return_exceptions: give what was raised instead of raising it.
    """
    for page in _pages(handles):
        slot = waiting_branch("perdure.results", is_async=False).draw()
        ended = drive(news.ends(slot, [handle.id for handle in page], BLOCKING))
        for handle in page:
            yield handle.settled(ended[handle.id], return_exceptions=return_exceptions)


@overload
def aresults(handles: Iterable[Handle[R]], /) -> AsyncIterator[R]: ...
@overload
def aresults(
    handles: Iterable[Handle[R]], /, *, return_exceptions: Literal[True]
) -> AsyncIterator[R | Exception]: ...
async def aresults(
    handles: Iterable[Handle[Any]], /, *, return_exceptions: bool = False
) -> AsyncIterator[Any]:
    """As `results`, in an async workflow."""
    for page in _pages(handles):
        slot = waiting_branch("perdure.aresults", is_async=True).draw()
        ended = await news.ends(slot, [handle.id for handle in page], AWAITING)
        for handle in page:
            yield handle.settled(ended[handle.id], return_exceptions=return_exceptions)


def _by_id(handles: Iterable[Handle[R]]) -> dict[str, Handle[R]]:
    there = {handle.id: handle for handle in handles}
    if not there:
        raise UsageError("there is no first of no workflows")
    return there


def _pages(handles: Iterable[Handle[R]]) -> Iterator[list[Handle[R]]]:
    rest = iter(handles)
    while page := list(itertools.islice(rest, PAGE)):
        yield page


# --------------------------------------------------------------- the scripts


async def _run(start: Slot, end: Slot, call: Call[Any], waits: Waits) -> Any:
    handle = (await _start(start, [of_call(call)], waits, detach=False))[0]
    return await news.result(end, handle.id, call.definition.result, None, waits)


async def _only(script: Coroutine[Any, Any, list[Handle[Any]]]) -> Handle[Any]:
    return (await script)[0]


async def _start(
    slot: Slot, starts: Sequence[Start], waits: Waits, *, detach: bool
) -> list[Handle[Any]]:
    """Start them, once; the record says which ids were there before."""
    desk: Desk = slot.attempt.host.desk
    for definition in {start.definition for start in starts if isinstance(start, Call)}:
        desk.started(definition)
    submissions = [_child(slot, start, i, detach=detach) for i, start in enumerate(starts)]
    name = _name(starts)
    record = slot.recorded(name=name, kind=KIND)
    if record is not None:
        there: list[int] = outcome(record, _THERE) or []
    else:
        there = await _submit(slot, submissions, name, waits)
    handles: list[Handle[Any]] = []
    taken = set(there)
    for i, (start, one) in enumerate(zip(starts, submissions, strict=True)):
        created = i not in taken
        if created:
            slot.attempt.children.add(one.id)
        handles.append(Handle(one.id, created, desk, start.definition.result))
    return handles


async def _submit(
    slot: Slot, submissions: Sequence[Submission], name: str, waits: Waits
) -> list[int]:
    """Write them; which were there before and are not this very step's."""
    started = slot.attempt.now()
    await settle(slot, waits)
    there: list[int] = []
    conflicts: list[str] = []
    for i, future in enumerate(slot.attempt.host.courier.submit(submissions)):
        found: Existing | None = await waits.answer(future)
        if found is None:
            continue
        if not same_work(found, submissions[i]):
            conflicts.append(found.id)
        elif found.parent_id != slot.attempt.id:
            there.append(i)
    if conflicts:
        error = WorkflowConflict(conflicts)
        note(slot, KIND, None, started, name=name, failure=Failure.of(error))
        raise error
    note(slot, KIND, _THERE.dump(there) if there else None, started, name=name)
    return there


def _name(starts: Sequence[Start]) -> str:
    """What the record is called: all their names, as far as they are different."""
    names = dict.fromkeys(start.definition.name for start in starts)
    return ids.shortened(", ".join(names) or KIND)


def _child(slot: Slot, start: Start, index: int, *, detach: bool) -> Submission:
    attempt = slot.attempt
    made = submission(start, lambda: _id(slot, index))
    mine = attempt.claim.deadline
    if mine is not None and not detach:
        made.deadline = mine if made.deadline is None else min(made.deadline, mine)
    made.parent_id, made.detached = attempt.id, detach
    return made


def _id(slot: Slot, index: int) -> str:
    """An id that is the same at every replay; one that would be too long is cut."""
    whole = f"{slot.attempt.id}/{slot.place}" + (f".{index}" if index else "")
    if len(whole.encode()) <= ids.MAX_BYTES:
        return whole
    return f"{whole[:200]}…{sha256(whole.encode()).hexdigest()}"
