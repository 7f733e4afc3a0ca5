"""The program of the README."""

from datetime import timedelta

import perdure


@perdure.step(retries=perdure.Retry(attempts=5))
def charge(order: str, cents: int) -> str:
    """Print instead of charging."""
    print("charging", order, cents)  # noqa: T201 (as the README has it)
    return f"payment-for-{order}"


@perdure.workflow
def checkout(order: str, cents: int) -> str:
    """Charge, wait, ship."""
    payment = charge(order, cents)  # recorded once
    perdure.sleep(timedelta(seconds=20))  # press Ctrl-C here, then start again
    return f"{order} shipped, {payment}"


engine = perdure.Engine("sqlite:///shop.db")  # or postgresql://…, cockroachdb://…

if __name__ == "__main__":
    with engine, engine.worker():
        print(engine.start(checkout, "order-42", 4200, id="order-42").result())  # noqa: T201
