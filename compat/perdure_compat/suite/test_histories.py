"""Histories: random calls by several workers, beside the reference, and what always holds."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import attrs
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from perdure.backend import Backend, Batch, Existing, Lane, Query, Submission
from perdure.model import WorkflowRecord

from .members import A_LEASE, A_WORKER, HOUR, MOST_WORKERS, WORKFLOWS, Members
from .pair import ALL
from .plans import Piece, Writer, plans
from .records import AT_ONCE, WHEN, job
from .watch import judge_answers, judge_author

EXAMPLES = 200
STEPS = 30

_workflow = st.sampled_from(range(WORKFLOWS))
_due = st.sampled_from(["now", "now", "past", "later", "delayed"])


class Histories(Members):
    """One history: what its workers do with its workflows."""

    def __init__(self, judged: Sequence[Backend]) -> None:
        super().__init__(judged)
        self.lanes = [Lane(self.prefix + "q", "m"), Lane(self.prefix + "q", "n")]
        self.writer = Writer(self._epoch, WHEN.replace(year=2999))
        self.written: list[tuple[str, Batch]] = []

    def _epoch(self, number: int) -> tuple[str, int]:
        found = self.pair.seen.workflows.get(self.ids[number])
        return self.ids[number], found.epoch if found else 0

    @initialize(first=A_LEASE, second=A_LEASE, due=st.sampled_from(["past", "now"]))
    def begin(self, first: timedelta, second: timedelta, due: str) -> None:
        """Two workers, and something to do, which one of them has claimed."""
        self.hire(first)
        self.hire(second)
        self.submit([0, 1, 2], due, 1, 0)
        self.hold()
        self.claim(0, 2, suspects=False, narrow=False)

    @rule(
        worker=A_WORKER,
        most=st.sampled_from([2, 10, 10]),
        now=st.booleans(),
        again=st.sampled_from([False, False, True]),
    )
    def die(self, worker: int, most: int, *, now: bool, again: bool) -> None:
        """A worker takes all there is, its lease ends, another one sees it and says so.

        Its heart may have beaten again in between, with a lease that is over too.
        """
        name = self._supply(worker)
        self.heartbeat(self.workers.index(name), -HOUR)
        self.hold()
        if len(self.workers) < MOST_WORKERS:
            self.hire(HOUR)
        self.heartbeat(self.workers.index(self.living(worker + 1)), HOUR)
        self.hold()
        if again:
            self.heartbeat(self.workers.index(name), -HOUR)
        self.reap(2 if again else 1, AT_ONCE, most, now=now)

    # ----------------------------------------------------------- workflows

    def _job(self, workflow: int, due: str, priority: int, variant: int) -> Submission:
        times: dict[str, dict[str, Any]] = {
            "past": {"run_at": WHEN + timedelta(days=workflow)},
            "later": {"run_at": WHEN.replace(year=2999)},
            "delayed": {"delay": self.later},
        }
        lane = self.lanes[variant % 2]
        return job(
            self.ids[workflow],
            queue=lane.queue,
            name=lane.name,
            priority=(workflow + priority) % 3 - 1,
            input_json=f"[{variant}]",
            **times.get(due, {}),
        )

    @rule(
        workflows=st.lists(_workflow, min_size=1, unique=True),
        due=_due,
        priority=st.integers(0, 2),
        variant=st.integers(0, 3),
    )
    def submit(self, workflows: list[int], due: str, priority: int, variant: int) -> None:
        """New ones, repeats, and others under a taken id."""
        jobs = [self._job(number, due, priority, variant) for number in workflows]
        self.pair.ask(lambda backend: backend.submit(jobs), _by_id)

    @rule(
        worker=A_WORKER,
        limit=st.sampled_from([1, 2, ALL]),
        suspects=st.booleans(),
        narrow=st.booleans(),
    )
    def claim(self, worker: int, limit: int, *, suspects: bool, narrow: bool) -> None:
        """A worker takes what is due."""
        name = self.acts(self.named(worker))
        lanes = self.lanes[:1] if narrow else self.lanes
        claimed = self.pair.claim(name, lanes, limit=limit, suspects=suspects)
        assert not (claimed and self.barred), "the dead get nothing"
        self.handed.note(name, claimed)

    @rule(worker=A_WORKER)
    def supply(self, worker: int) -> None:
        """A worker that lives, if there is one, takes everything there is, suspects too."""
        self._supply(worker)

    def _supply(self, worker: int) -> str:
        self.wake()
        self.hold()
        name = self.living(worker)
        for suspects in (False, True):
            self.claim(self.workers.index(name), ALL, suspects=suspects, narrow=False)
            self.hold()
        return name

    @rule(pick=_workflow, plan=plans(WORKFLOWS))
    def commit(self, pick: int, plan: list[Piece]) -> None:
        """An owner writes about its workflow, and about others."""
        running = self.running()
        if not running:
            self.supply(pick)
            running = self.running() or [(pick, self.named(pick))]
        number, owner = running[pick % len(running)]
        first = attrs.evolve(plan[0], workflow=number, lag=0)
        rest = [piece for piece in plan[1:] if piece.workflow != number]
        self._commit(owner, self.writer.batch([first, *rest]))

    def running(self) -> list[tuple[int, str]]:
        """The numbers of the workflows that run, and their owners."""
        found = [self.pair.seen.workflows.get(one) for one in self.ids]
        return [(n, one.owner) for n, one in enumerate(found) if one and one.owner]

    @rule(worker=A_WORKER, plan=plans(WORKFLOWS))
    def intrude(self, worker: int, plan: list[Piece]) -> None:
        """Anybody, dead or alive, writes about anything."""
        self._commit(self.named(worker), self.writer.batch(plan))

    @precondition(lambda self: bool(self.written))
    @rule(ago=st.integers(1, 4))
    def repeat(self, ago: int) -> None:
        """A batch is sent again, as after a lost answer, now or much later."""
        name, batch = self.written[-min(ago, len(self.written))]
        self._commit(name, batch)

    def _commit(self, name: str, batch: Batch) -> None:
        before = self.pair.seen
        told = self.pair.commit(self.acts(name), batch)
        assert told.fenced == (name in self.dead)
        self.written.append((name, batch))
        self.hold()
        judge_author(name, before, self.pair.seen)
        judge_answers(batch, told, self.pair.seen)

    @rule(worker=A_WORKER, known=st.frozensets(_workflow))
    def reconcile(self, worker: int, known: frozenset[int]) -> None:
        """A worker says what it runs."""
        name = self.acts(self.named(worker))
        ids = [self.ids[number] for number in known]
        self.pair.ask(lambda backend: backend.reconcile(name, ids), sorted)

    @rule()
    def wake(self) -> None:
        """What is due goes back to the queue."""
        self.pair.ask(lambda backend: backend.wake(limit=ALL))

    @rule(workflow=_workflow, lag=st.sampled_from([0, 0, 1]))
    def resume(self, workflow: int, lag: int) -> None:
        """Somebody brings a parked workflow back, at the epoch that was seen or an older one."""
        name, epoch = self._epoch(workflow)
        self.pair.ask(lambda backend: backend.resume(name, epoch=epoch - lag))

    @rule(only_ended=st.booleans())
    def read(self, *, only_ended: bool) -> None:
        """Somebody asks for what has ended, or for all that is on a queue."""
        query = Query(queue=self.prefix + "q", limit=ALL)
        self.pair.ask(lambda backend: backend.find(query), _ids)
        self.pair.ask(lambda backend: backend.load(self.ids, only_ended=only_ended), _ids)


def _by_id(told: Sequence[Existing]) -> list[Existing]:
    return sorted(told, key=lambda one: one.id)


def _ids(found: Sequence[WorkflowRecord]) -> list[str]:
    return sorted(one.id for one in found)


def test_random_histories_are_those_of_the_reference(backend: Backend, rival: Backend) -> None:
    class Here(Histories):
        def __init__(self) -> None:
            super().__init__([backend, rival])

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            database=None,
            # Explaining a failure takes minutes; a short history explains itself.
            phases=[Phase.generate, Phase.shrink],
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
