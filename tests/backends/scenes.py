"""Situations in which two or three actors meet, and what must come of it."""

from collections.abc import Callable, Mapping
from typing import Any

from perdure.backend import NOT_YOURS, RECORDED, Batch
from perdure.model import Status
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.testing.world import World
from perdure_compat.suite.records import (
    LEASE,
    WHEN,
    end,
    finish,
    get,
    join,
    own,
    step,
    steps_of,
    submit,
)

from .roles import (
    Role,
    Scene,
    beats,
    claims,
    dead,
    finishes,
    joins,
    leaves,
    moves,
    owners,
    reaps,
    reconciles,
    resumes,
    status,
    submits,
    wakes,
)

# ----------------------------------------------------------------- death


def reap_and_commit(world: World) -> Scene:
    """Either the record is there or the workflow is free."""
    owners(world)

    def together(reaped: Any, _: Any) -> None:
        assert (status(world) is Status.SUCCESS) != ("v" in reaped.workflows)

    return Scene([reaps(world, "a"), finishes("a", "v")], together)


def takeover_and_record(world: World) -> Scene:
    """Reap, claim and look: what is seen then is all that will ever be there."""
    owners(world)
    reap, claim = reaps(world, "a"), claims("b")

    def takeover(backend: SqlBackend) -> object:
        reap.act(backend)
        return steps_of(backend, "v") if claim.act(backend) else None

    def late(backend: SqlBackend) -> object:
        return list(backend.commit("a", Batch(steps=[step("v")])).steps)

    def together(seen: Any, said: Any) -> None:
        there = steps_of(world.clean, "v")
        assert seen is None or seen == there, f"seen {seen}, and then there was {there}"
        assert said == [RECORDED if there else NOT_YOURS]

    return Scene([Role(takeover), Role(late)], together)


def reap_and_claim(world: World) -> Scene:
    """A dead worker gets nothing, or what it got is recovered."""
    owners(world)
    submit(world.clean, "w")

    def together(reaped: Any, claimed: Any) -> None:
        left = world.epochs(owner="a")
        assert not (left and "a" in dead(world))
        assert claimed.keys() - reaped.workflows.keys() == left.keys() - {"v"}

    return Scene([reaps(world, "a"), claims("a", besides="v")], together)


def reap_and_heartbeat(world: World) -> Scene:
    """Either it lives or it is told that it is dead."""
    owners(world)

    def together(reaped: Any, alive: bool) -> None:  # noqa: FBT001 (an answer)
        assert alive != ("a" in reaped.workers)
        assert alive != ("v" in reaped.workflows)

    return Scene([reaps(world, "a"), beats("a")], together)


def reap_and_join(world: World) -> Scene:
    """Who joins again in time lives, and who does not stays dead."""
    owners(world)

    def together(reaped: Any, alive: bool) -> None:  # noqa: FBT001 (an answer)
        assert alive != ("a" in reaped.workers)
        assert alive != ("a" in dead(world))

    return Scene([reaps(world, "a"), joins("a")], together)


def reap_and_leave(world: World) -> Scene:
    """It dies once, and what it had is free or found by the next reaper."""
    owners(world)

    def together(reaped: Any, _: None) -> None:
        recovered = get(world.clean, "v").recoveries
        assert recovered == len(reaped.workflows) <= 1

    return Scene([reaps(world, "a"), leaves("a")], together)


def two_reaps(world: World) -> Scene:
    """Each death and each recovery counts once."""
    owners(world)
    reap = reaps(world, "a")

    def together(one: Any, other: Any) -> None:
        assert [*one.workers, *other.workers] == ["a"]
        assert [*one.workflows, *other.workflows] == ["v"]
        assert get(world.clean, "v").recoveries == 1

    return Scene([reap] * 2, together)


def two_who_forget(world: World) -> Scene:
    """A worker dead for long is forgotten, but not before its work is free, which counts once."""
    owners(world)
    world.clean.leave("a")
    world.raw.execute(
        "UPDATE workers SET dead_at = now() - interval '25 hours' WHERE worker_id = 'a'"
    )
    reap = reaps(world)

    def together(one: Any, other: Any) -> None:
        assert [*one.workflows, *other.workflows] == ["v"]
        assert get(world.clean, "v").recoveries == 1

    return Scene([reap] * 2, together)


def leave_and_commit(world: World) -> Scene:
    """A commit is written whole before one's own death, or not at all."""
    owners(world)

    def together(_: None, said: Any) -> None:
        assert (status(world) is Status.SUCCESS) != said.fenced

    return Scene([leaves("a"), finishes("a", "v")], together)


