"""Places in memory: a name of its own for each test, and a clock to set forward."""

from collections.abc import Mapping
from datetime import timedelta

import attrs

from perdure_compat.harness import Harness, Place

from .backend import MemoryBackend


class MemoryHarness(Harness):
    """Its places vanish with the last backend that has them open."""

    missing: Mapping[str, str] = {"faults": "nothing fails in the memory of one process"}

    def fresh(self) -> Place:
        """A name that nobody has used."""
        place = super().fresh()
        return attrs.evolve(place, url=f"memory://{place.namespace}")

    def dispose(self, place: Place) -> None:
        """Nothing stays behind."""

    def pass_time(self, place: Place, by: timedelta) -> None:
        """Set the clock of the store forward."""
        store = MemoryBackend(place.url, namespace=place.namespace).store
        before = store.clock
        store.clock = lambda: before() + by
