"""Random lives of workers: they join, renew their leases, and are declared dead."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from perdure.backend import Backend, Peer, Recovery

from .pair import Pair
from .records import AT_ONCE, info
from .watch import Handed, judge

HOUR = timedelta(hours=1)
WORKFLOWS = 4
MOST_WORKERS = 12

_HISTORIES = count(1)

A_WORKER = st.sampled_from(range(MOST_WORKERS))
A_LEASE = st.sampled_from([HOUR, -HOUR])
"""A lease is long, or over already: nothing has to be waited for."""


class Members(RuleBasedStateMachine):
    """The workers of one history, and what always holds; all ids are the history's own."""

    def __init__(self, judged: Sequence[Backend]) -> None:
        super().__init__()
        number = next(_HISTORIES)
        self.prefix = f"h{number}-"
        self.ids = [f"{self.prefix}w{n}" for n in range(WORKFLOWS)]
        # Earlier than what earlier histories have left behind.
        self.later = timedelta(days=1000) - timedelta(minutes=number)
        self.workers: list[str] = []
        self.dead: set[str] = set()
        self.seen: list[tuple[list[Peer], list[Peer]]] = [([], [])]
        self.pair = Pair(judged, prefix=self.prefix)
        self.handed = Handed()
        self.barred = False

    def named(self, number: int) -> str:
        """One of the workers, dead or alive."""
        return self.workers[number % len(self.workers)]

    def acts(self, worker_id: str) -> str:
        """Whoever acts; the dead change nothing, which the invariant sees."""
        self.barred = worker_id in self.dead
        return worker_id

    def living(self, pick: int) -> str:
        """One of those who live; a new one where all are dead and there is room."""
        living = [name for name in self.workers if name not in self.dead]
        if not living and len(self.workers) < MOST_WORKERS:
            self.hire(HOUR)
            self.hold()
            living = self.workers[-1:]
        return living[pick % len(living)] if living else self.named(pick)

    @precondition(lambda self: len(self.workers) < MOST_WORKERS)
    @rule(lease=A_LEASE)
    def hire(self, lease: timedelta) -> None:
        """A new worker."""
        self.workers.append(f"{self.prefix}a{len(self.workers)}")
        self.join(len(self.workers) - 1, lease)

    @rule(worker=A_WORKER, lease=A_LEASE)
    def join(self, worker: int, lease: timedelta) -> None:
        """A worker that may be there already, or dead."""
        name = self.acts(self.named(worker))
        served = info(name, names=[self.prefix + "s"], queues=["default"])
        joined = self.pair.ask(lambda backend: backend.join(served, lease=lease))
        assert joined == (name not in self.dead)

    @rule(worker=A_WORKER, lease=A_LEASE)
    def heartbeat(self, worker: int, lease: timedelta) -> None:
        """A worker renews its lease and sees its peers."""
        name = self.acts(self.named(worker))
        seen = self.pair.heartbeat(lambda backend: backend.heartbeat(name, lease=lease))
        assert bool(seen[0]) == (name not in self.dead)
        assert not self.dead & {peer.worker_id for peer in seen[0]}
        self.seen.append(seen)

    @rule(worker=A_WORKER)
    def leave(self, worker: int) -> None:
        """A worker declares itself dead."""
        name = self.named(worker)
        self.pair.ask(lambda backend: backend.leave(name))
        self.dead.add(name)

    @rule(
        ago=st.sampled_from([1, 1, 2, 3]),
        margin=st.sampled_from([AT_ONCE, AT_ONCE, 2 * HOUR]),
        most=st.sampled_from([1, 3, 10]),
        now=st.booleans(),
    )
    def reap(self, ago: int, margin: timedelta, most: int, *, now: bool) -> None:
        """Somebody acts on what was seen just now, or some time ago."""
        recovery = Recovery(max_strikes=most, backoff=AT_ONCE if now else self.later)
        seen = self.seen[-min(ago, len(self.seen))]
        reaped = self.pair.reap(seen, recovery=recovery, margin=margin)
        assert not self.dead & set(reaped.workers), "nobody dies twice"
        self.dead.update(reaped.workers)
        owners = {self.pair.seen.workflows[one].owner for one in reaped.workflows}
        assert owners <= self.dead, "only the dead lose what they own"

    @rule(queue=st.sampled_from(["default", "elsewhere"]))
    def service(self, queue: str) -> None:
        """Somebody asks who serves what."""
        self.pair.ask(lambda backend: backend.service(self.prefix + "s", queue))

    # ---------------------------------------------------------- invariants

    @invariant()
    def hold(self) -> None:
        """Both worlds are alike, and one verb changed only what it may."""
        before, after = self.pair.look(self.ids)
        judge(before, after)
        self.handed.judge(after)
        assert before == after or not self.barred, "a dead worker changes nothing"
        self.barred = False

    def teardown(self) -> None:
        """Later histories see nothing of this one."""
        self.pair.end(self.workers)
