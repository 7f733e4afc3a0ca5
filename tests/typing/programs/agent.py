"""An async workflow: branches in plain asyncio, sync steps through acall, an async resource."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Literal, assert_type

import attrs

import perdure


@attrs.frozen
class ToolCall:
    """What the model wants done."""

    id: str
    name: str
    arguments: dict[str, str]


@attrs.frozen
class Message:
    """One turn."""

    role: Literal["user", "assistant", "tool"]
    text: str
    calls: list[ToolCall] = attrs.field(factory=list[ToolCall])


class Model:
    """An async client that somebody else wrote."""

    async def chat(self, messages: list[Message]) -> str:
        """Pretend."""
        await asyncio.sleep(0)
        return str(len(messages))


@perdure.resource
async def llm() -> AsyncIterator[Model]:  # on the loop that runs the steps
    """The model."""
    yield Model()


@perdure.step(
    retries=perdure.Retry(attempts=4, max_delay=timedelta(minutes=1)), timeout=timedelta(minutes=5)
)
async def think(messages: list[Message]) -> Message:
    """Ask the model."""
    model = await llm()
    assert_type(model, Model)
    return Message(role="assistant", text=await model.chat(messages))


@perdure.step(retries=perdure.Retry(attempts=2))
async def search_web(query: str) -> str:
    """Search."""
    return f"results for {query}"


@perdure.step
def run_python(code: str) -> str:  # a sync step
    """Run."""
    return code


async def use_tool(call: ToolCall) -> Message:
    """A concurrent branch of several steps; plain asyncio, numbered in program order."""
    match call.name:
        case "search":
            text = await search_web.options(name=f"search:{call.id}")(call.arguments["query"])
        case "python":
            text = await run_python.acall(call.arguments["code"])  # sync step: own thread pool
        case _:
            text = f"no such tool: {call.name}"
    return Message(role="tool", text=text)


@perdure.workflow
async def agent(prompt: str, max_turns: int = 20) -> str:
    """Think and act by turns."""
    messages = [Message(role="user", text=prompt)]
    for _ in range(max_turns):
        reply = await think(messages)
        assert_type(reply, Message)
        messages.append(reply)
        if not reply.calls:
            return reply.text
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(use_tool(call)) for call in reply.calls]
        messages += [task.result() for task in tasks]
        one, two = await asyncio.gather(search_web("a"), run_python.acall("b"))
        assert_type(one, str)
        assert_type(two, str)
        assert_type(await search_web.acall("c"), str)
        await perdure.asleep(timedelta(hours=1))
        await perdure.asleep_until(perdure.now())
    raise RuntimeError("too many turns")


async def serve() -> None:
    """The async twins, as a web application uses them."""
    async with perdure.Engine() as engine, engine.worker() as worker:
        assert_type(worker, perdure.Worker)
        handle = await engine.astart(agent, "hello", attributes={"kind": "chat"})
        assert_type(handle, perdure.Handle[str])
        assert_type(await handle.aresult(timeout=timedelta(seconds=5)), str)
        assert_type(engine.handle(handle.id, agent), perdure.Handle[str])
        other = await engine.astart(agent.bind("hello", max_turns=3).options(id="chat-1"))
        assert_type(other, perdure.Handle[str])
        many = await engine.astart_many([agent.bind("a"), agent.bind("b", 2)])
        assert_type(many, list[perdure.Handle[str]])
        assert_type(await handle.astatus(), perdure.Status)
        assert_type(await handle.arecord(), perdure.WorkflowRecord)
        assert_type(await handle.asteps(), list[perdure.StepRecord])
        await handle.aresume()


if __name__ == "__main__":
    asyncio.run(serve())
