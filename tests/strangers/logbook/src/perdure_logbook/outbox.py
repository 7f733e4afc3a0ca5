"""Wake-ups: put in the line that has the news, and counted in a line of their own."""

from collections import Counter
from collections.abc import Iterable

from perdure.model import WorkflowRecord

from . import workflows
from .log import Turn
from .mailbox import Applied, Wakeup


def tell(turn: Turn, workflow_ids: Iterable[str]) -> None:
    """A wake-up for each of these workflows, known or not."""
    first = turn.tables.mailbox.next_number
    turn.put(*[Wakeup(number, one) for number, one in enumerate(workflow_ids, first)])


def tell_subscribers(turn: Turn, workflow_id: str) -> None:
    """There is news of a workflow."""
    tell(turn, turn.tables.mailbox.subscriptions.get(workflow_id, {}))


def change(turn: Turn, after: WorkflowRecord) -> None:
    """The workflow stands like this from now on; if that is its end, others are to hear of it."""
    turn.put(after)
    if after.status.final:
        tell(turn, [] if after.parent_id is None else [after.parent_id])
        tell_subscribers(turn, after.id)


def apply(turn: Turn, *, limit: int) -> int:
    """Count the oldest wake-ups; how many there were."""
    first = list(turn.tables.mailbox.outbox.values())[:limit]
    for workflow_id, more in Counter(one.workflow_id for one in first).items():
        if one := turn.tables.workflows.get(workflow_id):
            wake_at = turn.tables.mailbox.wake_at(workflow_id)
            turn.put(workflows.counted(one, more, wake_at=wake_at, now=turn.now))
    turn.put(*[Applied(one.number) for one in first])
    return len(first)
