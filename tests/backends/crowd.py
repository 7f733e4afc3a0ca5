"""A crowd: what stands in the tables of a database that is years old and has much before it."""

from collections.abc import Callable, Sequence
from typing import Any

from perdure_backends.sql import (
    cancellation,
    claims,
    events,
    messages,
    outbox,
    singles,
    steps,
    streams,
    workers,
    workflows,
)
from perdure_backends.sql.dialect import Dialect, Fields
from perdure_compat.suite.records import WHEN

MANY = 1_000_000
SOME = 20_000
"""What one workflow may have gathered."""
LIMIT = 100
"""What a statement may take at once."""
BATCH = 500
"""How many rows are handed to a statement at once."""

_ENDED = """
INSERT INTO workflows (workflow_id, name, status, owner, completed_at)
SELECT 'ended-' || (n + 10000000), 'work', 'success', NULL, '2026-01-01' FROM {numbers}
"""
_STEPS = """
INSERT INTO workflow_steps (workflow_id, step_seq, step_name, status)
SELECT 'ended-' || (n + 10000000), 1, 'charge', 'success' FROM {numbers}
"""
_TOMBSTONES = """
INSERT INTO messages (workflow_id, message_id, topic, sender, position, consumed_branch, consumed_seq)
SELECT 'ended-' || (n + 10000000), 'm', 'news', 'somebody', 1, '', 1 FROM {numbers}
"""
_SUBSCRIPTIONS = """
INSERT INTO subscriptions (target_id, workflow_id)
SELECT 'ended-' || (n + 10000000), 'asleep-' || (n + 10000000) FROM {numbers}
"""
_ASLEEP = """
INSERT INTO workflows (workflow_id, name, status, run_at, deadline)
SELECT 'asleep-' || (n + 10000000), 'work',
       CASE WHEN n % 2 = 0 THEN 'delayed' ELSE 'waiting' END, '9000-01-01', '9000-01-01'
FROM {numbers}
"""
_WAITS = """
INSERT INTO waits (workflow_id, step_seq, kind, due)
SELECT 'asleep-' || (n + 10000000), 1, 'sleep', '9000-01-01' FROM {numbers}
"""
_DUE = """
INSERT INTO workflows (workflow_id, name, status, run_at)
SELECT 'due-' || n, 'work', 'waiting', '2026-01-01' FROM {numbers}
"""
_READY = """
INSERT INTO workflows (workflow_id, name) SELECT 'ready-' || n, 'work' FROM {numbers}
"""
_SUSPECT = """
INSERT INTO workflows (workflow_id, name, strikes) SELECT 'suspect-' || n, 'work', 2 FROM {numbers}
"""
_RUNNING = """
INSERT INTO workflows (workflow_id, name, status, owner, epoch)
SELECT 'running-' || n, 'work', 'running', 'a', 1 FROM {numbers}
"""
_TAKEN = """
INSERT INTO messages (workflow_id, message_id, topic, sender, position)
SELECT 'running-' || n, 'taken', 'calls', 'somebody', 1 FROM {numbers}
"""
_UNREAD = """
INSERT INTO messages (workflow_id, message_id, topic, sender, position)
SELECT 'running-1', 'unread-' || n, 'news', 'somebody', n FROM {numbers}
"""
_UNREAD_TOO = _UNREAD.replace("unread", "later")
_READ = """
INSERT INTO messages (workflow_id, message_id, topic, sender, position, consumed_branch, consumed_seq)
SELECT 'running-1', 'read-' || n, 'news', 'somebody', -n, '', n FROM {numbers}
"""
_EVENTS = """
INSERT INTO workflow_steps (workflow_id, branch, step_seq, step_name, kind, status)
SELECT 'running-1', '1', n, 'progress', 'event', 'success' FROM {numbers}
"""
_WRITTEN = """
INSERT INTO stream_items (workflow_id, stream, item_offset)
SELECT 'ended-' || (n + 10000000), 'log', 1 FROM {numbers}
"""
_FOLLOWED = """
INSERT INTO stream_items (workflow_id, stream, item_offset)
SELECT 'running-' || n, 'log', 1 FROM {numbers}
"""
_LONG = """
INSERT INTO stream_items (workflow_id, stream, item_offset)
SELECT 'running-1', 'log', n + 1 FROM {numbers}
"""
_LONGER = _LONG.replace("n + 1 ", "n + 2000 ")
_OVERDUE = """
INSERT INTO workflows (workflow_id, name, status, run_at, deadline)
SELECT 'overdue-' || n, 'work', 'waiting', '9000-01-01', '2026-01-01' FROM {numbers}
"""
_REQUESTED = """
INSERT INTO workflows (workflow_id, name, status, owner, cancel_requested_at, cancel_reason)
SELECT 'requested-' || n, 'work', 'running', 'b', '2026-01-01', '' FROM {numbers}
"""
_WAKEUPS = "INSERT INTO wakeups (workflow_id, n) SELECT 'due-' || n, 1 FROM {numbers}"
_FANS = """
INSERT INTO wakeups (workflow_id, n, fan)
SELECT 'ended-' || (n + 10000000), 1, TRUE FROM {numbers}
"""
_ORPHANED = """
INSERT INTO workflows (workflow_id, name, status, owner, epoch)
SELECT 'orphan-' || n, 'work', 'running', 'gone-1', 1 FROM {numbers}
"""
_GONE = """
INSERT INTO workers (worker_id, lease_until, dead_at)
SELECT 'gone-' || n, '2026-01-01', '2026-01-01' FROM {numbers}
"""
_LIVE = "INSERT INTO workers (worker_id, lease_until) SELECT 'a', '9000-01-01' FROM {numbers}"

