"""Durable sleep: the due time is recorded at first arrival, the end when it is over."""

from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from .attempt import Attempt, Branch, Slot
from .context import workflow_branch
from .errors import BlockingCall, UsageError
from .execution import note
from .model import Wait
from .script import AWAITING, BLOCKING, Waits, drive

KIND = "sleep"
LINGER = 1.0
"""Seconds up to which a sleep stays in memory."""


def sleep(duration: timedelta, /) -> None:
    """Sleep in a sync workflow; a restart sleeps only what is left.

    Raises:
        NotInWorkflow: there is no workflow here.
        BlockingCall: the workflow is async: `await perdure.asleep(…)`.
    """
    branch = _branch("sleep", is_async=False)
    until = branch.attempt.host.now() + duration
    drive(_sleep(branch.draw(), until, BLOCKING))


def asleep(duration: timedelta, /) -> Coroutine[Any, Any, None]:
    """Sleep in an async workflow; a restart sleeps only what is left.

    Raises:
        NotInWorkflow: there is no workflow here.
    """
    branch = _branch("asleep", is_async=True)
    until = branch.attempt.host.now() + duration
    return _sleep(branch.draw(), until, AWAITING)


def sleep_until(when: datetime, /) -> None:
    """Sleep in a sync workflow until a time, which must be aware.

    Raises:
        NotInWorkflow: there is no workflow here.
        BlockingCall: the workflow is async: `await perdure.asleep_until(…)`.
    """
    branch = _branch("sleep_until", is_async=False)
    drive(_sleep(branch.draw(), _aware(when), BLOCKING))


def asleep_until(when: datetime, /) -> Coroutine[Any, Any, None]:
    """Sleep in an async workflow until a time, which must be aware.

    Raises:
        NotInWorkflow: there is no workflow here.
    """
    branch = _branch("asleep_until", is_async=True)
    return _sleep(branch.draw(), _aware(when), AWAITING)


async def _sleep(slot: Slot, until: datetime, waits: Waits) -> None:
    attempt = slot.attempt
    if slot.recorded(name=KIND, kind=KIND) is not None:
        return
    started, due = attempt.host.now(), slot.due()
    if due is None:
        due = until
        attempt.record(
            Wait(
                workflow_id=attempt.id,
                branch=slot.branch,
                seq=slot.seq,
                kind=KIND,
                due=due,
                epoch=attempt.epoch,
            )
        )
    while (left := (due - attempt.host.now()).total_seconds()) > 0:
        attempt.may_begin()  # a drain does not wait for sleepers
        if left > LINGER:
            _rest(attempt, due)
        await waits.pause(attempt, left)
    note(slot, KIND, None, started)


def _rest(attempt: Attempt, due: datetime) -> None:
    """A long sleep is a row, not a thread; unless something runs beside it."""
    if attempt.alone():
        attempt.suspend(due)
    if not attempt.bodies:
        attempt.host.rests(attempt)


def _branch(verb: str, *, is_async: bool) -> Branch:
    branch = workflow_branch(f"perdure.{verb}")
    if is_async and not branch.attempt.definition.is_async:
        raise UsageError(f"perdure.{verb} is for async workflows; here it is {verb[1:]}")
    if not is_async and branch.attempt.definition.is_async:
        raise BlockingCall(f"perdure.{verb} would block the event loop: await perdure.a{verb}(…)")
    return branch


def _aware(when: datetime) -> datetime:
    if when.tzinfo is None:
        raise UsageError(f"{when!r} has no time zone; Perdure's times are aware")
    return when.astimezone(UTC)
