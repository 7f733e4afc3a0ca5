from datetime import timedelta

import perdure

APPROVAL = perdure.Topic("approval", bool)


@perdure.step
def pay_back(order: str) -> str:
    return f"{order} paid back"


@perdure.workflow
def refund(order: str) -> str:
    if perdure.receive(APPROVAL, timeout=timedelta(days=3), default=False):
        return pay_back(order)
    return f"{order} not paid back"


engine = perdure.Engine("sqlite:///refunds.db")
