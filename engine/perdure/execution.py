"""The life of one step: replay what is recorded, else run the body and record it."""

import logging
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from . import clock
from .branch import Slot
from .context import STEP, CurrentStep
from .definition import StepDefinition
from .errors import SerializationError
from .failure import Failure
from .history import outcome
from .model import StepRecord
from .retry import Retry
from .script import Waits, settle, watch
from .transit import Receipt
from .vigil import Vigil

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
    number = await _tried(slot, waits) if attempt.dues else 0
    await waits.durable(attempt)
    if not attempt.may_begin():
        await settle(slot, waits)
    started = attempt.host.now()
    while True:
        number += 1
        step = CurrentStep(
            slot,
            definition.name,
            number,
            None if definition.timeout is None else clock.now() + definition.timeout,
        )
        try:
            token = STEP.set(step)
            attempt.bodies.add(step)
            try:
                value = await waits.body(attempt, definition, run)
            finally:
                attempt.bodies.discard(step)
                STEP.reset(token)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 (a step may fail in any way)
            _give_up(slot, step, started, _final(definition.retries, error, number))
            await _back_off(slot, definition.retries, step, error, waits)
        else:
            return _returned(slot, definition, step, started, value)


async def _tried(slot: Slot, waits: Waits) -> int:
    """How many tries an earlier attempt has recorded; waits until the next one is due."""
    number = slot.tries()
    if number:
        due = slot.back_off(number, slot.attempt.host.now())
        await watch(slot, Vigil(due=due), waits)
    return number


async def _back_off(
    slot: Slot, retries: Retry, step: CurrentStep, error: BaseException, waits: Waits
) -> None:
    """Wait for the next try: a short time in memory, a long one durably."""
    attempt = slot.attempt
    pause = retries.pause(step.attempt, random.random())  # noqa: S311 (only jitter)
    seconds = pause.total_seconds()
    _tell(step, error, seconds)
    attempt.may_begin()  # a drain does not wait for the next try
    if seconds > attempt.host.linger:
        due = slot.back_off(step.attempt, attempt.host.now() + pause)
        await watch(slot, Vigil(due=due), waits)
    else:
        await waits.pause(attempt, seconds)
    await settle(slot, waits)


def _final(retries: Retry, error: BaseException, number: int) -> BaseException | None:
    """The error that the step ends with; None if there is another try."""
    try:
        return None if retries.wants(error, number) else error
    except Exception as problem:  # noqa: BLE001 (a predicate of the user's that fails)
        return problem


def _give_up(slot: Slot, step: CurrentStep, started: datetime, final: BaseException | None) -> None:
    """Fail with this error, if the step ends with one."""
    if final is not None:
        _failed(slot, step, started, final)


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


def row_of(slot: Slot, kind: str, name: str) -> StepRecord:
    """The record of a verb that has nothing to tell but that it has happened at `slot`."""
    return _row(slot, CurrentStep(slot, name), kind, slot.attempt.now())


def note(
    slot: Slot,
    kind: str,
    output: str | None,
    started: datetime,
    *,
    name: str | None = None,
    failure: Failure | None = None,
    message_id: str | None = None,
) -> None:
    """Record that a verb (`sleep`, `receive`) has happened at `slot`, and what came of it.

    `message_id` is the message that it takes.
    """
    step = CurrentStep(slot, name or kind)
    row = _row(slot, step, kind, started, output=output, failure=failure)
    slot.attempt.record(row if message_id is None else Receipt(row, message_id))


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
        completed_at=slot.attempt.now(),
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
