"""Mistakes at definitions: every line marked `# error` must be reported, and no other."""

from __future__ import annotations

import perdure


def use(*_: object) -> None:
    """So that nothing is unused."""


@perdure.step(retries=5)  # error: no integer shorthand
def charge(order: str) -> str:
    return order


@perdure.step(retry=perdure.Retry())  # error: the option is called retries
def refund(order: str) -> str:
    return order


@perdure.workflow(queue=1)  # error: queues are strings
def checkout(order: str) -> str:
    return order


@perdure.workflow(timeout=1)  # error: no such option yet
def close_day(day: str) -> str:
    return day


@perdure.resource  # error: it does not yield
def client() -> str:
    return ""


@perdure.workflow
async def agent(prompt: str) -> str:
    return prompt


def hats() -> None:
    text: str = agent("a")  # error: a coroutine, not a string
    agent.fn(1)  # error: a number for the prompt
    agent.fn = None  # error: it cannot be set
    perdure.start(agent, "a")  # error: engines start
    use(text)
