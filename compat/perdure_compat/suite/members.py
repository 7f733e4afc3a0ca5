"""Random lives of workers: they join, renew their leases, and are declared dead."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from perdure.backend import Backend, Recovery

from .calls import ALL, UNKNOWN, Call, Claim, Heartbeat, Reap
from .fates import Breakage, Fate, Loss
from .likeness import alike
from .pair import Pair
from .records import AT_ONCE, info
from .watch import Handed, judge, judge_span

HOUR = timedelta(hours=1)
WORKFLOWS = 4
MOST_WORKERS = 12
MOST_WORLDS = 4

_HISTORIES = count(1)

A_WORKER = st.sampled_from(range(MOST_WORKERS))
A_LEASE = st.sampled_from([HOUR, -HOUR])
"""A lease is long, or over already: nothing has to be waited for."""
AT_MOST = st.sampled_from([ALL, ALL, 1, 2])
_TIMES = st.sampled_from([1, 2, 4, 8])
_GAP = st.sampled_from([0, 1, 3])
_BLIND = st.sampled_from([0, 2, 4, 8])
A_PAUSE = st.sampled_from(["none", "negative", "long"])

REFUSED: dict[str, Any] = {"join": False, "heartbeat": None, "claim": [], "reconcile": []}


class Members(RuleBasedStateMachine):
    """The workers of one history, and what always holds; all ids are the history's own."""

    def __init__(self, judged: Sequence[Backend], breakage: Breakage | None = None) -> None:
        super().__init__()
        number = next(_HISTORIES)
        self.prefix = f"h{number}-"
        self.ids = [f"{self.prefix}w{n}" for n in range(WORKFLOWS)]
        # Earlier than what earlier histories have left behind.
        self.later = timedelta(days=1000) - timedelta(minutes=number)
        self.workers: list[str] = []
        self.eye = f"{self.prefix}eye"
        self.dead: set[str] = set()
        self.earlier: list[Call] = []
        self.pair = Pair(judged, self.ids, breakage=breakage)
        self.handed = Handed()
        self.blind = 0
        self.barred = True
        self.sound = True
        """Nothing has been found wrong."""

    def ask(self, call: Call) -> Any:
        """Make a call; its answer, or `UNKNOWN`."""
        self.sound = False
        dead, fresh = call.worker in self.dead, self.pair.fresh
        told = self.pair.ask(call)
        if not call.reads:
            self.barred = dead and (self.barred or fresh is not None)
        if call.repeatable and not call.reads:
            self.earlier.append(call)
        if isinstance(call, Claim):
            self.handed.note(call.worker or "", None if told is UNKNOWN else told)
        if dead and call.verb in REFUSED and told is not UNKNOWN:
            assert alike(told, REFUSED[call.verb]), "a dead worker is refused"
        self._bury()
        return told

    def _bury(self) -> None:
        dead = self.pair.dead()
        assert self.dead <= dead, "the dead never come back"
        self.dead = dead

    def named(self, number: int) -> str:
        """One of the workers, dead or alive."""
        return self.workers[number % len(self.workers)]

    def living(self, pick: int) -> str:
        """One of those who live; a new one where all are dead and there is room."""
        living = [name for name in self.workers if name not in self.dead]
        if not living and len(self.workers) < MOST_WORKERS:
            self.hire(HOUR)
            self.hold()
            living = self.workers[-1:]
        return living[pick % len(living)] if living else self.named(pick)

    # -------------------------------------------------------------- fates

    @precondition(lambda self: self.pair.fate is None)
    @rule(
        loss=st.sampled_from([Loss.BEFORE, Loss.AFTER]),
        again=st.booleans(),
        times=_TIMES,
        gap=_GAP,
        blind=_BLIND,
    )
    def lose(self, loss: Loss, times: int, gap: int, blind: int, *, again: bool) -> None:
        """Some of the next calls are lost, and maybe repeated; nobody looks for a while."""
        self.pair.fate = Fate(loss=loss, times=times, gap=gap, again=again)
        self.blind = blind

    @precondition(lambda self: self.pair.breakage and self.pair.fate is None)
    @rule(
        pick=st.integers(0, 200),
        again=st.booleans(),
        times=_TIMES,
        gap=_GAP,
        blind=_BLIND,
    )
    def strike(self, pick: int, times: int, gap: int, blind: int, *, again: bool) -> None:
        """Something fails in the middle of some of the next calls."""
        self.pair.fate = Fate(loss=Loss.STRUCK, times=times, gap=gap, again=again, pick=pick)
        self.blind = blind

    @precondition(lambda self: bool(self.earlier))
    @rule(ago=st.integers(1, 12))
    def arrive_late(self, ago: int) -> None:
        """A copy of an earlier call arrives after other things have happened."""
        self.ask(self.earlier[-min(ago, len(self.earlier))])

    # --------------------------------------------------------------- lives

    @precondition(lambda self: len(self.workers) < MOST_WORKERS)
    @rule(lease=A_LEASE)
    def hire(self, lease: timedelta) -> None:
        """A new worker."""
        self.workers.append(f"{self.prefix}a{len(self.workers)}")
        self.join(len(self.workers) - 1, lease)

    @rule(worker=A_WORKER, lease=A_LEASE)
    def join(self, worker: int, lease: timedelta) -> None:
        """A worker that may be there already, or dead."""
        self._join(self.named(worker), lease)

    def _join(self, name: str, lease: timedelta) -> None:
        served = info(name, names=[self.prefix + "s"], queues=["default"])
        self.ask(Call(verb="join", args=(served,), how={"lease": lease}, worker=name))

    @rule(worker=A_WORKER, lease=A_LEASE)
    def heartbeat(self, worker: int, lease: timedelta) -> None:
        """A worker renews its lease and sees its peers."""
        self._beat(self.named(worker), lease)

    def _beat(self, name: str, lease: timedelta) -> None:
        call = Heartbeat(args=(name,), how={"lease": lease}, worker=name, prefix=self.prefix)
        told = self.ask(call)
        if told is UNKNOWN or told is None:
            return
        peers = {peer.worker_id for peer in call.mine(told)}
        assert not self.dead & peers, "the dead are nobody's peers"
        assert name in peers, "who beats lives"

    @rule(worker=A_WORKER)
    def leave(self, worker: int) -> None:
        """A worker declares itself dead."""
        name = self.named(worker)
        self.ask(Call(verb="leave", args=(name,), worker=name))

    @rule(
        ago=st.sampled_from([1, 1, 2, 3]),
        margin=st.sampled_from([AT_ONCE, AT_ONCE, 2 * HOUR]),
        most=st.sampled_from([1, 3, 10]),
        pause=A_PAUSE,
        limit=AT_MOST,
    )
    def reap(self, ago: int, margin: timedelta, most: int, pause: str, limit: int) -> None:
        """Somebody acts on what was seen just now, or some time ago."""
        # Below zero: nobody has to wait, and one can see how long it would have been.
        backoff = {"none": AT_ONCE, "negative": -HOUR, "long": self.later}[pause]
        recovery = Recovery(max_strikes=most, backoff=backoff)
        seen = max(0, len(self.pair.witnessed) - ago)
        self._reap(seen, margin=margin, recovery=recovery, limit=limit)

    def _reap(self, seen: int, **how: Any) -> None:
        before, dead = self.pair.fresh, self.dead
        told = self.ask(Reap(args=(self.pair.witnessed[seen],), how=how, witness=seen))
        if told is UNKNOWN:
            return
        assert not dead & set(told.workers), "nobody dies twice"
        assert len(told.workflows) <= how["limit"], "no more than were asked for"
        if before is not None:
            owners = {before.workflows[one].owner for one in told.workflows}
            assert owners <= self.dead, "only the dead lose what they own"

    def service(self, queue: str) -> None:
        """Somebody asks who serves what."""
        self.ask(Call(verb="service", args=(self.prefix + "s", queue), reads=True))

    # ---------------------------------------------------------- invariants

    @invariant()
    def stand(self) -> None:
        """What holds after each step."""
        self.hold()
        self.sound = True

    def hold(self) -> None:
        """Some possible world is what is there, and what was called changed only what it may."""
        if not self.pair.since:
            return
        if self.blind and len(self.pair.worlds) <= MOST_WORLDS:
            self.blind -= 1
            return
        self._look()
        if len(self.pair.worlds) > MOST_WORLDS:
            self._beat(self.eye, HOUR)

    def _look(self) -> None:
        calls = len(self.pair.since)
        before, after = self.pair.look()
        if calls == 1:
            judge(before, after)
        judge_span(before, after)
        self.handed.judge(after)
        assert before == after or not self.barred, "a dead worker changes nothing"

    def teardown(self) -> None:
        """Later histories see nothing of this one."""
        self.pair.end([*self.workers, self.eye])