def leave_and_claim(world: World) -> Scene:
    """Who leaves gets nothing, or what it got is free for a reaper."""
    join(world.clean, "a", "b")
    submit(world.clean, "v", "w")
    return Scene([leaves("a"), claims("a")])


def leave_and_heartbeat(world: World) -> Scene:
    """Nobody comes back."""
    owners(world)
    return Scene([leaves("a"), beats("a")])


def two_joins(world: World) -> Scene:
    """Two workers that serve the same names, given in opposite orders."""
    del world
    roles = [joins("a", "x", "y", "z"), joins("b", "z", "y", "x")]
    return Scene(roles, _both)


def _both(one: object, other: object) -> None:
    assert (one, other) == (True, True)


# ----------------------------------------------------------------- queue


def two_claims(world: World) -> Scene:
    """Nothing is handed out twice, and nothing is left while there is room."""
    join(world.clean, "a", "b")
    submit(world.clean, "v", "w", "x")

    def together(one: Any, other: Any) -> None:
        assert not one.keys() & other.keys()
        assert (one, other) == (world.epochs(owner="a"), world.epochs(owner="b"))
        assert len(one | other) == 3

    return Scene([claims("a"), claims("b")], together)


def claim_and_submit(world: World) -> Scene:
    """What was there is claimed, what is new may be."""
    join(world.clean, "a")
    submit(world.clean, "v")

    def together(claimed: Any, existing: Any) -> None:
        assert claimed == world.epochs(owner="a")
        assert "v" in claimed
        assert existing == ["v"]

    return Scene([claims("a"), submits("v", "w")], together)


def two_submits(world: World) -> Scene:
    """Of two who submit the same ids in opposite orders, exactly one starts each."""
    del world
    return _both_submit(fresh=False)


def two_submits_as_new(world: World) -> Scene:
    """So it is where both suppose that nobody else has these ids."""
    del world
    return _both_submit(fresh=True)


def _both_submit(*, fresh: bool) -> Scene:
    def together(one: Any, other: Any) -> None:
        assert sorted([*one, *other]) == ["v", "w", "x"]

    roles = [submits("v", "w", "x", fresh=fresh), submits("x", "w", "v", fresh=fresh)]
    return Scene(roles, together)


def wake_and_claim(world: World) -> Scene:
    """What is due becomes ready once, and nobody claims it before."""
    join(world.clean, "a")
    submit(world.clean, "v", delay=LEASE)
    world.expire()

    def together(woken: int, claimed: Any) -> None:
        assert woken == 1
        assert status(world) is (Status.RUNNING if claimed else Status.ENQUEUED)

    return Scene([wakes(), claims("a")], together)


def two_wakes(world: World) -> Scene:
    """Each is counted by one of them."""
    submit(world.clean, "v", "w", delay=LEASE)
    world.expire()

    def together(one: int, other: int) -> None:
        assert one + other == 2
        assert len(world.epochs("enqueued")) == 2

    return Scene([wakes()] * 2, together)


def suspend_and_wake(world: World) -> Scene:
    """What falls asleep with its time over is woken now or by the next."""
    owners(world)

    def together(said: Any, woken: int) -> None:
        assert list(said.transitions) == [Status.WAITING]
        assert status(world) is (Status.ENQUEUED if woken else Status.WAITING)

    return Scene([moves("a", "v", Status.WAITING, run_at=WHEN), wakes()], together)


# ------------------------------------------------------------- ownership


def release_and_claim(world: World) -> Scene:
    """Who gives back and who takes never own it together."""
    owners(world)

    def together(said: Any, claimed: Any) -> None:
        assert claimed in ({}, {"v": 2})
        assert get(world.clean, "v").epoch == 1 + len(claimed)
        # The answer looks at the row again only where nothing was written.
        assert list(said.transitions) == [Status.ENQUEUED]

    return Scene([moves("a", "v", Status.ENQUEUED), claims("b")], together)


def reconcile_and_claim(world: World) -> Scene:
    """What a lost claim left goes back into the queue and to one worker."""
    owners(world)

    def together(released: Any, claimed: Any) -> None:
        assert released == ["v"]
        assert claimed == world.epochs(owner="b")
        assert get(world.clean, "v").recoveries == 0

    return Scene([reconciles("a"), claims("b")], together)


