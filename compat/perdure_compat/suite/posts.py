"""The verbs that others hear of, in situations in which a fault could do harm."""

from collections.abc import Mapping

from perdure.backend import NOT_YOURS, RECORDED, Backend, Batch
from perdure.mail import SENT, EventKey, Refused, SendAnswer, Subscription, Watch
from perdure.model import Status

from .likeness import ASKED
from .records import WHEN, taking
from .scene import Scene
from .trials import Act, Verb


def take_over(scene: Scene) -> None:
    """The lease of `a` is over: it is declared dead, and `b` goes on with its work."""
    scene.reap("a")
    scene.claim("b")


# ------------------------------------------------------------------ mail


def _send(scene: Scene) -> Act:
    """To one that waits, to one that runs, and to one that has ended."""
    scene.heeds = True
    scene.join("a", "b")
    scene.own("a", "runs", "waits", "ended")
    scene.clean.send([scene.message("waits", "old")])
    scene.finish("a", scene.end("waits", Status.WAITING, wake_at=2), scene.end("ended"))
    targets = [("waits", "old"), ("waits", "new"), ("ended", "m"), ("runs", "m"), ("nobody", "m")]
    given = [scene.message(*target) for target in targets]
    return lambda backend: list(backend.send(given))


_SENT: list[SendAnswer] = [SENT, SENT, Refused(Status.SUCCESS), SENT, Refused(None)]
_TOO_LATE: list[SendAnswer] = [*_SENT[:3], Refused(Status.SUCCESS), Refused(None)]


def _finish_it(scene: Scene) -> None:
    scene.finish("a", scene.end("runs"))


def _subscribe(scene: Scene) -> Act:
    scene.heeds = True
    scene.join("a", "b")
    scene.own("a", "runs", "waits")
    scene.finish("a", scene.end("waits", Status.WAITING, wake_at=1))
    wanted = [Subscription(scene.full("waits"), scene.full("runs"))]
    return lambda backend: [scene.plain(one) for one in backend.subscribe(wanted)]


def _hear(scene: Scene) -> Act:
    """All that only reads."""
    _send(scene)
    scene.record("a", scene.step("runs", kind="event"))
    scene.clean.cancel([scene.full("runs")], reason=ASKED)
    runs, waits = scene.full("runs"), scene.full("waits")

    def act(backend: Backend) -> object:
        seen = backend.look([Watch(workflow_id=waits, topics=["topic"])], limit=10)
        messages = [each.id for one in seen for each in one.messages]
        values = [one.value_json for one in backend.events([EventKey(runs, "charge")])]
        return (messages, values, dict(backend.requests(scene.full("a"))) == {runs: ASKED})

    return act


# ---------------------------------------------------------------- cancel


def _cancel(scene: Scene) -> Act:
    """One in each state; the parents of two of them wait for their ends."""
    scene.heeds = True
    scene.join("a")
    scene.own("a", "parent", "grandparent", "runs", "waits", "ended")
    waiting = [scene.end(word, Status.WAITING, wake_at=1) for word in ("parent", "grandparent")]
    scene.finish("a", *waiting, scene.end("waits", Status.WAITING), scene.end("ended"))
    scene.submit("parked", parent_id=scene.full("grandparent"))
    scene.claim("a")
    scene.finish("a", scene.end("parked", Status.PARKED, error_message="broken"))
    scene.submit("new", parent_id=scene.full("parent"))
    every = [scene.full(word) for word in ("new", "ended", "runs", "parked", "nobody", "waits")]

    def act(backend: Backend) -> object:
        told = backend.cancel(every, reason=ASKED)
        return {scene.plain(one): status for one, status in told.items()}

    return act


_ASKED = {
    "new": Status.CANCELLED,
    "ended": Status.SUCCESS,
    "runs": Status.RUNNING,
    "parked": Status.CANCELLED,
    "waits": Status.ENQUEUED,
}


def _cancel_one(scene: Scene) -> Act:
    scene.heeds = True
    scene.join("b")
    scene.submit("w")
    return lambda backend: list(backend.cancel([scene.full("w")], reason=ASKED).values())


