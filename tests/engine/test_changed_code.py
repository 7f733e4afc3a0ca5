"""Code that no longer fits its history is set aside, not run."""

from collections.abc import Callable
from typing import Any

import pytest

import perdure

from .support import AT_ONCE, WITHIN, Door, engine_of


@perdure.step(name="charge")
def charge() -> str:
    return "charged"


@perdure.step(name="refund")
def refund() -> str:
    return "refunded"


def _now() -> str:
    return str(perdure.now())


class Shop:
    """A workflow whose first step may change while it runs."""

    def __init__(self, url: str) -> None:
        self.first: Callable[[], str] = charge
        self.door = Door()
        self.engine = engine_of(url, self._workflow())

    def _workflow(self) -> perdure.Workflow[[], str]:
        @perdure.step(name="hold")
        def hold() -> None:
            self.door.pass_through()

        @perdure.workflow(name="shop")
        def shop() -> str:
            text = self.first()
            hold()
            return text

        self.shop = shop
        return shop

    def stopped_after_the_first_step(self) -> perdure.Handle[str]:
        with self.engine.worker(grace=AT_ONCE):
            handle = self.engine.start(self.shop, id="s-1")
            self.door.await_somebody()
        self.door.opened.set()
        return handle


@pytest.fixture
def shop(sqlite_url: str) -> Any:
    made = Shop(sqlite_url)
    with made.engine:
        yield made


@pytest.mark.parametrize(("changed", "asked"), [(refund, "step 'refund'"), (_now, "now 'now'")])
def test_another_step_at_a_recorded_place_parks_and_shows_both(
    shop: Shop, changed: Callable[[], str], asked: str
) -> None:
    handle = shop.stopped_after_the_first_step()
    before = handle.steps()
    shop.first = changed

    parked = pytest.raises(perdure.WorkflowParked, match="perdure resume s-1")
    with shop.engine.worker(), parked as caught:
        handle.result(timeout=WITHIN)

    reason = caught.value.reason
    assert "step 1" in reason
    assert "step 'charge'" in reason
    assert asked in reason
    assert handle.status() is perdure.Status.PARKED
    assert not perdure.Status.PARKED.final
    assert handle.steps() == before


def test_a_parked_workflow_goes_on_when_its_code_is_back(shop: Shop) -> None:
    handle = shop.stopped_after_the_first_step()
    shop.first = refund
    with shop.engine.worker():
        with pytest.raises(perdure.WorkflowParked):
            handle.result(timeout=WITHIN)
        shop.first = charge
        handle.resume()
        assert handle.result(timeout=WITHIN) == "charged"
    assert handle.record().error_message is None


def test_a_parked_workflow_parks_again_when_its_code_is_not_back(shop: Shop) -> None:
    handle = shop.stopped_after_the_first_step()
    shop.first = refund
    with shop.engine.worker():
        for epoch in (2, 3, 4):
            with pytest.raises(perdure.WorkflowParked):
                handle.result(timeout=WITHIN)
            assert handle.record().epoch == epoch
            handle.resume()


def test_code_that_catches_everything_is_parked_as_well(sqlite_url: str) -> None:
    door, steps = Door(), [charge]

    @perdure.step(name="hold")
    def hold() -> None:
        door.pass_through()

    @perdure.workflow(name="stubborn")
    async def stubborn() -> str:
        try:
            await steps[0].acall()
        except Exception:  # noqa: BLE001 (what many an agent's loop does)
            return "swallowed"
        await hold.acall()
        return "done"

    with engine_of(sqlite_url, stubborn) as engine:
        with engine.worker(grace=AT_ONCE):
            handle = engine.start(stubborn)
            door.await_somebody()
        door.opened.set()
        steps[0] = refund
        with engine.worker(), pytest.raises(perdure.WorkflowParked, match="charge"):
            handle.result(timeout=WITHIN)


def test_resume_is_for_parked_workflows(shop: Shop) -> None:
    with shop.engine.worker():
        handle = shop.engine.start(shop.shop)
        shop.door.await_somebody()
        handle.resume()  # under way: nothing to do
        shop.door.opened.set()
        handle.result(timeout=WITHIN)
    with pytest.raises(perdure.WorkflowFinished, match="success"):
        handle.resume()
    with pytest.raises(perdure.WorkflowNotFound):
        shop.engine.handle("nobody").resume()
