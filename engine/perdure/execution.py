"""The life of one step: replay what is recorded, else run the body and record it."""

import logging
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from . import clock
from .attempt import Attempt, Slot
from .context import STEP, CurrentStep
from .definition import StepDefinition
from .errors import SerializationError
from .failure import Failure
from .history import outcome
from .model import StepRecord
from .retry import Retry
from .script import Waits, settle

log = logging.getLogger("perdure")

KIND = "step"


async def execute(
    slot: Slot, definition: StepDefinition, run: Callable[[], Any], waits: Waits
) -> Any:
    """Return what the step at `slot` returned, now or when it was first run.

    Values and errors have on the first run the form they will have on replay.
    """
    record = slot.recorded(name=definition.name, kind=KIND)
    if record is not None:
        return outcome(record, definition.result)
    attempt = slot.attempt
    if not (attempt.settled() and attempt.may_begin()):
        await settle(attempt, waits)
    started = attempt.host.now()
    number = 0
    while True:
        number += 1
        step = _current(slot, definition, number)
        try:
            token = STEP.set(step)
            attempt.bodies.add(step)
            try:
                value = await waits.body(attempt, definition, run)
            finally:
                attempt.bodies.discard(step)
                STEP.reset(token)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 (a step may fail in any way)
            final = _final(definition.retries, error, number)
            if final is not None:
                return _failed(slot, step, started, final)
            await _back_off(attempt, definition.retries, step, error, waits)
        else:
            return _returned(slot, definition, step, started, value)


async def _back_off(
    attempt: Attempt, retries: Retry, step: CurrentStep, error: BaseException, waits: Waits
) -> None:
    """Wait for the next try."""
    pause = retries.pause(step.attempt, random.random()).total_seconds()  # noqa: S311 (only jitter)
    _tell(step, error, pause)
    attempt.may_begin()  # a drain does not wait for the next try
    await waits.pause(attempt, pause)
    await settle(attempt, waits)


def _final(retries: Retry, error: BaseException, number: int) -> BaseException | None:
    """The error that the step ends with; None if there is another try."""
    try:
        return None if retries.wants(error, number) else error
    except Exception as problem:  # noqa: BLE001 (a predicate of the user's that fails)
        return problem


def _current(slot: Slot, definition: StepDefinition, number: int) -> CurrentStep:
    timeout = definition.timeout
    return CurrentStep(slot, definition.name, number, clock.now() + timeout if timeout else None)


def _returned(
    slot: Slot, definition: StepDefinition, step: CurrentStep, started: datetime, value: Any
) -> Any:
    """Record what the body returned, and return it as a replay will."""
    try:
        text, value = definition.result.pass_through(value)
    except SerializationError as problem:
        error = SerializationError(f"the result of step {definition.name}: {problem}")
        return _failed(slot, step, started, error)
    slot.attempt.record(_row(slot, step, KIND, started, output=text))
    return value


def _failed(slot: Slot, step: CurrentStep, started: datetime, error: BaseException) -> NoReturn:
    """Record how the step failed, and raise it as a replay will."""
    failure = Failure.of(error)
    slot.attempt.record(_row(slot, step, KIND, started, failure=failure))
    raise failure.exception() from error


def note(slot: Slot, name: str, output: str | None, started: datetime) -> None:
    """Record that a verb (`sleep`, `now`) has happened at `slot`."""
    step = CurrentStep(slot, name)
    slot.attempt.record(_row(slot, step, name, started, output=output))


def _row(
    slot: Slot,
    step: CurrentStep,
    kind: str,
    started: datetime,
    *,
    output: str | None = None,
    failure: Failure | None = None,
) -> StepRecord:
    return StepRecord(
        workflow_id=slot.attempt.id,
        branch=slot.branch,
        seq=slot.seq,
        name=step.name,
        kind=kind,
        status="error" if failure else "success",
        output_json=output,
        error_json=failure.dump() if failure else None,
        error_message=failure.message if failure else None,
        attempts=step.attempt,
        started_at=started,
        completed_at=slot.attempt.host.now(),
        epoch=slot.attempt.epoch,
    )


def _tell(step: CurrentStep, error: BaseException, seconds: float) -> None:
    log.info(
        "%s: try %d of step %s failed (%s); the next one in %.1f s",
        step.workflow_id,
        step.attempt,
        step.name,
        type(error).__name__,
        seconds,
        extra={
            "workflow_id": step.workflow_id,
            "step": step.name,
            "attempt": step.attempt,
        },
    )
