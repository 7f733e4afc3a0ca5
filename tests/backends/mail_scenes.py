"""Situations in which something comes for a workflow just as it falls asleep, is claimed or ends."""

from collections.abc import Callable, Mapping
from typing import Any

from perdure.backend import RECORDED, Batch
from perdure.mail import SENT, EventKey, Subscription, Watch
from perdure.model import Status
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.testing.world import World, deliver
from perdure_compat.suite.records import claim, end, finish, get, join, own, step, submit

from .letters import message, taking
from .roles import Role, Scene, claims, finishes, moves, owners, status, wakes

# --------------------------------------------------------------------- roles


def sends(workflow_id: str, *ids: str) -> Role:
    """What is answered with `Sent` is there."""

    def truth(world: World, said: Any) -> None:
        there = {row[2] for row in world.state("messages")}
        assert {one for one, each in zip(ids, said, strict=True) if each == SENT} <= there

    letters = [message(workflow_id, each) for each in ids]
    return Role(lambda backend: list(backend.send(letters)), truth)


def cancels(*workflow_ids: str) -> Role:
    """Whoever has not ended is asked, and answers say where it stood."""

    def truth(world: World, said: Any) -> None:
        for each in said:
            found = get(world.clean, each)
            assert found.cancel_reason == "enough" or found.status is Status.SUCCESS

    return Role(lambda backend: dict(backend.cancel(workflow_ids, reason="enough")), truth)


def subscribes(workflow_id: str, target: str) -> Role:
    """Subscribes, and looks afterwards: what it sees then need not be told."""

    def act(backend: SqlBackend) -> tuple[bool, bool]:
        backend.subscribe([Subscription(workflow_id, target)])
        published = backend.events([EventKey(target, "news")])
        return get(backend, target).status.final, bool(published)

    return Role(act)


def suspends(me: str, workflow_id: str, *, wake_at: int = 1) -> Role:
    """Falls asleep until so many wake-ups have come."""
    return moves(me, workflow_id, Status.WAITING, wake_at=wake_at)


def takes(me: str, workflow_id: str, id: str) -> Role:
    """A step takes a message and is recorded with it."""
    batch = Batch(steps=[step(workflow_id)], consumptions=[taking(id, workflow_id)])
    return Role(lambda backend: list(backend.commit(me, batch).steps))


# -------------------------------------------------------------------- scenes


def _is_woken(world: World, *, count: int = 1) -> None:
    """Once all is delivered, `v` has got so many and is in the queue."""
    deliver(world)
    assert (get(world.clean, "v").wake, status(world)) == (count, Status.ENQUEUED)


def send_and_suspend(world: World) -> Scene:
    """Who falls asleep as a message comes is woken by it."""
    owners(world)
    return Scene([sends("v", "m"), suspends("a", "v")], lambda *_: _is_woken(world))


def drain_and_suspend(world: World) -> Scene:
    """The count moves before it falls asleep, or wakes it afterwards."""
    owners(world)
    world.clean.send([message("v", "m")])

    def together(_: int, said: Any) -> None:
        assert [*said.transitions] in ([Status.WAITING], [Status.ENQUEUED])
        _is_woken(world)

    return Scene([wakes(), suspends("a", "v")], together)


def send_drain_and_wait(world: World) -> Scene:
    """A message and somebody who applies: it is woken now or by the next."""
    owners(world)
    finish(world.clean, "a", end("v", Status.WAITING, wake_at=1))
    return Scene([sends("v", "m"), wakes()], lambda *_: _is_woken(world))


def end_of_a_child_and_suspend(world: World) -> Scene:
    """Who falls asleep as its child ends is woken by it."""
    owners(world)
    own_child(world, "b", "c")
    return Scene([finishes("b", "c"), suspends("a", "v")], lambda *_: _is_woken(world))


def own_child(world: World, worker_id: str, child: str) -> None:
    """Let a worker run a child of `v`."""
    submit(world.clean, child, parent_id="v")
    assert [each.id for each in claim(world.clean, worker_id)] == [child]


