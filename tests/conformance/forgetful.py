"""Mutants that lose what is to be heard: messages, wake-ups, requests, deadlines and streams."""

from collections.abc import Sequence
from typing import Any

import attrs

from perdure.backend import Backend, Batch, Committed
from perdure.mail import Sight, Watch
from perdure.streams import Item, Reading
from perdure_backends.sql import (
    cancellation,
    claims,
    events,
    messages,
    outbox,
    streams,
    subscriptions,
)

from .changes import does, says
from .mutant import Mutant


def _backwards(
    right: Any, self: Backend, watches: Sequence[Watch], *, limit: int
) -> Sequence[Sight]:
    """The newest message comes first."""
    sights: Sequence[Sight] = right(self, watches, limit=limit)
    return [attrs.evolve(one, messages=one.messages[::-1]) for one in sights]


def _silent(right: Any, self: Backend, worker_id: str, batch: Batch) -> Committed:
    """Whether others are to hear of it is nobody's business."""
    told: Committed = right(self, worker_id, batch)
    return attrs.evolve(told, wakeups=False)


def _newest_first(
    right: Any, self: Backend, readings: Sequence[Reading], *, limit: int
) -> Sequence[Item]:
    """The newest item of a stream comes first."""
    items: Sequence[Item] = right(self, readings, limit=limit)
    return items[::-1]


def _first_of_all(
    right: Any, self: Backend, readings: Sequence[Reading], *, limit: int
) -> Sequence[Item]:
    """A limit is one for all streams together."""
    items: Sequence[Item] = right(self, readings, limit=limit)
    return items[:limit]


_TAKEN = (
    "UPDATE messages SET consumed_branch=CAST(:consumption_branch AS TEXT),"
    " consumed_seq=CAST(:consumption_step_seq AS INTEGER)"
)

_FOLLOWED = "workflows.parent_id IS NOT NULL OR workflows.awaited = 1"

