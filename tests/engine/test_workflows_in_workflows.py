"""What a workflow may ask of other workflows, and of an engine."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import perdure

from .places import (
    MAIL,
    NEWS,
    ainner,
    call,
    in_async_step,
    in_async_workflow,
    in_step,
    in_workflow,
    inner,
)
from .support import WITHIN, engine_of, serving


def test_a_workflow_called_in_a_workflow_of_its_colour_is_a_child(sqlite_url: str) -> None:
    @perdure.workflow
    def outer() -> str:
        return inner()

    @perdure.workflow
    async def aouter() -> str:
        return await ainner()

    with serving(sqlite_url, outer, aouter, inner, ainner) as engine:
        for workflow in (outer, aouter):
            handle = engine.start(workflow)
            assert handle.result(timeout=WITHIN) == "<inner>"
            assert [step.kind for step in handle.steps()] == ["child", "result"]


def test_a_workflow_called_in_a_workflow_of_the_other_colour_names_the_way(sqlite_url: str) -> None:
    with pytest.raises(perdure.UsageError, match=r"perdure\.start_child\(ainner, …\)\.result\(\)"):
        in_workflow(sqlite_url, ainner)
    with pytest.raises(perdure.BlockingCall, match=r"perdure\.astart_child\(inner, …\)"):
        in_async_workflow(sqlite_url, functools.partial(call, inner))


def test_a_workflow_is_not_called_in_steps(sqlite_url: str) -> None:
    with pytest.raises(perdure.UsageError, match="inner"):
        in_step(sqlite_url, inner)
    with pytest.raises(perdure.UsageError, match="ainner"):
        in_async_step(sqlite_url, ainner)


def test_a_client_is_refused_in_workflow_code(sqlite_url: str) -> None:
    with engine_of(sqlite_url, inner) as engine:
        handle = engine.start(inner)
        verbs: list[Callable[[], Any]] = [
            lambda: engine.start(inner),
            lambda: engine.start_many([inner.bind()]),
            engine.find,
            handle.status,
            handle.steps,
            handle.resume,
        ]
        for verb in verbs:
            with pytest.raises(perdure.UsageError):
                in_workflow(sqlite_url, verb)
            with pytest.raises(perdure.UsageError):
                in_async_workflow(sqlite_url, functools.partial(call, verb))
        twins: list[Callable[[], Coroutine[Any, Any, Any]]] = [
            lambda: engine.astart(inner),
            lambda: engine.astart_many([inner.bind()]),
            handle.astatus,
            handle.arecord,
        ]
        for twin in twins:
            with pytest.raises(perdure.UsageError):
                in_async_workflow(sqlite_url, twin)


def waiting_verbs(handle: perdure.Handle[str]) -> list[tuple[str, Callable[[], Any]]]:
    """What waits in a workflow, and the name of its twin."""
    return [
        (r"handle\.aresult", handle.result),
        (r"handle\.aevent", lambda: handle.event(NEWS)),
        (r"handle\.asend", lambda: handle.send(MAIL, "x")),
        (r"handle\.acancel", handle.cancel),
        (r"perdure\.areceive", lambda: perdure.receive(MAIL)),
        (r"perdure\.astart_child", lambda: perdure.start_child(inner)),
        (r"perdure\.astart_children", lambda: perdure.start_children([inner.bind()])),
        (r"perdure\.afirst", lambda: perdure.first([handle])),
        (r"perdure\.aresults", lambda: list(perdure.results([handle]))),
    ]


def awaiting_verbs(
    handle: perdure.Handle[str],
) -> list[tuple[str, Callable[[], Coroutine[Any, Any, Any]]]]:
    """The same for async workflows, and the names of their twins."""

    async def aresults() -> None:
        async for _ in perdure.aresults([handle]):
            pass

    async def afirst() -> None:
        await perdure.afirst([handle])

    return [
        (r"handle\.result", handle.aresult),
        (r"handle\.event", lambda: handle.aevent(NEWS)),
        (r"handle\.send", lambda: handle.asend(MAIL, "x")),
        (r"handle\.cancel", handle.acancel),
        (r"perdure\.receive", lambda: perdure.areceive(MAIL)),
        (r"perdure\.start_child", lambda: perdure.astart_child(inner)),
        (r"perdure\.start_children", lambda: perdure.astart_children([inner.bind()])),
        (r"perdure\.first", afirst),
        (r"perdure\.results", aresults),
    ]


def test_in_an_async_workflow_what_would_block_names_its_twin(sqlite_url: str) -> None:
    with engine_of(sqlite_url, inner) as engine:
        for twin, verb in waiting_verbs(engine.start(inner)):
            with pytest.raises(perdure.BlockingCall, match=twin):
                in_async_workflow(sqlite_url, functools.partial(call, verb))


def test_in_a_sync_workflow_what_is_awaited_names_its_twin(sqlite_url: str) -> None:
    with engine_of(sqlite_url, inner) as engine:
        for twin, verb in awaiting_verbs(engine.start(inner)):

            def play(verb: Callable[[], Coroutine[Any, Any, Any]] = verb) -> None:
                verb().send(None)

            with pytest.raises(perdure.UsageError, match=twin):
                in_workflow(sqlite_url, play)


def test_in_a_workflow_a_handles_verbs_are_durable(sqlite_url: str) -> None:
    @perdure.workflow
    def other() -> str:
        NEWS.set("on air")
        return perdure.receive(MAIL)

    with serving(sqlite_url, other) as engine:
        handle = engine.start(other)

        @perdure.workflow
        def outer() -> list[str]:
            handle.send(MAIL, "hello")
            return [handle.event(NEWS), handle.result()]

        with serving(sqlite_url, outer) as second:
            asking = second.start(outer)
            assert asking.result(timeout=WITHIN) == ["on air", "hello"]
            assert [step.kind for step in asking.steps()] == ["send", "await", "result"]
