"""A workflow kills each worker that runs it."""

from datetime import timedelta

import pytest

import perdure

from .fleet import Fleet
from .ledger import Ledger
from .program import chain, fan, late, nap, poison, relay
from .shapes import check_all


def test_a_workflow_that_kills_its_workers_is_parked_and_the_others_are_not(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine
) -> None:
    fleet.options = ("--max-recoveries", "3")
    culprit = engine.start(poison, "cure", 0.3)
    calls = [workflow.bind(0.2) for workflow in (chain, fan, nap, relay) for _ in range(7)]
    # These make no progress while it kills, and so become suspects, too.
    calls += [late.bind(1.5, 0.1) for _ in range(2)]
    innocent = {handle.id for handle in engine.start_many(calls)}

    fleet.until_ended(innocent | {culprit.id}, keep=2, seconds=60)

    assert {w.status for w in ledger.workflows(innocent).values()} == {"success"}
    parked = ledger.workflows()[culprit.id]
    assert (parked.status, parked.owner, parked.recoveries) == ("parked", None, 3)
    assert f"perdure resume {culprit.id}" in (parked.error_message or "")
    with pytest.raises(perdure.WorkflowParked, match="perdure resume"):
        culprit.result(timeout=timedelta(seconds=5))

    ledger.open("cure")
    culprit.resume()
    fleet.until_ended({culprit.id}, keep=2)
    check_all(ledger, innocent | {culprit.id})
    runs = ledger.runs_by_key()
    assert len(runs[culprit.id, "", 1]) == 1
    assert len(runs[culprit.id, "", 2]) == 4
