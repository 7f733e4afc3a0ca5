"""One run's own corner of a database: its actors and workflows, and what is to be seen of them.

All ids, names and queues of a scene are its own, so that many runs share one
database; its verbs and what it shows leave that out. Everything goes over the
seam, by a backend that nothing disturbs.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import attrs

from perdure.backend import (
    Backend,
    Lane,
    Peer,
    Pulse,
    Query,
    Recovery,
    Submission,
    Transition,
    WorkerInfo,
)
from perdure.mail import Sight, Watch
from perdure.model import Message, Status, StepRecord, Wait, WorkflowRecord
from perdure.streams import Item

from .likeness import reason_of
from .records import AT_ONCE, LEASE, end, finish, info, item, job, message, read, record, step, wait

State: TypeAlias = frozenset[tuple[object, ...]]
"""What is to be seen, without clocks and counters of beats."""

OVER = -LEASE
"""A lease that has run out already."""
SOON = Recovery(max_strikes=100, backoff=OVER)
"""What is recovered is due at once, whatever its strikes and whichever clock says so."""
OBSERVER = "observer"
"""A worker beside all runs, which lives."""


class Unjust(AssertionError):
    """A verb broke its promise under a fault plan."""


def require(condition: object, complaint: str) -> None:
    """Complain unless it holds."""
    if not condition:
        raise Unjust(complaint)


_SUMMARIES = ("orphans", "service")


def rows(*states: State) -> State:
    """All rows of these, without what sums up several of them."""
    return frozenset(row for state in states for row in state if row[0] not in _SUMMARIES)


@attrs.define(kw_only=True, eq=False)
class Scene:
    """What one run acts on and looks at."""

    clean: Backend
    prefix: str
    told: dict[tuple[str, int], str] = attrs.field(factory=dict[tuple[str, int], str])
    """Who was ever given which epoch of a workflow."""
    there: set[str] = attrs.field(factory=set[str])
    """The workflows that must never disappear."""
    heeds: bool = False
    """Whether wake-ups are applied before a look, which shows then whether they were written."""
    aside: object = None
    """What another actor was told."""

    def full(self, word: str) -> str:
        """The id of what the run calls so."""
        return word if word == OBSERVER else self.prefix + word

    def plain(self, id: str) -> str:
        """What the run calls this."""
        return id.removeprefix(self.prefix)

    @property
    def lane(self) -> Lane:
        """Where the run's workflows stand."""
        return Lane(self.full("default"), self.full("work"))

    # ------------------------------------------------------------- records

    def job(self, word: str, **changes: Any) -> Submission:
        """A submission to the lane."""
        return job(self.full(word), name=self.lane.name, queue=self.lane.queue, **changes)

    def step(self, word: str, seq: int = 1, **changes: Any) -> StepRecord:
        """A step with the output that it would have in any scene."""
        output = {"output_json": f'["{word}", {seq}]'}
        return step(self.full(word), seq, **(output | changes))

    def wait(self, word: str, **changes: Any) -> Wait:
        """A sleep that was reached."""
        return wait(self.full(word), **changes)

    def item(self, word: str, offset: int = 0, **changes: Any) -> Item:
        """An item of a stream with the value that it would have in any scene."""
        value = {"value_json": f'["{word}", {offset}]'}
        return item(self.full(word), offset, **(value | changes))

    def end(self, word: str, status: Status = Status.SUCCESS, **changes: Any) -> Transition:
        """The owner lets go."""
        return end(self.full(word), status, **changes)

    def message(self, word: str, message_id: str) -> Message:
        """A message to one of the run's workflows."""
        return message(self.full(word), message_id, body_json=None)

    # ----------------------------------------------------------------- acts

    def join(self, *words: str, over: bool = False) -> None:
        """Let workers of the lane join; `over`: their leases have run out."""
        for word in words:
            lease = OVER if over else LEASE
            served = self.serving(word)
            assert self.clean.join(served, lease=lease)

    def serving(self, word: str) -> WorkerInfo:
        """A worker of the lane."""
        return info(self.full(word), names=[self.lane.name], queues=[self.lane.queue])

    def submit(self, *words: str, **changes: Any) -> None:
        """Submit workflows that are new."""
        assert not self.clean.submit([self.job(word, **changes) for word in words])
        self.there.update(words)

    def claim(self, word: str, *, suspects: bool = False) -> dict[str, int]:
        """Let a worker claim all there is in the lane."""
        found = self.clean.claim(self.full(word), [self.lane], limit=1000, suspects=suspects)
        return self.hand(word, {self.plain(one.id): one.epoch for one in found})

    def hand(self, word: str, claimed: dict[str, int]) -> dict[str, int]:
        """A worker was told that it has claimed these."""
        for key in claimed.items():
            require(key not in self.told, f"{key} was handed out twice")
            self.told[key] = word
        return claimed

    def own(self, owner: str, *words: str) -> None:
        """Submit workflows and let a worker claim them; nothing else may be enqueued."""
        self.submit(*words)
        assert sorted(self.claim(owner)) == sorted(words)

    def record(self, owner: str, *steps: StepRecord) -> None:
        """Let the owner record steps."""
        assert not record(self.clean, self.full(owner), *steps).fenced

    def finish(self, owner: str, *transitions: Transition) -> None:
        """Let the owner let go."""
        wanted = [each.status for each in transitions]
        assert list(finish(self.clean, self.full(owner), *transitions).transitions) == wanted

    def reap(self, *words: str) -> None:
        """Declare dead whose lease is over, and free what they own."""
        self.clean.reap(self.peers(*words), margin=AT_ONCE, recovery=SOON, limit=1000)

    def wake(self) -> None:
        """Apply what was written for others, and wake who is due, until nothing is left."""
        for _ in range(2):
            self.clean.wake(limit=1000)

    # ----------------------------------------------------------------- looks

    def peers(self, *words: str) -> list[Peer]:
        """These workers, or all of the run's, as far as they live."""
        wanted = {self.full(word) for word in words}
        ours = self.ours(self.pulse())
        return [peer for peer in ours if not wanted or peer.worker_id in wanted]

    def lives(self, word: str) -> bool:
        """Whether nobody declared this worker dead."""
        return bool(self.peers(word))

    def workflows(self) -> list[WorkflowRecord]:
        """All workflows of the run."""
        return list(self.clean.find(Query(name=self.lane.name, limit=1000)))

    def epochs(self, *statuses: Status, owner: str | None = None) -> dict[str, int]:
        """Words and epochs of the workflows in these statuses, or of one owner."""
        by = None if owner is None else self.full(owner)
        return {
            self.plain(one.id): one.epoch
            for one in self.workflows()
            if (not statuses or one.status in statuses) and (by is None or one.owner == by)
        }

    def state(self) -> State:
        """Everything that the verbs show of the run."""
        if self.heeds:
            self.wake()
        pulse = self.pulse()
        found = self.workflows()
        service = self.clean.service(self.lane.name, self.lane.queue)
        return frozenset(
            [
                ("service", service.known, service.live),
                ("orphans", pulse.orphans),
                *(("alive", *self._alive(peer, pulse)) for peer in self.ours(pulse)),
                *(("workflow", *self._standing(one)) for one in found),
                *(("mail", self.plain(one.workflow_id), *_ids(one)) for one in self._sights(found)),
                *self.records(),
            ]
        )

    def records(self) -> Iterator[tuple[object, ...]]:
        """All that is recorded of the run's workflows."""
        every = [one.id for one in self.workflows()]
        for history in self.clean.history(every):
            word = self.plain(history.workflow_id)
            for one in history.steps:
                yield ("step", attrs.evolve(one, workflow_id=word))
            for sleep in history.waits:
                yield ("wait", attrs.evolve(sleep, workflow_id=word))
        for each in every:
            for written in read(self.clean, each):
                yield ("item", attrs.evolve(written, workflow_id=self.plain(each)))

    def pulse(self) -> Pulse:
        """What the observer sees of everybody."""
        pulse = self.clean.heartbeat(OBSERVER, lease=LEASE)
        assert pulse, "the observer never dies"
        return pulse

    def ours(self, pulse: Pulse) -> list[Peer]:
        """The run's own among them."""
        return [peer for peer in pulse.peers if peer.worker_id.startswith(self.prefix)]

    def _sights(self, found: Sequence[WorkflowRecord]) -> Sequence[Sight]:
        watches = [Watch(workflow_id=one.id, topics=["topic"]) for one in found]
        return self.clean.look(watches, limit=1000)

    def _alive(self, peer: Peer, pulse: Pulse) -> tuple[object, ...]:
        return (self.plain(peer.worker_id), peer.lease_until > pulse.now)

    def _standing(self, one: WorkflowRecord) -> tuple[object, ...]:
        owner = None if one.owner is None else self.plain(one.owner)
        results = (one.output_json, one.error_json, one.error_message)
        times = (one.started_at is not None, one.completed_at is not None)
        counts = (one.epoch, one.recoveries, one.strikes, one.wake)
        asked = (one.cancel_requested_at is not None, reason_of(one.cancel_reason))
        return (self.plain(one.id), one.status, owner, *counts, *results, *times, *asked)


def _ids(sight: Sight) -> list[str]:
    return [one.id for one in sight.messages]
