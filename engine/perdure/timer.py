"""Durable sleep: the due time is recorded at first arrival, the end when it is over."""

from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

from . import clock
from .branch import Slot
from .context import waiting_branch
from .execution import note
from .script import AWAITING, BLOCKING, Waits, drive, watch
from .vigil import Vigil

KIND = "sleep"


def sleep(duration: timedelta, /) -> None:
    """Sleep in a sync workflow; a restart sleeps only what is left.

    Raises:
        NotInWorkflow: there is no workflow here.
        BlockingCall: the workflow is async: `await perdure.asleep(…)`.
    """
    branch = waiting_branch("perdure.sleep", is_async=False)
    until = branch.attempt.host.now() + clock.bounded(duration)
    drive(_sleep(branch.draw(), until, BLOCKING))


def asleep(duration: timedelta, /) -> Coroutine[Any, Any, None]:
    """Sleep in an async workflow; a restart sleeps only what is left.

    Raises:
        NotInWorkflow: there is no workflow here.
    """
    branch = waiting_branch("perdure.asleep", is_async=True)
    until = branch.attempt.host.now() + clock.bounded(duration)
    return _sleep(branch.draw(), until, AWAITING)


def sleep_until(when: datetime, /) -> None:
    """Sleep in a sync workflow until a time, which must be aware.

    Raises:
        NotInWorkflow: there is no workflow here.
        BlockingCall: the workflow is async: `await perdure.asleep_until(…)`.
    """
    branch = waiting_branch("perdure.sleep_until", is_async=False)
    drive(_sleep(branch.draw(), clock.utc(when), BLOCKING))


def asleep_until(when: datetime, /) -> Coroutine[Any, Any, None]:
    """Sleep in an async workflow until a time, which must be aware.

    Raises:
        NotInWorkflow: there is no workflow here.
    """
    branch = waiting_branch("perdure.asleep_until", is_async=True)
    return _sleep(branch.draw(), clock.utc(when), AWAITING)


async def _sleep(slot: Slot, until: datetime, waits: Waits) -> None:
    if slot.recorded(name=KIND, kind=KIND) is not None:
        return
    started = slot.attempt.host.now()
    await watch(slot, Vigil(due=slot.due(KIND, until)), waits)
    note(slot, KIND, None, started)