FORGETFUL: Sequence[Mutant] = [
    Mutant(
        name="no-bounce",
        wrong="a suspension does not ask whether something has come since",
        change=says(claims.let_go, "workflows.wake >= CAST(:transition_wake_at AS BIGINT)", "0"),
        noun="waking",
        caught_by="test_who_suspends_too_late_is_sent_back",
    ),
    Mutant(
        name="wake-ignores-wake-at",
        wrong="any wake-up wakes who waits",
        change=says(outbox.apply, " AND workflows.wake_at <= workflows.wake + given.n"),
        noun="waking",
        caught_by="test_who_waits_is_woken_by_the_count_that_it_waits_for",
    ),
    Mutant(
        name="no-count",
        wrong="wake-ups are not counted",
        change=says(outbox.apply, "wake=(workflows.wake + given.n)", "wake=workflows.wake"),
        noun="waking",
        caught_by="test_a_message_is_counted_in_any_state",
    ),
    Mutant(
        name="counts-once",
        wrong="several wake-ups at once count as one",
        change=says(outbox.apply, "workflows.wake + given.n", "workflows.wake + 1"),
        noun="waking",
        caught_by="test_more_than_it_waits_for_wakes_it_too",
    ),
    Mutant(
        name="woken-but-not-due",
        wrong="who is woken before its time stays due at its time",
        change=says(
            outbox.apply, "THEN strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')", "THEN workflows.run_at"
        ),
        noun="waking",
        caught_by="test_who_waits_is_woken_by_the_count_that_it_waits_for",
    ),
    Mutant(
        name="time-wakes-the-untimed",
        wrong="what waits without a time is due since it was due before",
        change=says(
            claims.let_go, "CAST('9999-12-31T00:00:00.000000Z' AS TEXT)", "workflows.run_at"
        ),
        noun="waking",
        caught_by="test_who_waits_for_no_time_is_woken_by_none",
    ),
    Mutant(
        name="send-wakes-nobody",
        wrong="a message is written without a wake-up",
        change=says(outbox.tell, "FROM told", "FROM told WHERE 0"),
        noun="waking",
        caught_by="test_a_message_is_counted_in_any_state",
    ),
    Mutant(
        name="send-to-the-ended",
        wrong="a message is written for what has ended",
        change=says(messages.insert, "THEN 0 ELSE 1 END", "THEN 1 ELSE 1 END"),
        noun="messages",
        caught_by="test_nothing_is_sent_to_what_has_ended_or_never_was",
    ),
    Mutant(
        name="look-without-order",
        wrong="messages come in any order",
        change=does("look", _backwards),
        noun="messages",
        caught_by="test_messages_of_several_senders_stand_as_they_came",
    ),
    Mutant(
        name="look-without-limit",
        wrong="a look shows all that there is",
        change=says(messages.pending, "LIMIT CAST(:limit AS INTEGER)"),
        noun="messages",
        caught_by="test_the_earliest_of_each_topic_are_seen",
    ),
    Mutant(
        name="consumed-without-step",
        wrong="a message is taken though its step was there already",
        change=says(
            messages.consume,
            "NOT (EXISTS (SELECT workflow_steps.epoch",
            "(1 OR EXISTS (SELECT workflow_steps.epoch",
        ),
        noun="consumption",
        caught_by="test_a_step_of_an_earlier_epoch_takes_nothing_more",
    ),
    Mutant(
        name="consumed-by-anybody",
        wrong="a message is taken for who is not the owner",
        change=says(
            messages.consume,
            "(EXISTS (SELECT workflows.epoch",
            "(1 OR EXISTS (SELECT workflows.epoch",
        ),
        noun="consumption",
        caught_by="test_only_the_owner_takes_messages",
    ),
    Mutant(
        name="never-consumed",
        wrong="a message that was taken is seen again",
        change=says(messages.pending, " AND messages.consumed_seq IS NULL"),
        noun="consumption",
        caught_by="test_a_message_is_taken_with_its_step",
    ),
    Mutant(
        name="consumed-and-forgotten",
        wrong="a message that was taken can be sent again",
        change=says(messages.consume, _TAKEN, "DELETE FROM messages"),
        noun="consumption",
        caught_by="test_what_was_taken_never_comes_back",
    ),
    Mutant(
        name="end-wakes-no-parent",
        wrong="the end of a child is nothing to its parent",
        change=says(outbox.ends, "workflows.parent_id IS NOT NULL", "0"),
        noun="ends",
        caught_by="test_a_child_s_end_wakes_its_parent",
    ),
    Mutant(
        name="only-children-are-followed",
        wrong="an end is told only where there is a parent",
        change=says(
            outbox.followed,
            _FOLLOWED,
            "workflows.parent_id IS NOT NULL",
        ),
        noun="ends",
        caught_by="test_an_end_wakes_who_has_subscribed",
    ),
    Mutant(
        name="only-subscribers-are-told",
        wrong="an end is told only where somebody has subscribed",
        change=says(
            outbox.followed,
            _FOLLOWED,
            "workflows.awaited = 1",
        ),
        noun="ends",
        caught_by="test_a_child_s_end_wakes_its_parent",
    ),
    Mutant(
        name="end-wakes-no-subscriber",
        wrong="an end is nothing to who has subscribed",
        change=says(outbox.ends, "workflows.awaited = 1", "0"),
        noun="ends",
        caught_by="test_an_end_wakes_who_has_subscribed",
    ),
    Mutant(
        name="event-wakes-nobody",
        wrong="an event is nothing to who has subscribed",
        change=says(outbox.events, "workflows.awaited = 1", "0"),
        noun="ends",
        caught_by="test_an_event_wakes_who_has_subscribed",
    ),
    Mutant(
        name="subscribes-in-secret",
        wrong="a target does not know that somebody awaits it",
        change=says(subscriptions.mark, "SET awaited=1", "SET awaited=0"),
        noun="ends",
        caught_by="test_all_who_have_subscribed_are_woken",
    ),
    Mutant(
        name="says-nothing-of-wake-ups",
        wrong="nobody is told that there is something to apply",
        change=does("commit", _silent),
        noun="ends",
        caught_by="test_an_end_tells_whether_it_matters_to_others",
    ),
    Mutant(
        name="first-event-counts",
        wrong="the first value of an event counts",
        change=says(events.latest, "completed_at DESC", "completed_at"),
        noun="events",
        caught_by="test_the_latest_value_counts",
    ),
    Mutant(
        name="any-step-is-an-event",
        wrong="a step of the event's name counts as the event",
        change=says(events.latest, "workflow_steps.kind = 'event'", "1"),
        noun="events",
        caught_by="test_only_events_are_events",
    ),
    Mutant(
        name="items-of-anybody",
        wrong="an item is written for who is not the owner",
        change=says(streams.write, "THEN 1 ELSE 0 END", "THEN 1 ELSE 1 END"),
        noun="streams",
        caught_by="test_only_the_owner_writes_items",
    ),
    Mutant(
        name="items-of-any-epoch",
        wrong="an item is written under an epoch that is over",
        change=says(streams.write, " AND workflows.epoch = CAST(:item_epoch AS BIGINT)"),
        noun="streams",
        caught_by="test_an_epoch_that_is_over_writes_no_item",
    ),
    Mutant(
        name="last-item-counts",
        wrong="an item replaces the one that was there",
        change=says(streams.write, "DO NOTHING", "DO UPDATE SET value=excluded.value"),
        noun="streams",
        caught_by="test_the_first_item_with_an_offset_stays",
    ),
    Mutant(
        name="reads-from-the-beginning",
        wrong="what was read comes again",
        change=says(streams.read, '> reading."after"', "> -1"),
        noun="streams",
        caught_by="test_only_what_comes_after_is_read",
    ),
    Mutant(
        name="reads-without-order",
        wrong="items come in any order",
        change=does("read", _newest_first),
        noun="streams",
        caught_by="test_items_stand_in_the_order_of_their_offsets",
    ),
    Mutant(
        name="reads-one-page-for-all",
        wrong="a limit is one for all streams together",
        change=does("read", _first_of_all),
        noun="streams",
        caught_by="test_several_streams_are_read_at_once",
    ),
    Mutant(
        name="cancel-ends-what-runs",
        wrong="what runs is ended behind its owner's back",
        change=says(
            cancellation.ask,
            "(workflows.status = 'running') THEN workflows.status",
            "(workflows.status = 'running') THEN 'cancelled'",
        ),
        noun="cancellation",
        caught_by="test_what_runs_is_left_to_its_owner",
    ),
    Mutant(
        name="cancel-without-reason",
        wrong="a request loses its reason",
        change=says(
            cancellation.ask,
            "workflows.cancel_reason, request.reason",
            "workflows.cancel_reason, ''",
        ),
        noun="cancellation",
        caught_by="test_a_reason_is_any_text",
    ),
    Mutant(
        name="cancel-lets-sleep",
        wrong="who waits is asked to cancel and sleeps on",
        change=says(cancellation.ask, "ELSE 'enqueued' END", "ELSE workflows.status END"),
        noun="cancellation",
        caught_by="test_what_is_suspended_goes_back_to_the_queue",
    ),
    Mutant(
        name="cancel-wakes-no-parent",
        wrong="an end by cancellation is nothing to the parent",
        change=says(cancellation.ends, "workflows.parent_id IS NOT NULL", "0"),
        noun="cancellation",
        caught_by="test_an_end_by_cancellation_wakes_who_waits_for_it",
    ),
    Mutant(
        name="sleeps-through-a-request",
        wrong="who is asked to cancel is suspended in ignorance",
        change=says(claims.let_go, "workflows.cancel_requested_at IS NOT NULL", "0"),
        noun="cancellation",
        caught_by="test_who_is_suspended_in_ignorance_goes_back_to_the_queue",
    ),
    Mutant(
        name="never-lets-clean-up",
        wrong="who is asked to cancel is never suspended again",
        change=says(claims.let_go, " AND CAST(:transition_cancelling AS BOOLEAN) = 0"),
        noun="cancellation",
        caught_by="test_who_knows_of_the_request_is_suspended",
    ),
    Mutant(
        name="no-deadline",
        wrong="what is late goes on",
        change=says(cancellation.overdue, "workflows.deadline IS NOT NULL", "0"),
        noun="deadlines",
        caught_by="test_what_is_late_is_cancelled_as_it_stands",
    ),
    Mutant(
        name="early-deadline",
        wrong="what has a deadline is cancelled at once",
        change=says(cancellation.overdue, "workflows.deadline <=", "'' <="),
        noun="deadlines",
        caught_by="test_nothing_is_cancelled_before_its_deadline",
    ),
    Mutant(
        name="no-timeout",
        wrong="a timeout sets no deadline",
        change=says(claims.take_ids, "workflows.timeout IS NOT NULL", "0"),
        noun="deadlines",
        caught_by="test_a_timeout_begins_with_the_first_claim",
    ),
]
