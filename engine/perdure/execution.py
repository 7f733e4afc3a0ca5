"""The life of one step: replay what is recorded, else run the body and record it."""

import logging
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs

from . import clock
from .attempt import Slot
from .context import CurrentStep
from .definition import StepDefinition
from .errors import SerializationError
from .failure import Failure
from .history import outcome
from .model import StepRecord
from .retry import Retry
from .script import Body, Pause, Script, settle

log = logging.getLogger("perdure")

KIND = "step"


@attrs.frozen
class Tried:
    """How the last try of a body ended."""

    step: CurrentStep
    value: Any = None
    error: BaseException | None = None


def execute(slot: Slot, definition: StepDefinition, run: Callable[[], Any]) -> Script[Any]:
    """Return what the step at `slot` returned, now or when it was first run.

    Values and errors have on the first run the form they will have on replay.
    """
    record = slot.recorded(name=definition.name, kind=KIND)
    if record is not None:
        return outcome(record, definition.result)
    yield from settle(slot.attempt)
    started = slot.attempt.host.now()
    tried = yield from _try(slot, definition, run)
    return _record(slot, definition, tried, started)


def _try(slot: Slot, definition: StepDefinition, run: Callable[[], Any]) -> Script[Tried]:
    """Run the body until it succeeds or its retries are used up."""
    retries = definition.retries
    number = 0
    while True:
        number += 1
        step = _current(slot, definition, number)
        try:
            value = yield Body(run, definition.is_async, definition.timeout, step)
        except Exception as error:  # noqa: BLE001 (a step may fail in any way)
            final = _final(retries, error, number)
            if final is not None:
                return Tried(step, error=final)
            pause = retries.pause(number, random.random())  # noqa: S311 (only jitter)
            _tell(step, error, pause.total_seconds())
            slot.attempt.may_begin()  # a drain does not wait for the next try
            yield Pause(pause.total_seconds())
            yield from settle(slot.attempt)
        except (SystemExit, KeyboardInterrupt) as error:
            return Tried(step, error=error)
        else:
            return Tried(step, value)


def _final(retries: Retry, error: Exception, number: int) -> Exception | None:
    """The error that the step ends with; None if there is another try."""
    try:
        return None if retries.wants(error, number) else error
    except Exception as problem:  # noqa: BLE001 (a predicate of the user's that fails)
        return problem


def _current(slot: Slot, definition: StepDefinition, number: int) -> CurrentStep:
    timeout = definition.timeout
    return CurrentStep(
        idempotency_key=slot.key,
        attempt=number,
        workflow_id=slot.attempt.id,
        name=definition.name,
        deadline=clock.now() + timeout if timeout else None,
    )


def _record(slot: Slot, definition: StepDefinition, tried: Tried, started: datetime) -> Any:
    error = tried.error
    if error is None:
        try:
            text, value = definition.result.pass_through(tried.value)
        except SerializationError as problem:
            error = SerializationError(f"the result of step {definition.name}: {problem}")
        else:
            slot.attempt.record(_row(slot, tried.step, KIND, started, output=text))
            return value
    failure = Failure.of(error)
    slot.attempt.record(_row(slot, tried.step, KIND, started, failure=failure))
    raise failure.exception() from error


def note(slot: Slot, name: str, output: str | None, started: datetime) -> None:
    """Record that a verb (`sleep`, `now`) has happened at `slot`."""
    step = CurrentStep(idempotency_key=slot.key, attempt=1, workflow_id=slot.attempt.id, name=name)
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


def _tell(step: CurrentStep, error: Exception, seconds: float) -> None:
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