def ends_of_two_children(world: World) -> Scene:
    """Each counts, and only both together wake their parent."""
    owners(world)
    own_child(world, "a", "c")
    own_child(world, "b", "d")
    finish(world.clean, "a", end("v", Status.WAITING, wake_at=2))
    roles = [finishes("a", "c"), finishes("b", "d")]
    return Scene(roles, lambda *_: _is_woken(world, count=2))


def end_and_suspend_in_batches_that_cross(world: World) -> Scene:
    """Two workers: each suspends the parent of the child that the other ends."""
    owners(world)
    own(world.clean, "b", "w")
    submit(world.clean, "c", parent_id="w")
    assert claim(world.clean, "a")
    own_child(world, "b", "d")

    def commits(me: str, mine: str, child: str) -> Role:
        moved = [end(mine, Status.WAITING, wake_at=1), end(child)]
        return Role(lambda backend: backend.commit(me, Batch(transitions=moved)))

    def together(*_: Any) -> None:
        _is_woken(world)
        assert status(world, "w") is Status.ENQUEUED

    return Scene([commits("a", "v", "c"), commits("b", "w", "d")], together)


def cancel_and_suspend(world: World) -> Scene:
    """Who is asked to cancel does not fall asleep in ignorance."""
    owners(world)

    def together(_: Any, __: Any) -> None:
        found = get(world.clean, "v")
        assert (found.status, found.cancel_reason) == (Status.ENQUEUED, "enough")

    return Scene([cancels("v"), suspends("a", "v")], together)


def cancel_and_claim(world: World) -> Scene:
    """It ends without ever having run, or its owner is asked."""
    join(world.clean, "a")
    submit(world.clean, "v")

    def together(said: Any, claimed: Any) -> None:
        assert said == {"v": Status.RUNNING if claimed else Status.CANCELLED}
        asked = world.clean.requests("a")
        assert asked == ({"v": "enough"} if claimed else {})

    return Scene([cancels("v"), claims("a")], together)


def cancel_and_end(world: World) -> Scene:
    """What has ended stays so, and what ends in time has ended."""
    owners(world)

    def together(said: Any, _: Any) -> None:
        assert said["v"] in {Status.RUNNING, Status.SUCCESS}
        assert status(world) is Status.SUCCESS

    return Scene([cancels("v"), finishes("a", "v")], together)


def two_cancels(world: World) -> Scene:
    """In opposite orders: each workflow ends once, and its parent is told once."""
    owners(world)
    submit(world.clean, "w", "x", parent_id="v")

    def together(*said: Any) -> None:
        assert said == ({"w": Status.CANCELLED, "x": Status.CANCELLED},) * 2
        deliver(world)
        assert get(world.clean, "v").wake == 2

    return Scene([cancels("w", "x"), cancels("x", "w")], together)


def deadline_and_claim(world: World) -> Scene:
    """It ends in the queue, or its owner is asked."""
    join(world.clean, "a")
    submit(world.clean, "v")
    world.raw.execute("UPDATE workflows SET deadline = '2000-01-01'")

    def together(_: int, claimed: Any) -> None:
        # What is held is passed over, for the next.
        deliver(world)
        found = get(world.clean, "v")
        assert found.status is (Status.RUNNING if claimed else Status.CANCELLED)
        assert found.cancel_requested_at

    return Scene([wakes(), claims("a")], together)


def _awaited(world: World) -> None:
    """`b` runs what `v` is about to await."""
    owners(world)
    own(world.clean, "b", "w")


def subscribe_and_end(world: World) -> Scene:
    """Who subscribes sees the end when it looks afterwards, or is told of it."""
    _awaited(world)

    def together(seen: Any, _: Any) -> None:
        deliver(world)
        assert seen[0] or get(world.clean, "v").wake == 1

    return Scene([subscribes("v", "w"), finishes("b", "w")], together)


