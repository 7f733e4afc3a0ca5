"""Possible worlds: copies of the reference, one for each thing that may have happened."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from perdure.backend import Backend, Peer, Reading
from perdure.model import Status
from perdure_compat.reference import MemoryBackend
from perdure_compat.reference.store import Store

from .likeness import alike
from .plans import STREAMS
from .watch import Sight

_MANY = 1000
"""More items than any history writes."""


def _migrated() -> MemoryBackend:
    reference = MemoryBackend("memory://")
    reference.migrate()
    return reference


@attrs.define(eq=False)
class World:
    """What the database holds if `tale` is what happened."""

    reference: MemoryBackend = attrs.field(factory=_migrated)
    tale: tuple[str, ...] = ()
    """What became of the calls without an answer."""
    witnessed: list[Sequence[Peer]] = attrs.field(factory=lambda: [()])
    """What this world's heartbeats told of peers, beside those of the backend under test."""
    beats: dict[str, tuple[int, int]] = attrs.field(factory=dict[str, tuple[int, int]])
    """The beat of each worker when both were last seen: there, and here."""

    def fork(self, *tale: str) -> "World":
        """The same world, in which something else may happen from now on."""
        return World(
            reference=self.reference.copy(),
            tale=(*self.tale, *tale),
            witnessed=list(self.witnessed),
            beats=dict(self.beats),
        )

    def sight(self, ids: Collection[str]) -> Sight:
        """What a look would show."""
        return sight_of(self.reference, ids)

    def dead(self) -> set[str]:
        """The workers that are dead here."""
        return {key for key, one in self.reference.store.workers.items() if not one.alive}

    def living(self) -> set[str]:
        """The workers that live here."""
        return {key for key, one in self.reference.store.workers.items() if one.alive}

    def told(self, theirs: Sequence[Peer], ours: Sequence[Peer]) -> bool:
        """Both saw these peers: whether beats grew there where they grew here."""
        seen = {one.worker_id: (one.beat, other.beat) for one, other in _paired(theirs, ours)}
        agreed = all(
            (there > self.beats[key][0]) == (here > self.beats[key][1])
            and there >= self.beats[key][0]
            for key, (there, here) in seen.items()
            if key in self.beats
        )
        self.beats |= seen
        self.witnessed.append(ours)
        return agreed

    def like(self, other: "World") -> bool:
        """Whether no call could ever tell them apart."""
        one, another = self.reference.store, other.reference.store
        same = one.steps == another.steps and one.waits == another.waits
        return (
            same
            and one.items == another.items
            and _mail(one) == _mail(another)
            and one.definitions == another.definitions
            and alike(one.workflows, another.workflows)
            and alike(self.workers(), other.workers())
        )

    def workers(self) -> Mapping[str, Any]:
        """Each worker, with its beat as far as it tells something: where it was seen before."""
        seen = [{peer.worker_id: peer.beat for peer in peers} for peers in self.witnessed]
        return {
            key: (
                attrs.evolve(one, beat=0),
                [peers.get(key) == one.beat for peers in seen],
                self.beats.get(key, (0, 0))[1] == one.beat,
            )
            for key, one in self.reference.store.workers.items()
        }


def sight_of(backend: Backend, ids: Collection[str]) -> Sight:
    """Look at everything that a backend shows of these workflows."""
    items = backend.read(_every_stream(ids), limit=_MANY)
    return Sight.of(backend.load(ids), backend.history(ids), items)


def _every_stream(ids: Collection[str]) -> list[Reading]:
    return [Reading(workflow_id=one, stream=name, after=-1) for one in ids for name in STREAMS]


def _mail(store: Store) -> tuple[object, ...]:
    """What workflows hear from others, and what those wait for that wait."""
    waiting = {key for key, one in store.workflows.items() if one.status is Status.WAITING}
    thresholds = {key: store.thresholds.get(key) for key in waiting}
    messages = {key: list(there.items()) for key, there in store.messages.items() if there}
    return (thresholds, messages, store.consumed, store.subscriptions, Counter(store.outbox))


def _paired(theirs: Sequence[Peer], ours: Sequence[Peer]) -> list[tuple[Peer, Peer]]:
    here = {peer.worker_id: peer for peer in ours}
    return [(peer, here[peer.worker_id]) for peer in theirs]


def distinct(worlds: Sequence[World]) -> list[World]:
    """Those that differ, with the shorter tale first."""
    found: list[World] = []
    for world in worlds:
        if not any(world.like(other) for other in found):
            found.append(world)
    return found
