"""Workers: who is alive, until when, and what they serve."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from perdure.backend import Peer, WorkerInfo

_REMEMBERED = timedelta(days=1)


@attrs.frozen(kw_only=True)
class Worker:
    """A worker as the log has it."""

    id: str
    host: str
    pid: int
    code_version: str | None
    names: Sequence[str]
    queues: Sequence[str]
    lease_until: datetime
    beat: int
    dead_at: datetime | None = None

    @property
    def peer(self) -> Peer:
        """As others see it."""
        return Peer(worker_id=self.id, beat=self.beat, lease_until=self.lease_until)

    def serves(self, name: str, queue: str, *, now: datetime) -> bool:
        """Whether it may claim such a workflow soon."""
        alive = self.dead_at is None and self.lease_until >= now
        return alive and name in self.names and queue in self.queues

    def expired(self, witnessed: Sequence[Peer], *, before: datetime) -> bool:
        """Whether the lease is over, and the beat is still as somebody has seen it."""
        unchanged = any((one.worker_id, one.beat) == (self.id, self.beat) for one in witnessed)
        return self.dead_at is None and self.lease_until < before and unchanged

    def forgettable(self, *, now: datetime) -> bool:
        """Whether it is dead for so long that nothing of it can be on its way."""
        return self.dead_at is not None and self.dead_at < now - _REMEMBERED


def joined(info: WorkerInfo, before: Worker | None, *, lease_until: datetime) -> Worker:
    """A worker with what it serves now; its beat goes on."""
    beat = before.beat + 1 if before else 1
    return Worker(**attrs.asdict(info, recurse=False), lease_until=lease_until, beat=beat)
