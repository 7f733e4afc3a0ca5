"""A rehearsal: every verb called once, to learn what can go wrong in its calls."""

from collections.abc import Sequence

from perdure.backend import Batch, Lane, Recovery
from perdure.mail import EventKey, Subscription, Watch
from perdure.model import Status

from .calls import ALL, Call, Claim, Heartbeat, Reap
from .drains import Wake
from .records import AT_ONCE, LANE, LEASE, end, info, job, message, step, taking, wait

_WORKER = "rehearsal"
_IDS = ("rehearsal-1", "rehearsal-2")


def rehearsal() -> Sequence[Call]:
    """A short life of one worker and its workflows, to be made in this order."""
    batch = Batch(
        steps=[step(_IDS[0])],
        waits=[wait(_IDS[0], 2)],
        transitions=[end(_IDS[0], Status.PARKED, error_message="rehearsed")],
    )
    return [
        _call("join", info(_WORKER), lease=LEASE),
        _call("submit", [job(each) for each in _IDS]),
        _claim(LANE),
        _claim(LANE, Lane("default", "other")),
        Heartbeat(args=(_WORKER,), how={"lease": LEASE}, prefix=_WORKER),
        _call("commit", _WORKER, batch),
        _call("send", [message(_IDS[1])]),
        _call("subscribe", [Subscription(_IDS[0], _IDS[1])]),
        _call("look", [Watch(workflow_id=_IDS[1], topics=["topic"])], limit=ALL),
        _call("commit", _WORKER, taking(step(_IDS[1], kind="event"))),
        _call("events", [EventKey(_IDS[1], "charge")]),
        _call("cancel", _IDS[1:], reason="rehearsed"),
        _call("requests", _WORKER),
        _call("commit", _WORKER, Batch(transitions=[end(_IDS[1], Status.ENQUEUED)])),
        _claim(LANE, Lane("default", "other")),
        _call("reconcile", _WORKER, _IDS[:1]),
        _call("resume", _IDS[0], epoch=1),
        _claim(LANE),
        _call("leave", _WORKER),
        _reap(),
        Wake(how={"limit": ALL}),
        _call("service", "work", "default"),
    ]


def _call(verb: str, *args: object, **how: object) -> Call:
    return Call(verb=verb, args=args, how=how)


def _claim(*lanes: Lane) -> Call:
    how = {"limit": ALL, "suspects": False}
    return Claim(args=(_WORKER, lanes), how=how, ordered=True)


def _reap() -> Call:
    recovery = Recovery(max_strikes=10, backoff=AT_ONCE)
    how = {"margin": AT_ONCE, "recovery": recovery, "limit": ALL}
    return Reap(args=([],), how=how, witness=0)
