"""Places in memory: a name of its own for each test."""

import attrs

from perdure_compat.harness import Harness, Place


class MemoryHarness(Harness):
    """Its places vanish with the last backend that has them open."""

    def fresh(self) -> Place:
        """A name that nobody has used."""
        place = super().fresh()
        return attrs.evolve(place, url=f"memory://{place.namespace}")

    def dispose(self, place: Place) -> None:
        """Nothing stays behind."""
