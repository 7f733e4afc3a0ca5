"""A sync workflow: payment, three days' wait, a person's approval, undoing; every verb of a handle."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal, assert_type

import attrs

import perdure

log = logging.getLogger(__name__)


@attrs.frozen
class Order:
    """What a customer wants."""

    id: str
    customer: str
    cents: int
    skus: tuple[str, ...]


@attrs.frozen
class Decision:
    """What a person says."""

    verdict: Literal["approve", "reject"]
    by: str


@attrs.frozen
class Receipt:
    """What a customer gets."""

    order_id: str
    payment_id: str
    approved_by: str | None = None


class CardDeclined(Exception):
    """The bank said no; trying again is useless."""


class OrderRejected(Exception):
    """A person said no, or nothing."""


APPROVAL = perdure.Topic("approval", Decision)  # declared once, typed at both ends
STAGE = perdure.Event("stage", str)
TRIES = perdure.Event("tries", int | None)


class Bank:
    """A client that somebody else wrote."""

    def post(self, path: str, *, key: str, body: dict[str, object]) -> dict[str, str]:
        """Pretend."""
        return {"id": f"{path}/{key}/{len(body)}"}


@perdure.resource  # made after fork, at first use; closed at drain
def bank() -> Iterator[Bank]:
    """The bank's client."""
    yield Bank()


def _worth_a_try(error: Exception) -> bool:
    return not isinstance(error, ValueError)


@perdure.step(
    retries=perdure.Retry(attempts=5, never_on=CardDeclined), timeout=timedelta(seconds=30)
)
def charge(order_id: str, cents: int) -> str:
    """Charge a card."""
    step = perdure.current_step()
    assert_type(step, perdure.CurrentStep)
    answer = bank().post(
        "/charges", key=step.idempotency_key, body={"order": order_id, "cents": cents}
    )
    if "declined" in answer:
        raise CardDeclined(order_id)
    if step.attempt > 4 and step.deadline is None:
        raise perdure.GiveUp(order_id)
    return answer["id"]


@perdure.step(retries=perdure.Retry(20, on=_worth_a_try, max_delay=timedelta(minutes=30)))
def refund(payment_id: str) -> None:
    """Give it back."""
    log.info("refund %s", payment_id)


@perdure.step(name="reserve", retries=perdure.Retry(None, on=(OSError, TimeoutError)))
def reserve(skus: tuple[str, ...], /, *, gently: bool = False) -> Decimal:
    """Reserve."""
    return Decimal(len(skus)) if gently else Decimal(0)


@perdure.step
def ask_for_approval(order: Order) -> None:
    """Tell somebody."""
    log.info("please look at %s", order.id)


def forget(order_id: str, cents: int) -> None:
    """A plain function that undoes something."""
    log.info("forget %s: %d", order_id, cents)


@perdure.workflow(queue="orders")
def checkout(order: Order, *, review: bool = True) -> Receipt:
    """Charge, reserve, wait for a person."""
    STAGE.set("paying")
    TRIES.set(None)
    perdure.compensate(forget, order.id, order.cents)
    payment = charge(order.id, order.cents)
    perdure.compensate(refund, payment)  # undone, newest first, if this workflow fails
    assert_type(payment, str)
    held = reserve.submit(order.skus, gently=True)
    assert_type(held, perdure.Future[Decimal])
    assert_type(held.result(), Decimal)
    quick = charge.options(name="charge again", timeout=timedelta(seconds=1))(order.id, 0)
    assert_type(quick, str)
    perdure.sleep(timedelta(days=3))
    perdure.sleep_until(perdure.now() + timedelta(days=1))
    if review and perdure.random().random() > 1:
        refund(payment)
    log.info("%s %s", perdure.uuid4(), perdure.current_workflow().id)
    return Receipt(order.id, payment, approval(order) if review else None)


def approval(order: Order) -> str:
    """Who approved it."""
    STAGE.set("waiting for approval")
    with perdure.shield():
        ask_for_approval(order)
    try:
        assert_type(perdure.receive(APPROVAL, timeout=timedelta(hours=1)), Decision)
    except perdure.Cancelled:
        log.info("cancelled")
        raise
    decision = perdure.receive(APPROVAL, timeout=timedelta(days=7), default=None)
    assert_type(decision, Decision | None)
    if decision is None or decision.verdict == "reject":
        raise OrderRejected(order.id)
    return decision.by


