"""Processes: real ones share a database, and die without losing or doubling work."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from perdure.backend import AlreadyRecorded, Backend, Batch, Peer, Reaped, Recorded
from perdure.model import Status
from perdure_compat.harness import Place
from perdure_compat.promise import promise

from .children import Child
from .races import until
from .records import (
    AT_ONCE,
    LANE,
    LEASE,
    PATIENT,
    claim,
    end,
    finish,
    get,
    join,
    own,
    record,
    step,
    steps_of,
    submit,
)

pytestmark = pytest.mark.needs("processes")

BRIEF = 0.2
"""Seconds of a lease, for those who shall die."""

FIRST_WINS = promise(Backend.commit, "The first record of a step wins for good.")
GIVEN_BACK = promise(
    Backend.reap, "owner None, recoveries + 1, strikes and status as `Recovery` says"
)


def _recover(backend: Backend, worker_id: str) -> list[str]:
    """See a worker's lease end, declare it dead; the ids that went back."""

    def dead() -> Peer | None:
        pulse = backend.heartbeat("z", lease=LEASE)
        assert pulse is not None
        gone = [peer for peer in pulse.peers if peer.lease_until < pulse.now]
        return next((peer for peer in gone if peer.worker_id == worker_id), None)

    def declared() -> Reaped | None:
        # Passed over while the server still does what the dead process asked for last.
        reaped = backend.reap([until(dead)], margin=AT_ONCE, recovery=PATIENT, limit=1000)
        return reaped if reaped.workers else None

    reaped = until(declared)
    assert list(reaped.workers) == [worker_id]
    return sorted(reaped.workflows)


def _together(place: Place, act: str, *arguments: Mapping[str, object]) -> list[list[Any]]:
    """Processes that do the same thing at once; all that each of them says."""
    with ExitStack() as stack:
        children = [stack.enter_context(Child(place, act, **given)) for given in arguments]
        for child in children:
            child.go()
        told = [child.rest() for child in children]
        assert [child.end() for child in children] == [0] * len(children)
    return told


def _dies_holding(place: Place, *, record: bool) -> list[tuple[str, int]]:
    """A process claims everything and is killed; what it had claimed."""
    with Child(place, "hold", worker="a", lease=BRIEF, record=record) as child:
        child.go()
        claimed: list[tuple[str, int]] = child.read()
        child.kill()
    return claimed


@promise(Backend.claim, "Two claims never return the same (id, epoch).")
def test_processes_claim_each_workflow_once(place: Place, backend: Backend) -> None:
    names = [f"a{n}" for n in range(4)]
    join(backend, *names)
    every = [f"w{n}" for n in range(400)]
    submit(backend, *every)
    told = _together(place, "take", *[{"worker": name, "limit": 9} for name in names])
    taken = [pair for said in told for some in said for pair in some]
    assert sorted(taken) == sorted((one, 1) for one in every)


@promise(
    Backend.submit,
    "An id that existed is left untouched and comes back as it is, ended or not; after a "
    "lost answer that includes the caller's own.",
)
def test_processes_submit_each_id_once(place: Place, backend: Backend) -> None:
    every = [f"w{n}" for n in range(100)]
    orders = ((every, "[1]"), (every[::-1], "[2]"), (every, "[3]"))
    told = _together(place, "submit", *[{"ids": ids, "input_json": text} for ids, text in orders])
    new = [set(ids) for (ids,) in told]
    inputs = {one.id: one.input_json for one in backend.load(every)}
    for text, mine in zip(("[1]", "[2]", "[3]"), new, strict=True):
        assert {one for one in every if inputs[one] == text} == mine
    assert sum(len(mine) for mine in new) == len(every)


