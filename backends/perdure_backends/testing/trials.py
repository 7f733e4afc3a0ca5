"""A verb under a fault plan, judged against what it does in a world without faults.

An answer is right, or there is none; what is left behind is then the state of
before or of after; the call repeated as the engine would ends in the state of
after; and whoever dies in it, every workflow is at its end or can be claimed.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

import attrs

from perdure.backend import Backend, Lane, Recovery, WorkerInfo
from perdure.errors import BackendUnavailable, OutcomeUnknown

from .mishaps import Crash
from .plans import Plan, Tally, explore
from .statements import Place
from .world import State, World

Act = Callable[[Backend], object]

_OPEN = ("enqueued", "delayed", "waiting", "running")
_TURNS = 6
"""More than any plan has strikes."""


@attrs.frozen(kw_only=True)
class Verb:
    """A situation, a call in it, and how to tell whether it went well."""

    arrange: Callable[[World], Act]
    answers: Sequence[object] = ()
    """The right answers: of one call, and of a repeat that finds the work done."""
    mortal: bool = True
    """A crash ends the caller for good; otherwise somebody else makes the call again."""
    atomic: bool = True
    """One transaction; otherwise some rows may be as before and others as after."""
    meanwhile: Callable[[World], object] | None = None
    """What somebody else does between a failure and the next try."""
    again: Callable[[Act], Act] = lambda act: act
    """What the engine does after an unknown outcome."""
    judge: Callable[[World, object], None] | None = None
    """Tells by the tables whether an answer is right, where chance chooses the rows.

    Such a verb is not repeatable: `BackendUnavailable` means that nothing happened.
    """


class Unjust(AssertionError):
    """A verb broke its promise under a fault plan."""


def require(condition: object, complaint: str) -> None:
    """Complain unless it holds."""
    if not condition:
        raise Unjust(complaint)


@attrs.define(eq=False)
class Trial:
    """One verb in one world."""

    _world: World
    _verb: Verb
    _before: State = frozenset()
    _after: Sequence[State] = ()

    def __attrs_post_init__(self) -> None:
        self._world.clear()
        act = self._verb.arrange(self._world)
        self._before = self._world.state()
        answer = act(self._world.clean)
        self._after = [self._world.state()]
        self._judge(answer)
        if self._verb.meanwhile is not None:
            self._verb.meanwhile(self._world)
            self._after = [*self._after, self._world.state()]

    def explore(self, *, singles: int | None = None, pairs: int) -> Tally:
        """Run all plans, or a fixed sample of them."""
        return explore(self.run, self._world.manners, singles=singles, pairs=pairs)

    def run(self, plan: Plan) -> Sequence[Place]:
        """One run under a plan; answers with the places it passed.

        Raises:
            Unjust: the verb broke its promise.
        """
        try:
            return self._run(plan)
        except BaseException as error:
            error.add_note("plan: " + (", ".join(map(str, plan)) or "none"))
            raise

    def _run(self, plan: Plan) -> Sequence[Place]:
        self._world.clear()
        act = self._verb.arrange(self._world)
        meanwhile = self._verb.meanwhile
        self._world.injector.arm(
            plan, meanwhile=None if meanwhile is None else partial(meanwhile, self._world)
        )
        try:
            self._until_answered(act)
        finally:
            trace = self._world.injector.disarm()
        rescue(self._world)
        return trace

    def _until_answered(self, act: Act) -> None:
        for _ in range(_TURNS):
            try:
                self._judge(act(self._world.faulty))
            except Crash:
                self._crashed()
                if self._verb.mortal:
                    return
            except OutcomeUnknown:
                self._unanswered()
                act = self._verb.again(act)
            except BackendUnavailable:
                self._unavailable()
            else:
                return
        raise Unjust("there was never an answer")

    def _judge(self, answer: object) -> None:
        if self._verb.judge is not None:
            self._verb.judge(self._world, answer)
            return
        require(answer in self._verb.answers, f"wrong answer: {answer}")
        self._compare(self._world.state() in self._after, "after the answer")

    def _crashed(self) -> None:
        self._unanswered()
        self._world.faulty.close()

    def _unanswered(self) -> None:
        state = self._world.state()
        if self._verb.judge is not None:
            return
        if self._verb.atomic:
            self._compare(state in [self._before, *self._after], "without an answer")
        else:
            self._compare(state <= self._before.union(*self._after), "without an answer")

    def _unavailable(self) -> None:
        if self._verb.judge is None:
            self._unanswered()
        else:
            self._compare(self._world.state() == self._before, "though nothing had happened")

    def _compare(self, well: bool, when: str) -> None:  # noqa: FBT001 (it is the question)
        if not well:
            state = self._world.state()
            wrong = sorted(map(str, state.difference(self._before, *self._after)))
            raise Unjust(f"wrong state {when}: {wrong or sorted(map(str, state))}")


def rescue(world: World) -> None:
    """Let everybody die and a newcomer take over: nothing is lost, nothing runs twice."""
    started = world.epochs(*_OPEN)
    steps = world.state("workflow_steps")
    lanes = [Lane("default", "work")]
    newcomer = WorkerInfo(id="z", host="h", pid=1, code_version=None, names=["work"], queues=[])
    world.expire()
    lease = timedelta(minutes=5)
    require(world.clean.join(newcomer, lease=lease), "nobody can join")
    pulse = world.clean.heartbeat("z", lease=lease)
    require(pulse is not None, "the newcomer is dead")
    others = [peer for peer in (pulse.peers if pulse else ()) if peer.worker_id != "z"]
    patient = Recovery(max_strikes=100, backoff=timedelta(0))
    world.clean.reap(others, margin=timedelta(0), recovery=patient, limit=1000)
    world.clean.wake(limit=1000)
    taken = {
        found.id: found.epoch
        for suspects in (False, True)
        for found in world.clean.claim("z", lanes, limit=1000, suspects=suspects)
    }
    require(
        taken == {each: epoch + 1 for each, epoch in started.items()},
        f"of {started} the newcomer got {taken}",
    )
    require(world.state("workflow_steps") == steps, "records changed")