def _claim_it(scene: Scene) -> bool:
    return bool(scene.claim("b"))


# ---------------------------------------------------------- commit, wake


def _commit(scene: Scene) -> Act:
    """A batch with a message that is taken, an event, an end, and a suspension that comes late."""
    scene.heeds = True
    scene.join("b")
    scene.own("b", "parent", "watcher")
    scene.finish("b", scene.end("parent", Status.WAITING, wake_at=1))
    scene.join("a", over=True)
    scene.submit("child", parent_id=scene.full("parent"))
    scene.submit("w")
    scene.clean.subscribe([Subscription(scene.full("watcher"), scene.full("w"))])
    assert sorted(scene.claim("a")) == ["child", "w"]
    scene.clean.send([scene.message("w", "m"), scene.message("w", "n")])
    scene.wake()
    takes = taking(scene.step("w"), "m")
    batch = Batch(
        steps=[*takes.steps, scene.step("w", 2, kind="event")],
        consumptions=takes.consumptions,
        items=[scene.item("w"), scene.item("child", 1)],
        transitions=[scene.end("child"), scene.end("w", Status.WAITING, wake_at=2)],
    )

    def act(backend: Backend) -> object:
        said = backend.commit(scene.full("a"), batch)
        return (said.fenced, *said.steps, *said.transitions, said.wakeups)

    return act


def _take_over(scene: Scene) -> None:
    """`b` takes what others have become due for, too."""
    scene.wake()
    take_over(scene)


_COMMITTED = (RECORDED, RECORDED, Status.SUCCESS, Status.ENQUEUED)
_NOTHING = (NOT_YOURS,) * len(_COMMITTED)


def _wake(scene: Scene) -> Act:
    """One that is due, one that a message has come for, one that waits for an end, and a late one."""
    scene.wake()
    scene.join("a")
    scene.own("a", "due", "told", "watcher", "target")
    scene.clean.subscribe([Subscription(scene.full("watcher"), scene.full("target"))])
    scene.finish(
        "a",
        scene.end("due", Status.WAITING, run_at=WHEN),
        scene.end("told", Status.WAITING, wake_at=1),
        scene.end("watcher", Status.WAITING, wake_at=1),
        scene.end("target"),
    )
    scene.clean.send([scene.message("told", "m")])
    scene.submit("late", deadline=WHEN)
    return lambda backend: backend.wake(limit=100) > 0


# ----------------------------------------------------------------- table

POSTS: Mapping[str, Verb] = {
    "send": Verb(arrange=_send, answers=[_SENT], mortal=False),
    "send, and one ends": Verb(
        arrange=_send, answers=[_SENT, _TOO_LATE], mortal=False, meanwhile=_finish_it
    ),
    "subscribe": Verb(arrange=_subscribe, answers=[["runs"]], mortal=False),
    "subscribe, and it ends": Verb(
        arrange=_subscribe, answers=[["runs"]], mortal=False, meanwhile=_finish_it
    ),
    "look at what has come": Verb(
        arrange=_hear, answers=[(["old"], ['["runs", 1]'], True)], mortal=False
    ),
    "cancel": Verb(arrange=_cancel, answers=[_ASKED], mortal=False, atomic=False),
    "cancel, and somebody claims": Verb(
        arrange=_cancel_one,
        answers=[[Status.CANCELLED], [Status.RUNNING]],
        mortal=False,
        meanwhile=_claim_it,
    ),
    "commit what others wait for": Verb(
        arrange=_commit, answers=[(False, *_COMMITTED, told) for told in (True, False)]
    ),
    "commit what others wait for, declared dead": Verb(
        arrange=_commit,
        answers=[
            *((fenced, *_COMMITTED, told) for fenced in (True, False) for told in (True, False)),
            (True, *_COMMITTED[:-1], NOT_YOURS, False),
            (True, *_NOTHING, False),
        ],
        meanwhile=_take_over,
    ),
    "wake for all reasons": Verb(arrange=_wake, answers=[True, False], mortal=False, atomic=False),
}
