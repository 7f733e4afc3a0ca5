"""Where the code that runs now stands: in which workflow, on which branch, in which step."""

import contextvars
import threading
from datetime import datetime

import attrs

from .branch import Branch, Slot
from .errors import BlockingCall, NotInWorkflow, UsageError


@attrs.define(eq=False)
class CurrentStep:
    """The step whose body is running."""

    slot: Slot = attrs.field(repr=False)
    name: str
    attempt: int = 1
    """1 at the first try; grows within one worker's run of the step."""
    deadline: datetime | None = None
    """When this try's timeout strikes; a sync step cannot be stopped, but can look."""
    _starts: int = attrs.field(default=0, init=False, repr=False)

    @property
    def workflow_id(self) -> str:
        return self.slot.attempt.id

    @property
    def idempotency_key(self) -> str:
        """The same at every try of this step, for the outside world to recognise."""
        return self.slot.key

    def next_start(self) -> str:
        """The id of the next workflow started in this body, the same at every try."""
        self._starts += 1
        return f"{self.idempotency_key}/{self._starts}"


@attrs.frozen(kw_only=True)
class CurrentWorkflow:
    """The workflow whose code is running."""

    id: str
    name: str
    created_at: datetime
    deadline: datetime | None
    """When it will be cancelled, if it has not ended."""


BRANCH: contextvars.ContextVar[Branch | None] = contextvars.ContextVar("perdure_branch")
STEP: contextvars.ContextVar[CurrentStep | None] = contextvars.ContextVar("perdure_step")


def current_branch() -> Branch | None:
    """The branch whose workflow code is running here; None outside and in step bodies.

    Raises:
        UsageError: this is a thread that the workflow's code started by itself.
        Abandoned: the attempt has ended.
    """
    branch = BRANCH.get(None)
    if branch is None or STEP.get(None) is not None:
        return None
    attempt = branch.attempt
    if attempt.home and attempt.home != threading.get_ident():
        raise UsageError(
            f"{attempt.id}: a thread of the workflow's own may not call steps, because their "
            f"order would differ at replay; use step.submit(…)"
        )
    return branch


def in_workflow() -> bool:
    """Whether this is workflow code, and not a step's body.

    Raises:
        UsageError: this is a thread that the workflow's code started by itself.
    """
    return current_branch() is not None


def workflow_branch(verb: str) -> Branch:
    """The branch that runs here.

    Raises:
        NotInWorkflow: there is none.
    """
    branch = current_branch()
    if branch is None:
        place = "in a step's body" if STEP.get(None) else "outside a workflow"
        raise NotInWorkflow(f"{verb} was called {place}; it means something in a workflow only")
    return branch


def waiting_branch(verb: str, *, is_async: bool) -> Branch:
    """The branch that runs here, for a verb that waits; one colour has its own.

    Raises:
        NotInWorkflow: there is none.
        BlockingCall: the verb would block the event loop.
        UsageError: the verb is for async workflows.
    """
    branch = workflow_branch(verb)
    if is_async and not branch.attempt.definition.is_async:
        raise UsageError(f"{verb} is for async workflows; here it is {_twin(verb)}(…)")
    if not is_async and branch.attempt.definition.is_async:
        raise BlockingCall(f"{verb} would block the event loop: await {_twin(verb)}(…)")
    return branch


def _twin(verb: str) -> str:
    """The same verb in the other colour."""
    noun, dot, name = verb.rpartition(".")
    return f"{noun}{dot}{name[1:] if name.startswith('a') else f'a{name}'}"


def current_step() -> CurrentStep:
    """The running step.

    Raises:
        NotInWorkflow: no step's body runs here.
    """
    step = STEP.get(None)
    if step is None:
        raise NotInWorkflow("current_step() means something in a step's body only")
    return step


def current_workflow() -> CurrentWorkflow:
    """The running workflow, in its code or in the body of one of its steps.

    Raises:
        NotInWorkflow: no workflow runs here.
    """
    branch = BRANCH.get(None)
    if branch is None:
        raise NotInWorkflow("current_workflow() means something in a workflow only")
    claim = branch.attempt.claim
    return CurrentWorkflow(
        id=claim.id, name=claim.name, created_at=claim.created_at, deadline=claim.deadline
    )


def refuse_in_workflow(verb: str, *, instead: str = "call it in a step") -> None:
    """Refuse a client's verb in workflow code, where a replay would repeat it.

    Raises:
        UsageError: this is workflow code.
    """
    if current_branch() is not None:
        raise UsageError(f"{verb} in a workflow would happen again at replay; {instead}")