FEW: tuple[tuple[str, int], ...] = (
    (_READY, 5_000),
    (_SUSPECT, 300),
    (_DUE, 300),
    (_RUNNING, BATCH),
    (_TAKEN, BATCH),
    (_UNREAD, 1_000),
    (_FOLLOWED, BATCH),
    (_LONG, 1_000),
    (_OVERDUE, 300),
    (_REQUESTED, BATCH),
    (_WAKEUPS, 300),
    (_FANS, 300),
    (_ORPHANED, 300),
    (_GONE, 2_000),
    (_LIVE, 1),
)
"""What is there at any time."""
CROWD: tuple[tuple[str, int], ...] = (
    (_ENDED, MANY),
    (_STEPS, MANY),
    (_ASLEEP, MANY),
    (_WAITS, MANY),
    (_TOMBSTONES, MANY),
    (_SUBSCRIPTIONS, MANY),
    (_UNREAD_TOO, SOME),
    (_READ, SOME),
    (_EVENTS, SOME),
    (_WRITTEN, MANY),
    (_LONGER, SOME),
)
"""What grows over the years."""


def parameters(dialect: Dialect) -> dict[str, Any]:
    """What the statements are asked with: full batches, for rows of each kind."""
    encode, listed = dialect.encode, dialect.listed
    running = [f"running-{n}" for n in range(1, BATCH + 1)]
    ended = [f"ended-{n + 10_000_000}" for n in range(1, BATCH + 1)]
    return {
        "me": "a",
        "limit": LIMIT,
        "lease": 10.0,
        "margin": 0.0,
        "max_strikes": 5,
        "backoff": 1.0,
        "queue": "default",
        "name": "work",
        "ids": listed(ended),
        "known": listed(running[1:]),
        **encode("lane", claims.LANE, [(queue, "work") for queue in ("default", "other", "third")]),
        **encode("seen", workers.SEEN, [("b", 1), ("c", 2)]),
        **encode("asked", steps.ID, [(one,) for one in ended]),
        **encode("key", steps.KEY, [(one, "", 1) for one in ended]),
        **encode("new", workflows.NEW, [_new(n) for n in range(BATCH)]),
        "target": "running-1",
        **encode("event", events.EVENT, [(one, "progress") for one in running]),
        **encode("message", messages.MESSAGE, [_message(one) for one in running]),
        **encode("letter", messages.KEY, [(one, "taken") for one in running]),
        **encode("watch", messages.WATCH, [(one, "news") for one in running]),
        **encode("reading", streams.READING, [(one, "log", 0) for one in running]),
        **encode("request", cancellation.ASKED, [(one, "") for one in running]),
        **encode("told", outbox.TOLD, [(one, 1) for one in ended]),
        **encode("subscriber", steps.ID, [(one,) for one in running]),
        **encode("publisher", steps.ID, [(one,) for one in running]),
        **_written(dialect.each, running),
    }


def lone_parameters() -> dict[str, Any]:
    """What a commit of one row for each part is asked with."""
    return {"me": "a", **_written(singles.each, ["running-1"])}


def _written(
    each: Callable[[str, Fields, list[tuple[object, ...]]], Sequence[dict[str, Any]]],
    running: list[str],
) -> dict[str, Any]:
    """What one execution of a commit's statements is given."""
    return {
        **each("consumption", messages.CONSUMPTION, [_taking(one) for one in running])[0],
        **each("step", steps.STEP, [_step(one) for one in running])[0],
        **each("wait", steps.WAIT, [(one, "", 2, "sleep", WHEN, 1) for one in running])[0],
        **each("item", streams.ITEM, [_item(one) for one in running])[0],
        **each("transition", claims.TRANSITION, [_transition(one) for one in running])[0],
    }


def _new(n: int) -> tuple[object, ...]:
    plain = (f"new-{n}", "work", None, "default", 0, 0, None, None, "{}", None)
    return (*plain, "running-1", False, None, None)


def _message(id: str) -> tuple[object, ...]:
    return (id, "new", "news", None, "somebody", 1)


def _taking(id: str) -> tuple[object, ...]:
    return (id, "", 1, 1, "taken")


def _step(id: str) -> tuple[object, ...]:
    return (id, "", 1, "charge", "step", "success", "1", None, None, 1, WHEN, WHEN, 1)


def _item(id: str) -> tuple[object, ...]:
    return (id, "log", 100_000, "1", 1, "1", False, 1)


def _transition(id: str) -> tuple[object, ...]:
    return (id, 1, "success", None, None, None, None, None, False)