def reconcile_and_reap(world: World) -> Scene:
    """One of them at most returns it to the queue, and only a reaper counts a recovery."""
    owners(world)

    def together(reaped: Any, released: Any) -> None:
        assert [*reaped.workflows, *released] in ([], ["v"])
        assert get(world.clean, "v").recoveries == len(reaped.workflows)

    return Scene([reaps(world, "a"), reconciles("a")], together)


def reconcile_and_commit(world: World) -> Scene:
    """What the owner runs is none of the reconciler's business."""
    join(world.clean, "a", "b")
    own(world.clean, "a", "v", "w")

    def together(released: Any, _: Any) -> None:
        assert released == ["w"]
        assert status(world) is Status.SUCCESS

    return Scene([reconciles("a", "v"), finishes("a", "v")], together)


def two_tries_of_a_commit(world: World) -> Scene:
    """The repeat meets the first try, whose answer is lost: both are told the same."""
    owners(world)
    twice = finishes("a", "v")
    return Scene([twice] * 2, lambda *_: _ended(world, "v"))


def two_owners_commit(world: World) -> Scene:
    """Batches that name each other's workflows neither wait nor write what is not theirs."""
    owners(world)
    own(world.clean, "b", "w")

    def commits(me: str, mine: str, foreign: str) -> Role:
        batch = Batch(
            steps=[step(foreign, 2, epoch=9), step(mine)],
            transitions=[end(foreign, epoch=9), end(mine)],
        )
        return Role(lambda backend: backend.commit(me, batch))

    def together(*said: Any) -> None:
        for each in said:
            assert list(each.steps) == [NOT_YOURS, RECORDED]
            assert list(each.transitions) == [NOT_YOURS, Status.SUCCESS]
        _ended(world, "v", "w")

    return Scene([commits("a", "v", "w"), commits("b", "w", "v")], together)


def commit_and_heartbeat(world: World) -> Scene:
    """The fence lets heartbeats pass."""
    owners(world)

    def together(_: Any, alive: bool) -> None:  # noqa: FBT001 (an answer)
        assert alive
        _ended(world, "v")

    return Scene([finishes("a", "v"), beats("a")], together)


def _ended(world: World, *workflow_ids: str) -> None:
    assert [status(world, each) for each in workflow_ids] == [Status.SUCCESS] * len(workflow_ids)


# ---------------------------------------------------------------- parked


def resume_and_claim(world: World) -> Scene:
    """What is resumed is claimed once."""
    owners(world)
    finish(world.clean, "a", end("v", Status.PARKED))

    def together(said: Any, claimed: Any) -> None:
        assert said in {Status.ENQUEUED, Status.RUNNING}
        assert claimed == world.epochs(owner="b")
        assert len(world.epochs("enqueued", "running")) == 1

    return Scene([resumes("v", epoch=1), claims("b")], together)


def resume_and_park(world: World) -> Scene:
    """Only what is parked is resumed."""
    owners(world)

    def together(said: Any, _: Any) -> None:
        resumed = status(world) is Status.ENQUEUED
        assert said is (Status.ENQUEUED if resumed else said)
        assert said in {Status.ENQUEUED, Status.RUNNING, Status.PARKED}

    return Scene([resumes("v", epoch=1), moves("a", "v", Status.PARKED)], together)


def two_resumes(world: World) -> Scene:
    """A repeat changes nothing."""
    owners(world)
    finish(world.clean, "a", end("v", Status.PARKED))

    def together(*said: Any) -> None:
        assert said == (Status.ENQUEUED, Status.ENQUEUED)

    return Scene([resumes("v", epoch=1)] * 2, together)


PAIRS: Mapping[str, Callable[[World], Scene]] = {
    scene.__name__: scene
    for scene in (
        reap_and_commit,
        takeover_and_record,
        reap_and_claim,
        reap_and_heartbeat,
        reap_and_join,
        reap_and_leave,
        two_reaps,
        two_who_forget,
        leave_and_commit,
        leave_and_claim,
        leave_and_heartbeat,
        two_joins,
        two_claims,
        claim_and_submit,
        two_submits,
        two_submits_as_new,
        wake_and_claim,
        two_wakes,
        suspend_and_wake,
        release_and_claim,
        reconcile_and_claim,
        reconcile_and_reap,
        reconcile_and_commit,
        two_tries_of_a_commit,
        two_owners_commit,
        commit_and_heartbeat,
        resume_and_claim,
        resume_and_park,
        two_resumes,
    )
}
