"""Backends of strangers that break a promise, or declare what is not so."""

import weakref
from collections.abc import Sequence
from datetime import timedelta

import attrs

from perdure.backend import Capabilities, Claimed, Lane, WorkerInfo
from perdure.model import WorkflowRecord
from perdure_compat.harness import Deviation, Place, scheme_of
from perdure_compat.reference import MemoryBackend
from perdure_compat.reference.harness import MemoryHarness
from perdure_compat.reference.store import Store

ENTRY_POINTS = """
[perdure.backends]
twice = wrong:Twice
endless = wrong:Endless
reopening = wrong:Reopening
closing = wrong:Closing
telepathic = wrong:Telepathic
dreaming = wrong:Reopening
talkative = wrong:Talkative
interrupted = wrong:Interrupted
[perdure.compat.harness]
twice = wrong:Places
endless = wrong:Places
reopening = wrong:KnownToClose
closing = wrong:KnownToClose
dreaming = wrong:KnownToDream
telepathic = wrong:Places
interrupted = wrong:Places
"""
ROW = Deviation(
    test="test_calling_a_verb_after_close_opens_connections_again",
    reason="what is closed stays closed",
    link="https://example.org/issues/7",
)


class Places(MemoryHarness):
    """Places in memory, which the wrong backends serve."""

    def fresh(self) -> Place:
        """A name that nobody has used, under the scheme that is judged."""
        place = super().fresh()
        return attrs.evolve(place, url=f"{scheme_of(self.url)}://{place.namespace}")


class KnownToClose(Places):
    """Says that one test fails."""

    deviations = (ROW,)


class KnownToDream(Places):
    """Says that a test fails which there is not."""

    deviations = (Deviation(test="test_dreams", reason="asleep", link="https://example.org"),)


class Endless(MemoryBackend):
    """Forgets whom it gave the first workflow of a claim."""

    def claim(
        self, worker_id: str, lanes: Sequence[Lane], *, limit: int, suspects: bool = False
    ) -> Sequence[Claimed]:
        before: dict[str, WorkflowRecord] = dict(self.store.workflows)
        claimed = super().claim(worker_id, lanes, limit=limit, suspects=suspects)
        self.store.workflows.update({one.id: before[one.id] for one in claimed[:1]})
        return claimed


class Twice(MemoryBackend):
    """Forgets, once for each workflow, whom it gave it."""

    def __init__(self, url: str, *, namespace: str) -> None:
        super().__init__(url, namespace=namespace)
        self._forgotten: set[str] = set()

    def claim(
        self, worker_id: str, lanes: Sequence[Lane], *, limit: int, suspects: bool = False
    ) -> Sequence[Claimed]:
        before: dict[str, WorkflowRecord] = dict(self.store.workflows)
        claimed = super().claim(worker_id, lanes, limit=limit, suspects=suspects)
        for one in claimed[:1]:
            if one.id not in self._forgotten:
                self._forgotten.add(one.id)
                self.store.workflows[one.id] = before[one.id]
        return claimed


class Reopening(MemoryBackend):
    """Does after all what its harness says that it does not."""


class Closing(MemoryBackend):
    """Knows nothing any more when it was closed."""

    def close(self) -> None:
        self.store = Store()


class Telepathic(MemoryBackend):
    """Leaves out what nobody has heard of."""

    capabilities = Capabilities(missing={"telepathy": "no line"})


class Talkative(MemoryBackend):
    """Tells its password to everybody who joins."""

    def __init__(self, url: str, *, namespace: str) -> None:
        super().__init__(url, namespace=namespace)
        self._url = url

    def join(self, worker: WorkerInfo, *, lease: timedelta) -> bool:
        print(f"joining {self._url}")  # noqa: T201 (a careless one)
        raise ConnectionError(f"{worker.id} cannot join {self._url} for {lease}")


class Interrupted(MemoryBackend):
    """Is interrupted while an object is forgotten, where Python drops what is raised."""

    def leave(self, worker_id: str) -> None:
        def interrupt(_: object) -> None:
            raise KeyboardInterrupt

        forgotten = WorkerInfo(id="", host="", pid=0, code_version=None, names=[], queues=[])
        watching = weakref.ref(forgotten, interrupt)
        del forgotten
        assert watching() is None
        super().leave(worker_id)
