"""A history: what workers do with workflows, by chance, and what always holds of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from perdure.backend import Backend, Batch, Existing, Lane, Recovery, Submission, Transition
from perdure.clock import now
from perdure.model import Status, WorkflowRecord

from .calls import ALL, UNKNOWN, Call, Claim
from .fates import Breakage, Fate, Loss
from .letters import A_WORKFLOW, Letters
from .members import A_LEASE, A_PAUSE, A_WORKER, AT_MOST, HOUR, MOST_WORKERS, WORKFLOWS
from .plans import MESSAGES, PLACES, Piece, Writer, plans
from .records import AT_ONCE, WHEN, end, job
from .watch import judge_answers, judge_author, judge_idle, judge_settled

_due = st.sampled_from(["now", "now", "past", "later", "delayed"])
_limit = st.sampled_from(["none", "none", "child", "child", "late", "timeout", "both"])
_OLD = 3
"""So many workflows are there from the beginning, to be somebody's parents."""


_DEADLINES = {"late": WHEN, "both": WHEN.replace(year=2900)}
_TIMEOUTS = {"timeout": HOUR, "both": HOUR / 2}


class Histories(Letters):
    """One history: what its workers do with its workflows."""

    def __init__(self, judged: Sequence[Backend], breakage: Breakage | None = None) -> None:
        super().__init__(judged, breakage)
        self.lanes = [Lane(self.prefix + "q", "m"), Lane(self.prefix + "q", "n")]
        self.writer = Writer(self._epoch, WHEN.replace(year=2999))
        self.written: list[Call] = []
        self.ends = False

    def _epoch(self, number: int) -> tuple[str, int]:
        found = self.pair.seen.workflows.get(self.ids[number])
        return self.ids[number], found.epoch if found else 0

    @initialize(
        first=A_LEASE,
        second=A_LEASE,
        due=st.sampled_from(["past", "now"]),
        kind=_limit,
        ends=st.sampled_from([False, False, False, True]),
    )
    def begin(
        self, first: timedelta, second: timedelta, due: str, kind: str, *, ends: bool
    ) -> None:
        """Two workers, and something to do, which one of them has claimed."""
        self.ends = ends
        self._join(self.eye, HOUR)
        self.hire(first)
        self.hire(second)
        self.submit(list(range(_OLD)), due, 1, 0, kind, fresh=True)
        self.hold()
        self.claim(0, 2, suspects=False, narrow=False, mends=False)

    @rule(
        worker=A_WORKER,
        most=st.sampled_from([2, 10, 1]),
        pause=A_PAUSE,
        again=st.sampled_from([False, False, True]),
        times=st.sampled_from([1, 2, 3]),
        works=st.booleans(),
    )
    def die(
        self, worker: int, most: int, pause: str, times: int, *, again: bool, works: bool
    ) -> None:
        """A worker takes all there is, its lease ends, another one sees it and says so.

        Its heart may have beaten again in between, with a lease that is over too. And
        so may die whoever takes over, the last one after some work. What was
        parked comes back.
        """
        for turn in range(times):
            last = turn == times - 1
            name = self._supply(worker + turn)
            if works and last:
                self._work(name)
            wakes = last or pause != "long"
            self._die(name, worker + turn, most, pause if wakes else "none", again=again and last)
        self._revive()

    def _revive(self) -> None:
        """Whatever is parked comes back."""
        for one in self.pair.seen.workflows.values():
            if _parked(one):
                self._resume(one.id, one.epoch)
                self.hold()

    def _work(self, name: str) -> None:
        """A worker records a step of all it owns, at a place of its epoch's own."""
        mine = [number for number, owner in self.running() if owner == name]
        pieces = [
            Piece(number, 0, self._place(number), frozenset(), None, takes=number % MESSAGES)
            for number in mine
        ]
        self._commit(name, self.writer.batch(pieces))

    def _place(self, number: int) -> frozenset[int]:
        return frozenset({self._epoch(number)[1] % len(PLACES)})

    def _die(self, name: str, worker: int, most: int, pause: str, *, again: bool) -> None:
        self._beat(name, -HOUR)
        self.hold()
        if len(self.workers) < MOST_WORKERS:
            self.hire(HOUR)
        self._beat(self.living(worker + 1), HOUR)
        self.hold()
        if again:
            self._beat(name, -HOUR)
        self.reap(2 if again else 1, AT_ONCE, most, pause, ALL)
        self.hold()

    # ----------------------------------------------------------- workflows

    def _job(
        self, workflow: int, due: str, priority: int, variant: int, kind: str, *, fresh: bool
    ) -> Submission:
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
            parent_id=self.ids[(workflow + 1) % _OLD] if kind != "none" else None,
            detached=variant > 1,
            fresh=fresh,
            deadline=_DEADLINES.get(kind),
            timeout=_TIMEOUTS.get(kind),
            **times.get(due, {}),
        )

    @rule(
        workflows=st.lists(A_WORKFLOW, min_size=1, unique=True),
        due=_due,
        priority=st.integers(0, 2),
        variant=st.integers(0, 3),
        kind=_limit,
        fresh=st.booleans(),
    )
    def submit(
        self, workflows: list[int], due: str, priority: int, variant: int, kind: str, *, fresh: bool
    ) -> None:
        """New ones, repeats, and others under a taken id."""
        jobs = [
            self._job(number, due, priority, variant, kind, fresh=fresh) for number in workflows
        ]
        self.ask(Call(verb="submit", args=(jobs,), tidy=_by_id))

    @rule(
        worker=A_WORKER,
        limit=st.sampled_from([1, 2, ALL]),
        suspects=st.booleans(),
        narrow=st.booleans(),
        mends=st.booleans(),
    )
    def claim(self, worker: int, limit: int, *, suspects: bool, narrow: bool, mends: bool) -> None:
        """A worker takes what is due; without an answer, it may say what it knows of."""
        name, before = self.named(worker), self.pair.fresh
        lanes = self.lanes[:1] if narrow else self.lanes
        told = self.ask(
            Claim(
                args=(name, lanes),
                how={"limit": limit, "suspects": suspects},
                worker=name,
                ordered=self.pair.ordered,
            )
        )
        if told is UNKNOWN:
            if mends:
                self._reconcile(name, self.handed.to(name))
            return
        assert len(told) <= limit, "no more than were asked for"
        if before and not told and name in self.pair.living():
            judge_idle(before, lanes, suspects=suspects)

    @precondition(lambda self: bool(self.dead))
    @rule(pick=A_WORKER, first=st.sampled_from(["join", "heartbeat", "claim"]))
    def haunt(self, pick: int, first: str) -> None:
        """A dead worker does not know that it is dead, and wants to work."""
        name = sorted(self.dead)[pick % len(self.dead)]
        if first == "join":
            self._join(name, HOUR)
        if first == "heartbeat":
            self._beat(name, HOUR)
        self.wake(ALL)
        self.hold()
        self.claim(self.workers.index(name), ALL, suspects=False, narrow=False, mends=False)

    @precondition(lambda self: self.pair.breakage)
    @rule(worker=A_WORKER, limit=AT_MOST, pick=st.integers(0, 40))
    def grab(self, worker: int, limit: int, pick: int) -> None:
        """A claim that could take something fails in the middle."""
        self.submit([0, 1, 2, 3], "now", 0, 0, "none", fresh=False)
        self.wake(ALL)
        self.hold()
        name = self.living(worker)
        self.pair.fate = Fate(loss=Loss.STRUCK, pick=pick)
        number = self.workers.index(name)
        self.claim(number, limit, suspects=False, narrow=False, mends=True)

    @rule(worker=A_WORKER)
    def supply(self, worker: int) -> None:
        """A worker that lives, if there is one, takes everything there is, suspects too."""
        self._supply(worker)

    def _supply(self, worker: int) -> str:
        self.wake(ALL)
        self.hold()
        name = self.living(worker)
        for suspects in (False, True):
            number = self.workers.index(name)
            self.claim(number, ALL, suspects=suspects, narrow=False, mends=True)
            self.hold()
        return name

    @rule(pick=A_WORKFLOW, wanted=st.lists(plans(WORKFLOWS), min_size=1, max_size=3))
    def commit(self, pick: int, wanted: list[list[Piece]]) -> None:
        """Owners write about their workflows, and about others."""
        for plan in wanted:
            self._record(pick, plan)

    def _record(self, pick: int, plan: list[Piece]) -> None:
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
        self._write(self.written[-min(ago, len(self.written))])

    def _commit(self, name: str, batch: Batch) -> None:
        self._write(Call(verb="commit", args=(name, batch), worker=name))

    def _write(self, call: Call) -> None:
        name, batch = call.args
        before, barred = self.pair.fresh, name in self.dead
        told = self.ask(call)
        self.written.append(call)
        if told is UNKNOWN:
            return
        assert told.fenced or not barred, "a dead worker writes nothing"
        self.hold()
        if before is not None and self.pair.fresh is not None:
            judge_author(name, before, self.pair.fresh)
            judge_answers(batch, told, self.pair.fresh)

    @rule(worker=A_WORKER, limit=AT_MOST)
    def nap(self, worker: int, limit: int) -> None:
        """All that a worker owns is suspended until times that are over, and some of it woken."""
        name = self._supply(worker)
        mine = [number for number, owner in self.running() if owner == name]
        self._commit(name, Batch(transitions=[self._suspended(number) for number in mine]))
        self.wake(limit)

    @rule(
        worker=A_WORKER,
        more=st.sampled_from([1, 1, 0, 2]),
        comes=st.sampled_from(["message", "request", "both", "nothing"]),
        first=st.booleans(),
        knows=st.booleans(),
    )
    def doze(self, worker: int, more: int, comes: str, *, first: bool, knows: bool) -> None:
        """All that a worker owns waits for what comes, before that or after."""
        name = self._supply(worker)
        mine = [number for number, owner in self.running() if owner == name]
        if first:
            self._come(mine, comes)
        ends = [self._dozing(number, more, knows=knows) for number in mine]
        self._commit(name, Batch(transitions=ends))
        if not first:
            self._come(mine, comes)
        self.wake(ALL)

    def _come(self, mine: list[int], what: str) -> None:
        if mine and what in ("message", "both"):
            self.send(mine[:2], len(mine) - 1, "s")
            self.wake(ALL)
        if mine and what in ("request", "both"):
            self.cancel(mine[-1], 0)

    def _dozing(self, number: int, more: int, *, knows: bool) -> Transition:
        name, epoch = self._epoch(number)
        wake_at = self.pair.seen.workflows[name].wake + more
        return end(name, Status.WAITING, epoch=epoch, wake_at=wake_at, cancelling=knows)

    def _suspended(self, number: int) -> Transition:
        name, epoch = self._epoch(number)
        due = WHEN + timedelta(days=(3 * number + epoch) % 5)
        return end(name, Status.WAITING, epoch=epoch, run_at=due)

    @rule(worker=A_WORKER, known=st.frozensets(A_WORKFLOW), any_one=st.booleans())
    def reconcile(self, worker: int, known: frozenset[int], *, any_one: bool) -> None:
        """A worker, most often one that owns something, says what it runs."""
        owners = [] if any_one else [owner for _, owner in self.running()]
        name = owners[worker % len(owners)] if owners else self.named(worker)
        self._reconcile(name, [self.ids[number] for number in sorted(known)])

    def _reconcile(self, name: str, known: Sequence[str]) -> None:
        told = self.ask(Call(verb="reconcile", args=(name, known), worker=name, tidy=sorted))
        self.hold()
        if told is not UNKNOWN and self.pair.fresh and name in self.pair.living():
            mine = {one.id for one in self.pair.fresh.workflows.values() if one.owner == name}
            assert mine <= set(known), "a worker owns nothing that it does not know of"

    @rule(workflow=A_WORKFLOW, lag=st.sampled_from([0, 0, 1]), any_one=st.booleans())
    def resume(self, workflow: int, lag: int, *, any_one: bool) -> None:
        """Somebody brings a parked workflow back, at the epoch that was seen or an older one."""
        seen = self.pair.seen.workflows
        parked = [n for n, one in enumerate(self.ids) if _parked(seen.get(one))]
        picked = workflow if any_one or not parked else parked[workflow % len(parked)]
        name, epoch = self._epoch(picked)
        self._resume(name, epoch - lag)

    def _resume(self, name: str, epoch: int) -> None:
        self.ask(Call(verb="resume", args=(name,), how={"epoch": epoch}))

    # ----------------------------------------------------------------- end

    def teardown(self) -> None:
        """Some histories go on until everything has ended."""
        try:
            if self.ends and self.sound:
                self._settle()
            if self.sound:
                self.pair.fate = None
                self.hear_all()
        finally:
            super().teardown()

    def _settle(self) -> None:
        self.pair.fate, self.blind = None, 0
        for name in self.workers:
            if name not in self.dead:
                self.ask(Call(verb="leave", args=(name,), worker=name))
        patient = Recovery(max_strikes=100, backoff=AT_ONCE)
        self._reap(0, margin=AT_ONCE, recovery=patient, limit=ALL)
        self.drain()
        self._look()
        self._revive()
        self._finish()
        self._look()
        judge_settled(self.pair.seen, now=now())

    def _finish(self) -> None:
        self.workers.append(f"{self.prefix}last")
        self._join(self.workers[-1], HOUR)
        for suspects in (False, True):
            self.claim(-1, ALL, suspects=suspects, narrow=False, mends=False)
        self._look()
        mine = [one for one in self.pair.seen.workflows.values() if one.owner]
        ends = [end(one.id, Status.SUCCESS, epoch=one.epoch) for one in mine]
        self._commit(self.workers[-1], Batch(transitions=ends))


def _parked(workflow: WorkflowRecord | None) -> bool:
    return workflow is not None and workflow.status is Status.PARKED


def _by_id(told: Sequence[Existing]) -> list[Existing]:
    return sorted(told, key=lambda one: one.id)
