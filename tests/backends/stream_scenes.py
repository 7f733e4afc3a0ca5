"""Situations in which somebody reads a stream, or writes it once more, while it is written."""

from collections.abc import Callable, Mapping
from typing import Any

from perdure.backend import Batch
from perdure.streams import Item
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.testing.world import World
from perdure_compat.suite.records import end

from .letters import item, reading
from .roles import Role, Scene, claims, dead, owners, reaps

# --------------------------------------------------------------------- roles


def _log(backend: SqlBackend, after: int = -1) -> list[Item]:
    return list(backend.read([reading("v", after=after)], limit=10))


def _offsets(world: World) -> list[int]:
    return [each.offset for each in _log(world.clean)]


def writes(*offsets: int) -> Role:
    """`a` writes items to the log of `v`, all in one batch."""
    batch = Batch(items=[item("v", each) for each in offsets])

    def truth(world: World, fenced: bool) -> None:  # noqa: FBT001 (an answer)
        assert not fenced or "a" in dead(world)

    return Role(lambda backend: backend.commit("a", batch).fenced, truth)


def follows() -> Role:
    """Reads twice, the second time from where it had come to."""

    def act(backend: SqlBackend) -> list[int]:
        first = _log(backend)
        last = first[-1].offset if first else -1
        return [each.offset for each in (*first, *_log(backend, last))]

    def truth(world: World, seen: list[int]) -> None:
        there = _offsets(world)
        assert seen == there[: len(seen)], f"seen {seen}, and there was {there}"

    return Role(act, truth)


# -------------------------------------------------------------------- scenes


def takeover_and_write(world: World) -> Scene:
    """Reap, claim and read: what is seen then is all that the dead will ever have written."""
    owners(world)
    reap, claim = reaps(world, "a"), claims("b")

    def takeover(backend: SqlBackend) -> list[Item] | None:
        reap.act(backend)
        return _log(backend) if claim.act(backend) else None

    def together(seen: list[Item] | None, _: bool) -> None:  # noqa: FBT001 (an answer)
        there = _log(world.clean)
        assert seen is None or seen == there, f"seen {seen}, and then there was {there}"

    return Scene([Role(takeover), writes(1, 2)], together)


def follow_and_write(world: World) -> Scene:
    """What is written becomes visible in the order of the offsets."""
    owners(world)

    def act(backend: SqlBackend) -> None:
        backend.commit("a", Batch(items=[item("v", 2), item("v", 1)]))
        last = item("v", 3, value_json=None, closes=True)
        backend.commit("a", Batch(items=[last], transitions=[end("v")]))

    def together(_: list[int], __: None) -> None:
        assert _offsets(world) == [1, 2, 3]

    return Scene([follows(), Role(act)], together)


def two_tries_to_write(world: World) -> Scene:
    """The second in another order, and with more behind it: each item is there once."""
    owners(world)

    def again(backend: SqlBackend) -> None:
        for offsets in (3, 2, 1), (4,):
            assert not backend.commit(
                "a", Batch(items=[item("v", each) for each in offsets])
            ).fenced

    def together(fenced: bool, _: None) -> None:  # noqa: FBT001 (an answer)
        assert not fenced
        assert _offsets(world) == [1, 2, 3, 4]

    return Scene([writes(1, 2, 3), Role(again)], together)


def follow_two_tries_to_write(world: World) -> Scene:
    """Who reads while a try is made again, and more is written, misses nothing."""
    tries = two_tries_to_write(world)

    def together(_: list[int], *said: Any) -> None:
        tries.together(*said)

    return Scene([follows(), *tries.roles], together)


STREAMS: Mapping[str, Callable[[World], Scene]] = {
    scene.__name__: scene
    for scene in (
        takeover_and_write,
        follow_and_write,
        two_tries_to_write,
    )
}
