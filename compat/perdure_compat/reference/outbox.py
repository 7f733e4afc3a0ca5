"""The outbox: wake-ups are written with what they tell of, and applied later."""

from collections.abc import Sequence
from datetime import datetime

from perdure.model import WorkflowRecord

from . import workflows
from .store import Store, Wakeup


def tell_of_end(store: Store, workflow: WorkflowRecord) -> bool:
    """Write what its end means for others; whether it means anything."""
    if workflow.parent_id is not None:
        store.outbox.append(Wakeup(workflow.parent_id))
    return tell_subscribers(store, workflow.id) or workflow.parent_id is not None


def tell_subscribers(store: Store, workflow_id: str) -> bool:
    """Write that there is news of a workflow; whether anybody wants to know."""
    awaited = any(one.target_id == workflow_id for one in store.subscriptions)
    if awaited:
        store.outbox.append(Wakeup(workflow_id, for_subscribers=True))
    return awaited


def spread(store: Store) -> None:
    """Put one for each subscriber in the place of one for all that have subscribed by now."""
    store.outbox[:] = [each for one in store.outbox for each in _each(store, one)]


def _each(store: Store, wakeup: Wakeup) -> list[Wakeup]:
    if not wakeup.for_subscribers:
        return [wakeup]
    target = wakeup.workflow_id
    return [Wakeup(one.workflow_id) for one in store.subscriptions if one.target_id == target]


def first(wakeups: Sequence[Wakeup], limit: int) -> Sequence[Wakeup]:
    """Those that have waited longest."""
    return wakeups[:limit]


def apply(store: Store, wakeups: Sequence[Wakeup], *, now: datetime) -> None:
    """Count these, of which each is for one; those for workflows that do not exist vanish."""
    for one in wakeups:
        store.outbox.remove(one)
        if found := store.workflows.get(one.workflow_id):
            wake_at = store.thresholds.get(found.id)
            store.workflows[found.id] = workflows.counted(found, wake_at=wake_at, now=now)
