"""Undoing what a workflow has done, and finishing what must not be interrupted."""

import functools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVarTuple

from .attempt import Attempt
from .branch import Branch
from .context import workflow_branch
from .definition import Definition, StepDefinition
from .execution import execute
from .script import Waits

Ts = TypeVarTuple("Ts")


def compensate(undo: Callable[[*Ts], object], /, *args: *Ts) -> None:
    """Have `undo(*args)` run if this workflow fails or is cancelled, the newest first.

    It runs as a step, with the retries of one if `undo` is a step. If it fails for good,
    the workflow is parked, with the error that it failed with before; what was to be
    undone later stays undone. Best called before what it undoes: if a worker dies between
    the two, the undoing must know how to find nothing to do.

    Raises:
        NotInWorkflow: there is no workflow here.
    """
    attempt = workflow_branch("perdure.compensate").attempt
    attempt.undo.append((_definition(undo), functools.partial(_plain(undo), *args)))


@contextmanager
def shield() -> Generator[None, None, None]:
    """Finish what is in the block before a request to cancel strikes.

    Raises:
        NotInWorkflow: there is no workflow here.
    """
    attempt = workflow_branch("perdure.shield").attempt
    attempt.cancellation.shields += 1
    try:
        yield
    finally:
        attempt.cancellation.shields -= 1
        attempt.press()


async def unwind(attempt: Attempt, root: Branch, waits: Waits) -> None:
    """Run what undoes the workflow, the newest first; raises what one of them fails with.

    No request to cancel strikes it: the workflow is on its way out.
    """
    attempt.cancellation.shields += 1
    while attempt.undo:
        definition, run = attempt.undo[-1]
        await execute(root.draw(), definition, run, waits)
        attempt.undo.pop()


def _definition(undo: Callable[..., object]) -> StepDefinition:
    known: Any = getattr(undo, "definition", None)
    if isinstance(known, StepDefinition):
        return known
    return StepDefinition(fn=undo, name=Definition.check(undo, None))


def _plain(undo: Callable[..., object]) -> Callable[..., object]:
    # A step that is called here would draw a number of its own.
    bare: Callable[..., object] = getattr(undo, "_call", undo)
    return bare
