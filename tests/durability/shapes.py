"""What a finished workflow must have left behind, step by step."""

import json
from collections.abc import Iterable, Mapping

import attrs

from .ledger import CLOCKS, Key, Ledger, Run, Step, Workflow


@attrs.frozen
class Place:
    """A step: where it stands, what it is called, whose results its body is given."""

    branch: str
    seq: int
    name: str
    after: tuple[tuple[str, int], ...] = ()

    @property
    def kind(self) -> str:
        return self.name if self.name == "sleep" else "step"


def _line(*names: str) -> list[Place]:
    """Steps one after the other; a sleep gives nothing to the next."""
    places: list[Place] = []
    last: tuple[tuple[str, int], ...] = ()
    for seq, name in enumerate(names, 1):
        places.append(Place("", seq, name, () if name == "sleep" else last))
        last = last if name == "sleep" else (("", seq),)
    return places


def _fan() -> list[Place]:
    rays = [
        place
        for ray in "123"
        for place in (
            Place(ray, 1, "alink", (("", 1),)),
            Place(ray, 2, "link", ((ray, 1),)),
        )
    ]
    ends = tuple((ray, 2) for ray in "123")
    return [Place("", 1, "alink"), *rays, Place("", 2, "alink", ends)]


def _nap() -> list[Place]:
    first = (("", 1),)
    beside = [Place("", 3, "link", first), Place("", 4, "link", first)]
    last = Place("", 5, "link", (("", 3), ("", 4)))
    return [Place("", 1, "link"), Place("", 2, "sleep"), *beside, last]


SHAPES: Mapping[str, list[Place]] = {
    "durability.chain": _line(*["link"] * 5),
    "durability.late": _line("link", "link"),
    "durability.relay": _line("alink", "link", "sleep", "alink", "link"),
    "durability.fan": _fan(),
    "durability.nap": _nap(),
    "durability.door": _line("link", "gated", "link"),
    "durability.adoor": _line("alink", "agated", "alink"),
    "durability.sleeper": _line("link", "sleep", "link"),
    "durability.asleeper": _line("alink", "sleep", "alink"),
    "durability.poison": _line("link", "explode", "link"),
}


def check_all(ledger: Ledger, ids: Iterable[str]) -> None:
    """Each of these workflows ended well, with each of its steps recorded exactly once."""
    wanted = set(ids)
    workflows = ledger.workflows(wanted)
    assert set(workflows) == wanted
    assert {w.id: w.status for w in workflows.values() if w.status != "success"} == {}
    rows = [step for step in ledger.steps() if step.key[0] in wanted]
    found = sorted((step.key, step.name, step.kind) for step in rows)
    assert found == sorted(
        ((w.id, place.branch, place.seq), place.name, place.kind)
        for w in workflows.values()
        for place in SHAPES[w.name]
    )
    steps = {step.key: step for step in rows}
    for workflow in workflows.values():
        _check_result(workflow, steps)
    _check_runs(ledger, workflows, steps)


def _token(steps: Mapping[Key, Step], key: Key) -> str:
    token: str = json.loads(steps[key].output or "null")
    return token


def _check_result(workflow: Workflow, steps: Mapping[Key, Step]) -> None:
    """It was made of what is recorded."""
    assert json.loads(workflow.output or "null") == [
        _token(steps, (workflow.id, place.branch, place.seq))
        for place in SHAPES[workflow.name]
        if place.kind == "step"
    ]


def _check_runs(
    ledger: Ledger, workflows: Mapping[str, Workflow], steps: Mapping[Key, Step]
) -> None:
    runs = ledger.runs_by_key()
    for workflow in workflows.values():
        for place in SHAPES[workflow.name]:
            if place.kind == "step":
                key = (workflow.id, place.branch, place.seq)
                before = "+".join(_token(steps, (workflow.id, *a)) for a in place.after)
                _check_step(steps[key], runs.get(key, ()), before)


def _check_step(step: Step, runs: Iterable[Run], before: str) -> None:
    """One run made the record, none came after it, and all built on what is recorded."""
    ran = list(runs)
    made = [run for run in ran if json.dumps(run.token) == step.output]
    assert [run.ended for run in made] == [True], f"{step} was made by {ran}"
    again = [run for run in ran if run.began > step.completed + CLOCKS]
    assert again == [], f"{step} ran again after it was recorded"
    assert {run.before for run in ran} == {before}, f"{step} began on lost records"