@perdure.workflow(name="close the day")
def close_day(day: str = "today") -> int:
    """One with a default."""
    return len(day)


def start(engine: perdure.Engine, order: Order) -> None:
    """Every way to start."""
    handle = engine.start(checkout, order, id=order.id)
    assert_type(handle, perdure.Handle[Receipt])
    assert_type(handle.result(timeout=timedelta(minutes=1)), Receipt)
    call = checkout.bind(order, review=False)
    assert_type(call, perdure.Call[Receipt])
    quick = engine.start(call.options(id="order-43", priority=-1, queue="fast"))
    assert_type(quick, perdure.Handle[Receipt])
    assert_type(engine.start(close_day), perdure.Handle[int])
    assert_type(engine.start(close_day, "monday", delay=timedelta(hours=1)), perdure.Handle[int])
    engine.start(close_day, "monday", run_at=datetime.now(UTC), attributes={"kind": "x", "n": 1})
    engine.start(close_day, timeout=timedelta(hours=1), deadline=datetime.now(UTC))
    engine.start("checkout", order, id="by-name", queue="orders")
    handle.send(APPROVAL, Decision("approve", by="grace"), key="approval-of-order-42")
    many = engine.start_many(checkout.bind(order).options(id=f"n{i}") for i in range(3))
    assert_type(many, list[perdure.Handle[Receipt]])


def watch(engine: perdure.Engine) -> None:
    """Every way to look."""
    handle = engine.handle("order-42", checkout)
    assert_type(handle, perdure.Handle[Receipt])
    try:
        receipt = handle.result(timeout=timedelta(minutes=1))
    except (CardDeclined, OrderRejected):
        handle.cancel("declined or rejected")
    except perdure.WorkflowParked:
        handle.resume()
    except perdure.WorkflowCancelled as error:
        log.info("%s was cancelled: %s", error.id, error.reason)
    except (perdure.WaitTimeout, perdure.RemoteError, perdure.WorkflowNotFound) as error:
        log.info("not yet: %s %s", error.code, handle.status())
    else:
        log.info("%s %s", receipt.payment_id, handle.created)
    found = engine.find(
        name="checkout", status=[perdure.Status.ERROR, perdure.Status.PARKED], limit=10
    )
    for record in found:
        assert_type(record, perdure.WorkflowRecord)
        log.info("%s %s %s", record.id, record.status.final, record.attributes.get("kind"))
    for record in engine.find(status=perdure.Status.RUNNING, queue="orders", attributes={"n": 1}):
        log.info("%s", record.error_message)


def inspect(handle: perdure.Handle[Receipt]) -> None:
    """What it publishes, and what is recorded."""
    assert_type(handle.event(STAGE), str)
    assert_type(handle.event(STAGE, timeout=timedelta(seconds=1), default="?"), str)
    assert_type(handle.event(STAGE, default=None), str | None)
    assert_type(handle.event(TRIES), int | None)
    for step in handle.steps():
        assert_type(step.output(str), str)
        assert_type(step.output(Receipt), Receipt)
        log.info("%s %s %d %s", step.name, step.status, step.attempts, step.completed_at)


def main() -> None:
    """An engine beside its worker, with every option."""
    with (
        perdure.Engine(
            "sqlite:///shop.db",
            workflows=[checkout, close_day],
            schema="perdure",
            lease=timedelta(seconds=10),
            heartbeat=timedelta(seconds=2),
            max_recoveries=3,
            linger=timedelta(seconds=5),
            migrate=True,
        ) as engine,
        engine.worker(concurrency=8, threads=4, queues=["orders"], grace=timedelta(seconds=5)),
        bank.override(Bank()),
    ):
        start(engine, Order("order-42", "ada", 4200, ("book",)))
        watch(engine)
        inspect(engine.handle("order-42", checkout))


if __name__ == "__main__":
    main()
