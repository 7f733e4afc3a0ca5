"""Workers: what becomes of one at each verb, as pure functions."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from perdure.backend import Peer, WorkerInfo

_REMEMBERED = timedelta(days=1)


@attrs.frozen(kw_only=True)
class Worker:
    """A row of the table of workers."""

    info: WorkerInfo
    lease_until: datetime
    beat: int = 1
    dead_at: datetime | None = None

    @property
    def alive(self) -> bool:
        """Not declared dead; its lease may be over all the same."""
        return self.dead_at is None


def joined(before: Worker | None, info: WorkerInfo, *, lease_until: datetime) -> Worker | None:
    """The worker with what it serves now; None if it is dead."""
    if before is None:
        return Worker(info=info, lease_until=lease_until)
    if not before.alive:
        return None
    return attrs.evolve(renewed(before, lease_until=lease_until), info=info)


def renewed(worker: Worker, *, lease_until: datetime) -> Worker:
    """One more beat, and a lease that may begin after the last one's end."""
    return attrs.evolve(worker, lease_until=lease_until, beat=worker.beat + 1)


def died(worker: Worker, *, now: datetime) -> Worker:
    """Dead for good; the first death counts."""
    return worker if worker.dead_at else attrs.evolve(worker, dead_at=now)


def expired(worker: Worker, witnessed: Sequence[Peer], *, before: datetime) -> bool:
    """Whether both witnesses agree: the lease is over, and the beat is as it was seen."""
    seen = {(peer.worker_id, peer.beat) for peer in witnessed}
    unchanged = (worker.info.id, worker.beat) in seen
    return worker.alive and worker.lease_until < before and unchanged


def forgettable(worker: Worker, *, now: datetime) -> bool:
    """Whether it has been dead for so long that nothing of it can be on its way."""
    return worker.dead_at is not None and worker.dead_at < now - _REMEMBERED


def serves(worker: Worker, name: str, queue: str, *, now: datetime) -> bool:
    """Whether it can be expected to claim such a workflow soon."""
    served = name in worker.info.names and queue in worker.info.queues
    return served and worker.alive and worker.lease_until >= now


def peer(worker: Worker) -> Peer:
    """The worker as others see it."""
    return Peer(worker_id=worker.info.id, beat=worker.beat, lease_until=worker.lease_until)
