"""What cannot be stored or read is a named, final error, wherever it turns up."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

import perdure

from .support import WITHIN, engine_of, ran, serving


def insert(url: str, **columns: Any) -> None:
    """A row written by a stranger."""
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    database = sqlite3.connect(url.removeprefix("sqlite:///"))
    with database:
        database.execute(
            f"INSERT INTO workflows ({names}) VALUES ({marks})",  # noqa: S608 (our own names)
            tuple(columns.values()),
        )
    database.close()


def test_a_result_that_cannot_be_stored_ends_the_workflow(sqlite_url: str) -> None:
    @perdure.workflow
    def outer() -> Any:
        return object()

    with pytest.raises(perdure.SerializationError, match=r"the result of .*outer"):
        ran(sqlite_url, outer.bind())


def test_a_result_of_another_type_ends_the_workflow(sqlite_url: str) -> None:
    @perdure.workflow
    async def outer() -> int:
        wrong: Any = "many"
        return wrong  # type: ignore[no-any-return]

    with pytest.raises(perdure.SerializationError, match="outer"):
        ran(sqlite_url, outer.bind())


def test_a_steps_result_that_cannot_be_stored_is_the_steps_error(sqlite_url: str) -> None:
    bodies: list[int] = []

    @perdure.step(name="charge", retries=perdure.Retry(3))
    def charge() -> Any:
        bodies.append(1)
        return object()

    @perdure.workflow
    def outer() -> None:
        charge()

    with serving(sqlite_url, outer) as engine:
        handle = engine.start(outer)
        with pytest.raises(perdure.SerializationError, match="the result of step charge"):
            handle.result(timeout=WITHIN)
        (step,) = handle.steps()
    assert step.status == "error"
    assert bodies == [1]


class Hostile:
    """Breaks whoever looks at it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __getattribute__(self, name: str) -> Any:
        raise object.__getattribute__(self, "error")


@pytest.mark.parametrize("error", [RecursionError(), AttributeError("x"), SystemExit(3)])
def test_a_result_that_breaks_whoever_looks_at_it_ends_the_workflow(
    sqlite_url: str, error: BaseException
) -> None:
    @perdure.workflow
    def outer() -> Any:
        return {"a": Hostile(error)}

    @perdure.workflow
    async def aouter() -> Any:
        return [Hostile(error)]

    for workflow in (outer, aouter):
        with pytest.raises(perdure.PerdureError):
            ran(sqlite_url, workflow.bind())


def test_a_result_that_contains_itself_ends_the_workflow(sqlite_url: str) -> None:
    @perdure.workflow
    def outer() -> Any:
        knot: list[Any] = []
        knot.append(knot)
        return knot

    with pytest.raises(perdure.SerializationError):
        ran(sqlite_url, outer.bind())


def _unresolvable(colour: str) -> perdure.Workflow[[], Any]:
    def broken() -> Any:
        return 1

    async def abroken() -> Any:
        return 1

    fn: Callable[[], Any] = broken if colour == "sync" else abroken
    fn.__annotations__["return"] = "NobodyKnows"
    return perdure.workflow(name="broken")(fn)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_return_annotation_that_cannot_be_resolved_ends_the_workflow(
    sqlite_url: str, colour: str
) -> None:
    with serving(sqlite_url, _unresolvable(colour)) as engine:
        insert(sqlite_url, workflow_id="w", name="broken", input="{}")
        with pytest.raises(perdure.DefinitionError, match="NobodyKnows"):
            engine.handle("w").result(timeout=WITHIN)


def test_an_annotation_of_a_step_that_cannot_be_resolved_ends_the_workflow(
    sqlite_url: str,
) -> None:
    def broken() -> Any:
        return 1

    broken.__annotations__["return"] = "NobodyKnows"
    step = perdure.step(broken)

    @perdure.workflow
    def outer() -> None:
        step()

    with pytest.raises(perdure.DefinitionError, match="NobodyKnows"):
        ran(sqlite_url, outer.bind())


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("no json", perdure.SerializationError),
        ('{"args": ["many"]}', perdure.SerializationError),
        ('{"args": 1}', perdure.InvalidArguments),
        ('{"args": [1, 2]}', perdure.InvalidArguments),
        ('{"arguments": [1]}', perdure.InvalidArguments),
        ("[1]", perdure.InvalidArguments),
        ('{"kwargs": {"other": 1}}', perdure.InvalidArguments),
    ],
)
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_an_input_that_cannot_be_read_ends_the_workflow(
    sqlite_url: str, colour: str, text: str, error: type[Exception]
) -> None:
    @perdure.workflow(name="count")
    def count(number: int) -> int:
        return number

    @perdure.workflow(name="count")
    async def acount(number: int) -> int:
        return number

    workflow: perdure.Workflow[..., Any] = count if colour == "sync" else acount
    with serving(sqlite_url, workflow) as engine:
        insert(sqlite_url, workflow_id="w", name="count", input=text)
        with pytest.raises(error, match=r"^count.*"):
            engine.handle("w").result(timeout=WITHIN)
        assert engine.handle("w").status() is perdure.Status.ERROR
        assert engine.start(workflow, 3).result(timeout=WITHIN) == 3


def test_a_row_that_anybody_inserts_runs(sqlite_url: str) -> None:
    @perdure.workflow(name="greet")
    def greet(name: str, *, times: int = 1) -> str:
        return f"hello {name}" * times

    with serving(sqlite_url, greet) as engine:
        insert(sqlite_url, workflow_id="a", name="greet", input='{"args": ["ada"]}')
        insert(
            sqlite_url, workflow_id="b", name="greet", input='{"kwargs": {"times": 2, "name": "b"}}'
        )
        assert engine.handle("a", greet).result(timeout=WITHIN) == "hello ada"
        assert engine.handle("b", greet).result(timeout=WITHIN) == "hello bhello b"
        record = engine.handle("a").record()
    assert (record.queue, record.priority, record.recoveries, record.attributes) == (
        "default",
        0,
        0,
        {},
    )


def test_a_row_without_input_runs_a_workflow_without_parameters(sqlite_url: str) -> None:
    @perdure.workflow(name="tick")
    def tick() -> str:
        return "tock"

    with serving(sqlite_url, tick) as engine:
        insert(sqlite_url, workflow_id="a", name="tick")
        assert engine.handle("a").result(timeout=WITHIN) == "tock"


def test_a_stored_step_that_cannot_be_read_as_asked_is_named(sqlite_url: str) -> None:
    @perdure.step
    def text() -> str:
        return "many"

    @perdure.workflow
    def outer() -> str:
        return text()

    with engine_of(sqlite_url, outer) as engine, engine.worker():
        handle = engine.start(outer)
        handle.result(timeout=WITHIN)
        with pytest.raises(perdure.SerializationError, match="int"):
            handle.steps()[0].output(int)
