"""Subscriptions: workflows that are woken by the end and the events of another."""

from typing import Any

from sqlalchemy import Select, Text, select, true, update

from .dialect import Dialect
from .expression import bind
from .steps import ID
from .tables import subscriptions, workflows

_target = workflows.c.workflow_id == bind("target", Text())


def target(_: Dialect) -> Select[Any]:
    """The workflow that is to be awaited, if it exists."""
    return select(workflows.c.workflow_id).where(_target)


def mark(_: Dialect) -> Any:
    """Note at the target that somebody awaits it, from when on it leaves wake-ups.

    The lock of its row makes this and what its owner writes follow one another. It need not
    be taken where the note is there: then all that is written later leaves a wake-up, and
    what was written earlier is seen by whoever looks after having subscribed.
    """
    return (
        update(workflows)
        .values(awaited=true())
        .where(_target, ~workflows.c.awaited)
        .returning(workflows.c.workflow_id)
    )


def enter(dialect: Dialect) -> Any:
    """Insert the subscribers of a target that exists."""
    new = dialect.rowset("subscriber", ID)
    rows = (
        select(new.c.workflow_id, workflows.c.workflow_id)
        .where(_target)
        .order_by(new.c.workflow_id)
    )
    return (
        dialect.insert(subscriptions)
        .from_select(["workflow_id", "target_id"], rows)
        .on_conflict_do_nothing()
        .returning(subscriptions.c.workflow_id)
    )


def subscribe(dialect: Dialect) -> Select[Any]:
    """All three in one statement."""
    marked, entered = mark(dialect).cte("marked"), enter(dialect).cte("entered")
    return target(dialect).add_cte(marked, entered)