def subscribe_and_publish(world: World) -> Scene:
    """Who subscribes finds the event when it looks afterwards, or is told of it."""
    _awaited(world)
    return Scene([subscribes("v", "w"), _publishes()], _hears(world))


def second_subscription_and_publish(world: World) -> Scene:
    """Where somebody awaits it already, nobody takes the lock, and nothing is missed."""
    _awaited(world)
    submit(world.clean, "x")
    world.clean.subscribe([Subscription("x", "w")])
    return Scene([subscribes("v", "w"), _publishes()], _hears(world))


def subscribe_publish_and_suspend(world: World) -> Scene:
    """As before, where the publisher falls asleep with the same batch."""
    _awaited(world)
    publishes = _publishes(transitions=[end("w", Status.WAITING, wake_at=1)])
    return Scene([subscribes("v", "w"), publishes], _hears(world))


def _publishes(**more: Any) -> Role:
    batch = Batch(steps=[step("w", kind="event", name="news")], **more)
    return Role(lambda backend: list(backend.commit("b", batch).steps))


def _hears(world: World) -> Callable[[Any, Any], None]:
    def together(seen: Any, _: Any) -> None:
        deliver(world)
        assert seen[1] or get(world.clean, "v").wake == 1

    return together


def two_drains(world: World) -> Scene:
    """Each wake-up counts once."""
    owners(world)
    world.clean.send([message("v", "m"), message("v", "n")])
    finish(world.clean, "a", end("v", Status.WAITING, wake_at=2))
    return Scene([wakes()] * 2, lambda *_: _is_woken(world, count=2))


def two_who_spread(world: World) -> Scene:
    """What all subscribers are told each of them counts once."""
    _awaited(world)
    submit(world.clean, "x")
    world.clean.subscribe([Subscription("v", "w"), Subscription("x", "w")])
    finish(world.clean, "b", end("w"))

    def together(*_: Any) -> None:
        deliver(world)
        assert [get(world.clean, each).wake for each in "vx"] == [1, 1]

    return Scene([wakes()] * 2, together)


def drain_and_end(world: World) -> Scene:
    """Who ends as it is woken has ended, and no wake-up stays."""
    owners(world)
    world.clean.send([message("v", "m")])

    def together(_: int, __: Any) -> None:
        deliver(world)
        assert (get(world.clean, "v").wake, status(world)) == (1, Status.SUCCESS)

    return Scene([wakes(), finishes("a", "v")], together)


def two_sends_of_one_message(world: World) -> Scene:
    """In opposite orders: each is there once and counts once."""
    owners(world)

    def together(*said: Any) -> None:
        assert said == ([SENT, SENT],) * 2
        deliver(world)
        assert get(world.clean, "v").wake == 2

    return Scene([sends("v", "m", "n"), sends("v", "n", "m")], together)


def two_tries_to_take(world: World) -> Scene:
    """One step takes it, whoever records that step."""
    owners(world)
    world.clean.send([message("v", "m"), message("v", "n")])

    def together(*said: Any) -> None:
        assert said == ([RECORDED],) * 2
        (sight,) = world.clean.look([Watch(workflow_id="v", topics=["news"])], limit=9)
        assert [each.id for each in sight.messages] == ["n"]

    return Scene([takes("a", "v", "m")] * 2, together)


LETTERS: Mapping[str, Callable[[World], Scene]] = {
    scene.__name__: scene
    for scene in (
        send_and_suspend,
        drain_and_suspend,
        send_drain_and_wait,
        end_of_a_child_and_suspend,
        ends_of_two_children,
        end_and_suspend_in_batches_that_cross,
        cancel_and_suspend,
        cancel_and_claim,
        cancel_and_end,
        two_cancels,
        deadline_and_claim,
        subscribe_and_end,
        subscribe_and_publish,
        second_subscription_and_publish,
        subscribe_publish_and_suspend,
        two_drains,
        two_who_spread,
        drain_and_end,
        two_sends_of_one_message,
        two_tries_to_take,
    )
}
