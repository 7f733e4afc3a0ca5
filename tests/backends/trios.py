"""Situations in which three actors meet: claim, finish and reap, and their kin."""

from collections.abc import Callable, Mapping
from typing import Any

from perdure.model import Status
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.testing.world import World
from perdure_compat.suite.records import end, finish, get, join, steps_of, submit

from .roles import (
    Role,
    Scene,
    beats,
    claims,
    dead,
    finishes,
    leaves,
    moves,
    owners,
    reaps,
    resumes,
    status,
    submits,
    wakes,
)


def claim_finish_and_reap(world: World) -> Scene:
    """The owner's end, or its death and another's claim."""
    owners(world)
    submit(world.clean, "w")

    def together(claimed: Any, _: Any, reaped: Any) -> None:
        ended = status(world) is Status.SUCCESS
        assert ended != ("v" in reaped.workflows)
        assert "w" in claimed
        assert not ended or "v" not in claimed

    return Scene([claims("b"), finishes("a", "v"), reaps(world, "a")], together)


def claim_release_and_reap(world: World) -> Scene:
    """Given back or taken from the dead: it is free once, and somebody's once."""
    owners(world)

    def together(claimed: Any, said: Any, reaped: Any) -> None:
        assert claimed in ({}, {"v": 2})
        assert get(world.clean, "v").recoveries == len(reaped.workflows)
        # Taken from the dead it stands as its own release would have left it.
        assert list(said.transitions) == [Status.ENQUEUED] or reaped.workflows

    roles = [claims("b"), moves("a", "v", Status.ENQUEUED), reaps(world, "a")]
    return Scene(roles, together)


def claims_of_the_dying(world: World) -> Scene:
    """One and the same worker claims, finishes and is reaped."""
    owners(world)
    submit(world.clean, "w")

    def together(claimed: Any, _: Any, reaped: Any) -> None:
        assert (status(world) is Status.SUCCESS) != ("v" in reaped.workflows)
        assert not ("a" in dead(world) and world.epochs(owner="a"))
        assert ("w" in reaped.workflows) <= ("w" in claimed)

    roles = [claims("a", besides="v"), finishes("a", "v"), reaps(world, "a")]
    return Scene(roles, together)


def takeover_finish_and_claim(world: World) -> Scene:
    """Whoever gets it after a death sees all that was recorded, and nothing is added."""
    owners(world)
    join(world.clean, "c")
    reap, claim = reaps(world, "a"), claims("b")

    def takeover(backend: SqlBackend) -> object:
        reap.act(backend)
        return steps_of(backend, "v") if claim.act(backend) else None

    def together(seen: Any, _: Any, claimed: Any) -> None:
        there = steps_of(world.clean, "v")
        assert seen is None or seen == there, f"seen {seen}, and then there was {there}"
        assert not (seen is not None and claimed)
        assert not (there and (claimed or seen is not None))

    return Scene([Role(takeover), finishes("a", "v"), claims("c")], together)


def heartbeat_claim_and_reap(world: World) -> Scene:
    """Who was told that it lives keeps what it claims."""
    owners(world)
    submit(world.clean, "w")

    def together(alive: bool, claimed: Any, reaped: Any) -> None:  # noqa: FBT001 (an answer)
        assert alive != ("a" in reaped.workers)
        assert not alive or set(world.epochs(owner="a")) == {"v", "w"} == {"v", *claimed}

    return Scene([beats("a"), claims("a", besides="v"), reaps(world, "a")], together)


def leave_finish_and_reap(world: World) -> Scene:
    """A death of one's own and one that is declared are one death."""
    owners(world)

    def together(_: None, said: Any, reaped: Any) -> None:
        ended = status(world) is Status.SUCCESS
        assert ended != said.fenced
        assert not (ended and reaped.workflows)

    return Scene([leaves("a"), finishes("a", "v"), reaps(world, "a")], together)


def resumes_and_the_next_parking(world: World) -> Scene:
    """A resume that is late, or said twice, does not undo a parking that came after it."""
    owners(world)
    finish(world.clean, "a", end("v", Status.PARKED))
    claim = claims("b")

    def park_again(backend: SqlBackend) -> bool:
        claimed = claim.act(backend)
        if claimed:
            finish(backend, "b", end("v", Status.PARKED, epoch=2))
        return bool(claimed)

    def together(_: Any, __: Any, again: bool) -> None:  # noqa: FBT001 (an answer)
        assert (status(world), get(world.clean, "v").epoch) == (
            (Status.PARKED, 2) if again else (Status.ENQUEUED, 1)
        )

    return Scene([*[resumes("v", epoch=1)] * 2, Role(park_again)], together)


def three_submits(world: World) -> Scene:
    """Each id is started by exactly one."""
    del world

    def together(*existing: Any) -> None:
        assert sorted(each for said in existing for each in said) == ["v", "v", "w", "w"]

    return Scene([*[submits("v", "w")] * 2, submits("w", "v")], together)


def two_claims_and_a_wake(world: World) -> Scene:
    """What becomes due goes to one of them."""
    join(world.clean, "a", "b")
    finish_later = submits("v", "w")
    finish_later.act(world.clean)
    world.raw.execute("UPDATE workflows SET status = 'delayed' WHERE workflow_id = 'w'")

    def together(one: Any, other: Any, woken: int) -> None:
        assert not one.keys() & other.keys()
        assert woken == 1
        assert "v" in one | other

    return Scene([claims("a"), claims("b"), wakes()], together)


TRIOS: Mapping[str, Callable[[World], Scene]] = {
    scene.__name__: scene
    for scene in (
        claim_finish_and_reap,
        claim_release_and_reap,
        claims_of_the_dying,
        takeover_finish_and_claim,
        heartbeat_claim_and_reap,
        leave_finish_and_reap,
        resumes_and_the_next_parking,
        three_submits,
        two_claims_and_a_wake,
    )
}
