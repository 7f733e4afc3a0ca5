"""The end of a run: everybody dies, a newcomer takes over, and nothing is lost or runs twice."""

from perdure.model import ENDED, Status

from .records import LEASE
from .scene import OBSERVER, OVER, Scene, require


def rescue(scene: Scene) -> None:
    """Let the observer take over all that is due, and end it."""
    scene.wake()
    lost = scene.there - scene.epochs().keys()
    require(not lost, f"{lost} disappeared")
    due, recorded = _due(scene), set(scene.records())
    _everybody_dies(scene)
    scene.wake()
    taken = _taken(scene)
    wanted = {word: epoch + 1 for word, epoch in due.items()}
    require(taken == wanted, f"of {due} somebody new got {taken}")
    scene.finish(OBSERVER, *(scene.end(word, epoch=epoch) for word, epoch in taken.items()))
    require(set(scene.records()) == recorded, "what is recorded has changed")


def _due(scene: Scene) -> dict[str, int]:
    now = scene.pulse().now
    return {
        scene.plain(one.id): one.epoch
        for one in scene.workflows()
        if one.status not in ENDED
        and (one.status in {Status.ENQUEUED, Status.RUNNING} or one.run_at <= now)
    }


def _everybody_dies(scene: Scene) -> None:
    dying = [scene.plain(peer.worker_id) for peer in scene.peers()]
    for each in dying:
        scene.clean.heartbeat(scene.full(each), lease=OVER)
    scene.reap()
    for each in dying:
        joined = scene.clean.join(scene.serving(each), lease=LEASE)
        require(not joined, f"{each} came back from the dead")


def _taken(scene: Scene) -> dict[str, int]:
    return scene.claim(OBSERVER) | scene.claim(OBSERVER, suspects=True)
