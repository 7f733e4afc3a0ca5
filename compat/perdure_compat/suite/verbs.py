"""Every verb in a situation in which a fault could do harm, and what must come of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from perdure.backend import NOT_YOURS, RECORDED, AlreadyRecorded, Backend, Batch, Query
from perdure.model import Status

from .posts import POSTS, take_over
from .records import AT_ONCE, LEASE, PATIENT, WHEN, read, write
from .scene import Scene, require
from .trials import Act, Verb

# --------------------------------------------------------------- workers


def _join(scene: Scene) -> Act:
    served = scene.serving("a")
    return lambda backend: backend.join(served, lease=LEASE)


def _join_again(scene: Scene) -> Act:
    _owner_with_an_old_lease(scene)
    return _join(scene)


def _owner_with_an_old_lease(scene: Scene) -> None:
    scene.join("a", over=True)
    scene.join("b")
    scene.own("a", "v", "w")


def _heartbeat(scene: Scene) -> Act:
    _owner_with_an_old_lease(scene)

    def act(backend: Backend) -> object:
        pulse = backend.heartbeat(scene.full("a"), lease=LEASE)
        if pulse is None:
            return None
        return (sorted(scene.plain(peer.worker_id) for peer in scene.ours(pulse)), pulse.orphans)

    return act


def _leave(scene: Scene) -> Act:
    _owner_with_an_old_lease(scene)
    return lambda backend: backend.leave(scene.full("a"))


def _reap(scene: Scene) -> Act:
    _owner_with_an_old_lease(scene)
    scene.record("a", scene.step("v"))
    seen = scene.peers("a")

    def act(backend: Backend) -> object:
        said = backend.reap(seen, margin=AT_ONCE, recovery=PATIENT, limit=10)
        freed = {scene.plain(one): status for one, status in said.workflows.items()}
        return ([scene.plain(one) for one in said.workers], freed)

    return act


_FREED = {"v": Status.ENQUEUED, "w": Status.ENQUEUED}


def _return(scene: Scene) -> bool:
    return scene.clean.heartbeat(scene.full("a"), lease=LEASE) is not None


# ----------------------------------------------------------------- queue


def _submit(scene: Scene) -> Act:
    return _submission(scene, ["v", "w"], fresh=False)


def _submit_new(scene: Scene) -> Act:
    return _submission(scene, ["w"], fresh=True)


def _submit_as_new(scene: Scene) -> Act:
    return _submission(scene, ["v", "w"], fresh=True)


def _submission(scene: Scene, words: Sequence[str], *, fresh: bool) -> Act:
    scene.join("b")
    scene.submit("v")
    jobs = [scene.job(word, fresh=fresh) for word in words]
    jobs.append(scene.job("x", fresh=fresh, delay=LEASE))
    return lambda backend: sorted(scene.plain(found.id) for found in backend.submit(jobs))


def _claim_what_is_there(scene: Scene) -> None:
    scene.claim("b")


def _claim(scene: Scene) -> Act:
    _owner_with_an_old_lease(scene)
    scene.submit("x", "y", "z")

    def act(backend: Backend) -> object:
        found = backend.claim(scene.full("a"), [scene.lane], limit=2)
        return scene.hand("a", {scene.plain(one.id): one.epoch for one in found})

    return act


def _reconciled(scene: Scene, act: Act) -> Act:
    def again(backend: Backend) -> object:
        backend.reconcile(scene.full("a"), [scene.full("v"), scene.full("w")])
        return act(backend)

    return again


def _all_that_it_owns(scene: Scene, answer: Any) -> None:
    alive = scene.lives("a")
    owned = scene.epochs(owner="a").items() - {("v", 1), ("w", 1)}
    require(owned <= answer.items(), f"claimed {answer} and owns {sorted(owned)}")
    require(not alive or owned == answer.items(), f"claimed {answer} and owns {sorted(owned)}")
    require(len(answer) <= 2, f"claimed {answer}")
    require(answer or not alive, "claimed nothing")


def _reconcile(scene: Scene) -> Act:
    _owner_with_an_old_lease(scene)
    known = [scene.full("v")]
    return lambda backend: [scene.plain(one) for one in backend.reconcile(scene.full("a"), known)]


def _wake(scene: Scene) -> Act:
    """One that waits, and one that was delayed because two workers died with it; both are due."""
    scene.submit("w")
    for word in ("a", "b"):
        scene.join(word, over=True)
        scene.claim(word)
        scene.reap(word)
    scene.join("c")
    scene.own("c", "v")
    scene.finish("c", scene.end("v", Status.WAITING, run_at=WHEN))
    assert scene.epochs(Status.DELAYED, Status.WAITING) == {"v": 1, "w": 2}
    return lambda backend: backend.wake(limit=10)


def _resume(scene: Scene) -> Act:
    scene.join("a")
    scene.own("a", "v")
    scene.finish("a", scene.end("v", Status.PARKED, error_message="broken"))
    return lambda backend: backend.resume(scene.full("v"), epoch=1)


def _park_again(scene: Scene) -> None:
    """`a` fails once more, which a late repetition must not undo."""
    for word, epoch in scene.claim("a").items():
        parked = scene.end(word, Status.PARKED, epoch=epoch, error_message="broken")
        scene.finish("a", parked)


# --------------------------------------------------------------- history


def _commit(scene: Scene) -> Act:
    """A batch of which some concerns what is another's, or was this worker's under an old epoch."""
    scene.join("b")
    scene.own("b", "foreign")
    scene.join("a", over=True)
    scene.own("a", "again")
    scene.record("a", scene.step("again"))
    scene.finish("a", scene.end("again", Status.ENQUEUED))
    assert scene.claim("a") == {"again": 2}
    scene.own("a", "v", "w", "x")
    scene.record("a", scene.step("x"))
    batch = Batch(
        steps=[
            *(scene.step("v"), scene.step("v", 2), scene.step("foreign"), scene.step("x", 2)),
            *(scene.step("again", epoch=2), scene.step("again", 2, epoch=1)),
        ],
        waits=[scene.wait("w")],
        items=[
            *(scene.item("v"), scene.item("w", 1), scene.item("foreign"), scene.item("w", 2)),
            *(scene.item("again", 5, epoch=2), scene.item("again", 6, epoch=1)),
        ],
        transitions=[
            *(scene.end("v", output_json="1"), scene.end("foreign"), scene.end("again")),
            scene.end("w", Status.WAITING, run_at=WHEN),
        ],
    )

    def act(backend: Backend) -> object:
        said = backend.commit(scene.full("a"), batch)
        steps = [
            each.record.epoch if isinstance(each, AlreadyRecorded) else each for each in said.steps
        ]
        return (said.fenced, *steps, *said.waits, *said.transitions)

    return act


_COMMITTED = (
    *(RECORDED, RECORDED, NOT_YOURS, RECORDED, 1, NOT_YOURS),
    RECORDED,
    *(Status.SUCCESS, NOT_YOURS, NOT_YOURS, Status.WAITING),
)
_TOO_LATE = (
    *(NOT_YOURS, NOT_YOURS, NOT_YOURS, NOT_YOURS, 1, NOT_YOURS),
    NOT_YOURS,
    *(NOT_YOURS, NOT_YOURS, NOT_YOURS, NOT_YOURS),
)


def _look(scene: Scene) -> Act:
    """All that only reads."""
    _owner_with_an_old_lease(scene)
    scene.record("a", scene.step("v"))
    write(scene.clean, scene.full("a"), scene.item("v"), scene.item("v", 3))
    v, lane = scene.full("v"), scene.lane

    def act(backend: Backend) -> object:
        version = backend.schema_version()
        live = backend.service(lane.name, lane.queue).live
        statuses = [one.status for one in backend.load([v])]
        found = len(backend.find(Query(name=lane.name)))
        steps = [len(each.steps) for each in backend.history([v])]
        offsets = [one.offset for one in read(backend, v, after=0)]
        return (version.current == version.wanted, live, statuses, found, steps, offsets)

    return act


# ----------------------------------------------------------------- table

VERBS: Mapping[str, Verb] = {
    "join": Verb(arrange=_join, answers=[True]),
    "join, declared dead": Verb(arrange=_join_again, answers=[True, False], meanwhile=take_over),
    "heartbeat": Verb(arrange=_heartbeat, answers=[(["a", "b"], False)]),
    "heartbeat, declared dead": Verb(
        arrange=_heartbeat, answers=[(["a", "b"], False), None], meanwhile=take_over
    ),
    "leave": Verb(arrange=_leave, answers=[None]),
    "submit": Verb(arrange=_submit, answers=[["v"], ["v", "w", "x"]], mortal=False),
    "submit, and somebody claims": Verb(
        arrange=_submit,
        answers=[["v"], ["v", "w", "x"]],
        mortal=False,
        meanwhile=_claim_what_is_there,
    ),
    "submit under new ids": Verb(
        arrange=_submit_new,
        answers=[[], ["w", "x"]],
        mortal=False,
        meanwhile=_claim_what_is_there,
    ),
    "submit as new what is there": Verb(
        arrange=_submit_as_new, answers=[["v"], ["v", "w", "x"]], mortal=False
    ),
    "claim": Verb(arrange=_claim, again=_reconciled, judge=_all_that_it_owns),
    "claim, declared dead": Verb(
        arrange=_claim, again=_reconciled, judge=_all_that_it_owns, meanwhile=take_over
    ),
    "commit": Verb(arrange=_commit, answers=[(False, *_COMMITTED)]),
    "commit, declared dead": Verb(
        arrange=_commit,
        answers=[(False, *_COMMITTED), (True, *_COMMITTED), (True, *_TOO_LATE)],
        meanwhile=take_over,
    ),
    "reap": Verb(
        arrange=_reap,
        answers=[(workers, freed) for workers in (["a"], []) for freed in (_FREED, {})],
        mortal=False,
        atomic=False,
    ),
    "reap, and the owner returns": Verb(
        arrange=_reap,
        answers=[(workers, freed) for workers in (["a"], []) for freed in (_FREED, {})],
        mortal=False,
        atomic=False,
        meanwhile=_return,
    ),
    "reconcile": Verb(arrange=_reconcile, answers=[["w"], []]),
    "reconcile, declared dead": Verb(arrange=_reconcile, answers=[["w"], []], meanwhile=take_over),
    "wake": Verb(arrange=_wake, answers=[2, 0], mortal=False),
    "resume": Verb(
        arrange=_resume,
        answers=[Status.ENQUEUED, Status.PARKED],
        mortal=False,
        meanwhile=_park_again,
    ),
    "look": Verb(arrange=_look, answers=[(True, True, [Status.RUNNING], 2, [1], [3])]),
    **POSTS,
}