@FIRST_WINS
@promise(Recorded, "It is there, under the caller's epoch: written now or by an earlier try.")
def test_processes_record_each_step_once(place: Place, backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    given = {"worker": "a", "workflow": "w", "steps": 40}
    outputs = [{"output_json": f"[{n}]"} for n in range(2)]
    told = _together(place, "put", *[given | output for output in outputs])
    assert told == [[{"Recorded": 40}]] * 2
    recorded = steps_of(backend, "w")
    assert [one.seq for one in recorded] == list(range(1, 41))
    assert {one.output_json for one in recorded} <= {"[0]", "[1]"}


@GIVEN_BACK
def test_processes_take_back_each_workflow_once(place: Place, backend: Backend) -> None:
    join(backend, "a")
    every = [f"w{n}" for n in range(200)]
    own(backend, "a", *every)
    backend.leave("a")
    told = _together(place, "bury", *[{"limit": 7}] * 2)
    rest = backend.reap([], margin=AT_ONCE, recovery=PATIENT, limit=1000).workflows
    taken = [one for said in told for some in said for one in some]
    assert sorted([*taken, *rest]) == sorted(every)
    assert {(one.recoveries, one.strikes) for one in backend.load(every)} == {(1, 1)}


@GIVEN_BACK
@promise(
    Backend.reap,
    "The first declares each of `witnessed` dead whose `beat` is unchanged and whose "
    "lease ended more than `margin` ago.",
)
def test_a_process_killed_after_its_claim_loses_nothing(place: Place, backend: Backend) -> None:
    join(backend, "z")
    submit(backend, "v", "w")
    assert sorted(_dies_holding(place, record=False)) == [("v", 1), ("w", 1)]
    assert _recover(backend, "a") == ["v", "w"]
    assert (steps_of(backend, "v"), steps_of(backend, "w")) == ([], [])
    assert sorted((one.id, one.epoch) for one in claim(backend, "z")) == [
        ("v", 2),
        ("w", 2),
    ]
    answer = finish(backend, "z", end("v", epoch=2), end("w", epoch=2))
    assert list(answer.transitions) == [Status.SUCCESS] * 2


@FIRST_WINS
@GIVEN_BACK
def test_a_process_killed_after_its_commit_leaves_its_records(
    place: Place, backend: Backend
) -> None:
    join(backend, "z")
    submit(backend, "w")
    assert _dies_holding(place, record=True) == [("w", 1)]
    assert _recover(backend, "a") == ["w"]
    assert [one.epoch for one in claim(backend, "z")] == [2]
    assert steps_of(backend, "w") == [step("w")]
    again = step("w", epoch=2)
    assert list(record(backend, "z", again).steps) == [AlreadyRecorded(step("w"))]
    late = backend.commit("a", Batch(steps=[step("w", 2)]))
    assert late.fenced
    assert steps_of(backend, "w") == [step("w")]


@promise(Backend.commit, "One transaction. Nothing is written if the worker is dead")
@FIRST_WINS
@GIVEN_BACK
def test_processes_killed_at_any_moment_lose_nothing_and_do_nothing_twice(
    place: Place, backend: Backend
) -> None:
    """What a process was told to be recorded is there, once, and everything ends."""
    every = [f"w{n}" for n in range(150)]
    join(backend, "z")
    submit(backend, *every)
    told: list[tuple[str, str, int]] = []
    for life, patience in enumerate((0.0, 0.002, 0.005, 0.01)):
        told += _one_life(place, f"a{life}", patience)
        _recover(backend, f"a{life}")
        backend.wake(limit=1000)
    assert {kind for kind, _, _ in told} == {"step", "end"}
    for kind, workflow, seq in told:
        if kind == "step":
            assert seq in [one.seq for one in steps_of(backend, workflow)]
        else:
            assert get(backend, workflow).status is Status.SUCCESS
    _finish_all(backend)
    assert {one.status for one in backend.load(every)} == {Status.SUCCESS}
    for one in every:
        assert [(s.branch, s.seq) for s in steps_of(backend, one)] == [("", 1), ("", 2)]
    ends = [workflow for kind, workflow, _ in told if kind == "end"]
    assert len(set(ends)) == len(ends)


def _one_life(place: Place, worker: str, patience: float) -> list[tuple[str, str, int]]:
    """Work until a first end was told and a little longer; all that was told."""
    with Child(place, "work", worker=worker, lease=BRIEF, steps=2) as child:
        child.go()
        told: list[tuple[str, str, int]] = [one for _ in range(3) for one in child.read()]
        child.kill(after=patience)
        told += [one for some in child.rest() for one in some]
    return told


def _finish_all(backend: Backend) -> None:
    """Do what is left as worker z."""
    for suspects in (False, True):
        for one in backend.claim("z", [LANE], limit=1000, suspects=suspects):
            steps = [step(one.id, seq, epoch=one.epoch) for seq in (1, 2)]
            ending = [end(one.id, epoch=one.epoch)]
            backend.commit("z", Batch(steps=steps, transitions=ending))
