"""What actors do in schedules, and what each answer says about the tables, whoever else acts."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Any

import attrs

from perdure.backend import NOT_YOURS, RECORDED, Backend, Batch
from perdure.model import Status
from perdure_backends.testing.actors import Act
from perdure_backends.testing.world import World, deliver, rescue
from perdure_compat.fault import Crash
from perdure_compat.suite.records import (
    AT_ONCE,
    LANE,
    LEASE,
    PATIENT,
    end,
    get,
    info,
    job,
    join,
    own,
    step,
    steps_of,
)

Truth = Callable[[World, Any], object]


def _nothing(_: World, __: Any) -> None:
    """Its answer is judged together with the others' only."""


@attrs.frozen
class Role:
    """An act, and what its answer means by itself."""

    act: Act
    truth: Truth = _nothing


@attrs.frozen
class Scene:
    """Who acts, and what must hold of all answers when everybody lived to answer."""

    roles: Sequence[Role]
    together: Callable[..., object] = lambda *_: None

    def judge(self, world: World, answers: Sequence[object]) -> None:
        """Complain about answers that do not fit each other or the tables, and about losses."""
        for role, answer in zip(self.roles, answers, strict=True):
            if not isinstance(answer, Crash):
                role.truth(world, answer)
        if not any(isinstance(answer, Crash) for answer in answers):
            self.together(*answers)
        deliver(world)
        rescue(world)


# ---------------------------------------------------------------- situations


def owners(world: World) -> None:
    """Two workers, of whom `a` runs `v`."""
    join(world.clean, "a", "b")
    own(world.clean, "a", "v")


def dead(world: World) -> set[str]:
    """Who is dead in the tables' eyes."""
    return {row[1] for row in world.state("workers") if row[3]}


def status(world: World, workflow_id: str = "v") -> Status:
    """Where a workflow stands."""
    return get(world.clean, workflow_id).status


# --------------------------------------------------------------------- roles


def claims(me: str, *, limit: int = 2, besides: Collection[str] = ()) -> Role:
    """Answers with ids and epochs; owns nothing that it was not told of, `besides` what it had."""

    def truth(world: World, answer: dict[str, int]) -> None:
        owned = world.epochs(owner=me)
        assert {
            each: owned[each] for each in owned if each not in besides
        }.items() <= answer.items()
        now = world.epochs()
        assert all(now[each] >= epoch for each, epoch in answer.items())

    def act(backend: Backend) -> dict[str, int]:
        return {each.id: each.epoch for each in backend.claim(me, [LANE], limit=limit)}

    return Role(act, truth)


def reaps(world: World, *worker_ids: str) -> Role:
    """Everybody's lease is over, and these have been seen so."""
    pulse = world.clean.heartbeat("b", lease=LEASE)
    assert pulse
    world.expire()
    seen = [peer for peer in pulse.peers if peer.worker_id in worker_ids]

    def truth(world: World, answer: Any) -> None:
        assert set(answer.workers) <= dead(world)

    return Role(
        lambda backend: backend.reap(seen, margin=AT_ONCE, recovery=PATIENT, limit=10), truth
    )


def finishes(me: str, workflow_id: str, *, epoch: int = 1) -> Role:
    """A step and the end in one batch: both there or neither."""
    batch = Batch(
        steps=[step(workflow_id, epoch=epoch)], transitions=[end(workflow_id, epoch=epoch)]
    )

    def truth(world: World, said: Any) -> None:
        recorded = len(steps_of(world.clean, workflow_id)) == 1
        assert (status(world, workflow_id) is Status.SUCCESS) == recorded
        assert list(said.steps) == [RECORDED if recorded else NOT_YOURS]
        assert list(said.transitions) == [Status.SUCCESS if recorded else NOT_YOURS]

    return Role(lambda backend: backend.commit(me, batch), truth)


def moves(me: str, workflow_id: str, to: Status, **changes: Any) -> Role:
    """The owner lets go without an end."""
    batch = Batch(transitions=[end(workflow_id, to, **changes)])
    return Role(lambda backend: backend.commit(me, batch))


def beats(me: str) -> Role:
    """Answers whether one lives."""

    def truth(world: World, alive: bool) -> None:  # noqa: FBT001 (an answer)
        assert alive or me in dead(world)

    return Role(lambda backend: backend.heartbeat(me, lease=LEASE) is not None, truth)


def joins(me: str, *names: str) -> Role:
    """Answers whether one lives."""

    def truth(world: World, alive: bool) -> None:  # noqa: FBT001 (an answer)
        assert alive or me in dead(world)
        known = {row[1] for row in world.state("definitions")}
        assert not alive or known >= set(names)

    worker = info(me, names=names or ["work"])
    return Role(lambda backend: backend.join(worker, lease=LEASE), truth)


def leaves(me: str) -> Role:
    """Dies by its own will."""
    return Role(lambda backend: backend.leave(me), lambda world, _: _is_dead(world, me))


def _is_dead(world: World, me: str) -> None:
    assert me in dead(world)


def submits(*workflow_ids: str, delay: timedelta | None = None, fresh: bool = False) -> Role:
    """Answers with the ids that were there."""
    jobs = [job(each, delay=delay, fresh=fresh) for each in workflow_ids]

    def truth(world: World, existing: list[str]) -> None:
        assert set(existing) <= set(workflow_ids) <= world.epochs().keys()

    return Role(lambda backend: sorted(each.id for each in backend.submit(jobs)), truth)


def resumes(workflow_id: str, *, epoch: int) -> Role:
    """Answers with the status."""
    return Role(lambda backend: backend.resume(workflow_id, epoch=epoch))


def reconciles(me: str, *known: str) -> Role:
    """Answers with what was released."""

    def truth(world: World, released: list[str]) -> None:
        assert not world.epochs(owner=me).keys() & set(released)

    return Role(lambda backend: list(backend.reconcile(me, known)), truth)


def wakes() -> Role:
    """Answers with how many."""
    return Role(lambda backend: backend.wake(limit=10))
