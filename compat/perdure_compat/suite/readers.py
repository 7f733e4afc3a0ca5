"""Random readers: somebody looks at what there is, and sees what the reference shows."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from perdure.backend import Query
from perdure.mail import EventKey, Published, Sight, Watch
from perdure.model import Message, Status, WorkflowRecord
from perdure.streams import Item, Reading

from .calls import ALL, UNKNOWN, Call
from .likeness import reason_of, worded
from .members import A_WORKER, Members
from .plans import STREAMS, WORDS

TOPICS = ("t", "u")


class Readers(Members):
    """Who only looks, in one history."""

    @rule(asked=st.sampled_from(["service", "all", "ended", "states"]))
    def read(self, asked: str) -> None:
        """Somebody asks who serves what, or what is on a queue, has ended, or is in which state."""
        if asked == "service":
            self.service("default")
            self.service("elsewhere")
        elif asked == "states":
            self._count()
        else:
            self._find(only_ended=asked == "ended")

    def _find(self, *, only_ended: bool) -> None:
        query = Query(queue=self.prefix + "q", limit=ALL)
        how = {"only_ended": only_ended}
        self.ask(Call(verb="find", args=(query,), tidy=_records, reads=True))
        self.ask(Call(verb="load", args=(self.ids,), how=how, tidy=_records, reads=True))

    def _count(self) -> None:
        pages = [self._in(status) for status in Status]
        if any(page is UNKNOWN for page in pages):
            return
        found = [one.id for page in pages for one in page]
        assert len(found) == len(set(found)), "a workflow is in one state"
        if self.pair.fresh:
            assert set(found) == self.pair.fresh.workflows.keys(), "each workflow is in a state"

    def _in(self, status: Status) -> Any:
        query = Query(queue=self.prefix + "q", statuses=[status], limit=ALL)
        return self.ask(Call(verb="find", args=(query,), tidy=_records, reads=True))

    def hear_all(self) -> None:
        """What has come, as any history ends."""
        self.hear("messages", 0)
        self.hear("events", 0)

    @rule(asked=st.sampled_from(["messages", "events", "requests"]), worker=A_WORKER)
    def hear(self, asked: str, worker: int) -> None:
        """Somebody looks what has come."""
        if asked == "messages":
            watches = [Watch(workflow_id=one, topics=TOPICS) for one in self.ids]
            how = {"limit": ALL}
            self.ask(Call(verb="look", args=(watches,), how=how, tidy=_sights, reads=True))
        elif asked == "events":
            keys = [EventKey(one, "charge") for one in self.ids]
            self.ask(Call(verb="events", args=(keys,), tidy=_by_key, reads=True))
        else:
            name = self.named(worker)
            self.ask(Call(verb="requests", args=(name,), tidy=_reasons, reads=True))

    @rule(
        streams=st.lists(st.sampled_from(STREAMS), min_size=1, unique=True),
        after=st.sampled_from([-1, 0, 1, 2, 3]),
        limit=st.sampled_from([1, 2, ALL]),
    )
    def follow(self, streams: list[str], after: int, limit: int) -> None:
        """Somebody reads what workflows wrote, from somewhere."""
        readings = [
            Reading(workflow_id=one, stream=name, after=after)
            for one in self.ids
            for name in streams
        ]
        how = {"limit": limit}
        self.ask(Call(verb="read", args=(readings,), how=how, tidy=_by_stream, reads=True))


def _records(found: Sequence[WorkflowRecord]) -> list[WorkflowRecord]:
    return sorted((worded(one, ours=WORDS) for one in found), key=lambda one: one.id)


def _sights(told: Sequence[Sight]) -> Mapping[str, object]:
    """What has come, sender by sender: who was first of two that did not know of each other?"""
    return {
        one.workflow_id: (
            one.wake,
            reason_of(one.cancel_reason),
            {each.sender: _from(one.messages, each.sender) for each in one.messages},
        )
        for one in told
    }


def _from(messages: Collection[Message], sender: str) -> list[Message]:
    return [one for one in messages if one.sender == sender]


def _by_key(told: Sequence[Published]) -> Mapping[EventKey, str | None]:
    return {one.key: one.value_json for one in told}


def _reasons(told: Mapping[str, str]) -> Mapping[str, str | None]:
    return {key: reason_of(reason) for key, reason in told.items()}


def _by_stream(told: Sequence[Item]) -> Mapping[tuple[str, str], Sequence[Item]]:
    """Each stream in its order; that of several streams is the backend's choice."""
    every = {(one.workflow_id, one.stream) for one in told}
    return {
        (workflow, stream): [
            one for one in told if (one.workflow_id, one.stream) == (workflow, stream)
        ]
        for workflow, stream in every
    }
