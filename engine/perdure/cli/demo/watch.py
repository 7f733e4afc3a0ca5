"""Looking at the demo's workflows while they run."""

import time
from collections.abc import Sequence

import attrs

from perdure.engine import Engine
from perdure.model import ENDED, History, Status, WorkflowRecord

from .failure import DemoFailed
from .fleet import WorkerProcess

_CHUNK = 500
_PATIENCE = 60.0
"""Seconds without any progress after which the demo gives up."""


@attrs.frozen
class View:
    """The workflows at one moment."""

    records: Sequence[WorkflowRecord]

    @property
    def done(self) -> int:
        """How many have ended."""
        return sum(record.status in ENDED for record in self.records)

    @property
    def recovered(self) -> int:
        """How many a dead worker left behind and another took over."""
        return sum(record.recoveries > 0 for record in self.records)

    def held_by(self, worker: WorkerProcess) -> int:
        """How many are running in that process."""
        return sum(
            record.status is Status.RUNNING and worker.owns(record.owner) for record in self.records
        )


@attrs.define
class Watch:
    """Looks by primary key, so that a large table costs nothing, and notices a standstill."""

    engine: Engine
    ids: Sequence[str]
    _done: int = attrs.field(default=-1, init=False)
    _moved: float = attrs.field(default=0.0, init=False)

    def look(self) -> View:
        """The workflows now.

        Raises:
            DemoFailed: none has ended for a minute.
        """
        view = View([record for ids in self._chunks() for record in self._load(ids)])
        if view.done != self._done:
            self._done, self._moved = view.done, time.monotonic()
        elif time.monotonic() - self._moved > _PATIENCE:
            raise DemoFailed(
                f"no workflow has ended for {_PATIENCE:.0f} s; {view.done} of {len(self.ids)} have"
            )
        return view

    def histories(self) -> list[History]:
        """What is recorded of all of them."""
        return [history for ids in self._chunks() for history in self._history(ids)]

    def _chunks(self) -> list[Sequence[str]]:
        return [self.ids[i : i + _CHUNK] for i in range(0, len(self.ids), _CHUNK)]

    def _load(self, ids: Sequence[str]) -> Sequence[WorkflowRecord]:
        return self.engine.ask("perdure demo", lambda client: client.backend.load(ids))

    def _history(self, ids: Sequence[str]) -> Sequence[History]:
        return self.engine.ask("perdure demo", lambda client: client.backend.history(ids))
