"""The engine itself: what making one does, where its settings come from, its async twins."""

import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure.backend import Backend, News
from perdure.bell import Bell
from perdure.outcomes import Waiter
from perdure.url import open_backend

from .support import WITHIN, Door, Memory, engine_of, serving, until


@perdure.workflow(name="engine.greet")
def greet(name: str) -> str:
    return f"hello {name}"


@perdure.step
async def shout(text: str) -> str:
    return text.upper()


@perdure.workflow(name="engine.agreet")
async def agreet(name: str) -> str:
    return await shout(f"hello {name}")


# -------------------------------------------------------------------- making


def test_making_an_engine_and_a_worker_does_no_io_and_starts_no_thread(tmp_path: Path) -> None:
    threads = threading.enumerate()
    engine = perdure.Engine(f"sqlite:///{tmp_path}/shop.db")
    worker = engine.worker()
    handle = engine.handle("order-42", greet)

    assert list(tmp_path.iterdir()) == []
    assert threading.enumerate() == threads
    assert repr(engine) == "<engine closed>"
    assert "stopped" in repr(worker)
    assert (handle.id, handle.created) == ("order-42", False)
    perdure.Engine("nosuch://never-asked")


def test_an_unknown_scheme_is_told_when_it_is_used() -> None:
    with pytest.raises(perdure.UnknownBackend, match="nosuch") as caught:
        perdure.Engine("nosuch://x").handle("a").status()
    assert "sqlite" in caught.value.known


def test_an_empty_sqlite_file_gets_its_tables_when_it_is_opened(sqlite_url: str) -> None:
    with perdure.Engine(sqlite_url, workflows=[greet]) as engine, engine.worker():
        assert engine.start(greet, "ada").result(timeout=WITHIN) == "hello ada"


def test_tables_are_not_made_when_that_is_refused(sqlite_url: str) -> None:
    with pytest.raises(perdure.SchemaError, match="perdure migrate"):
        perdure.Engine(sqlite_url, migrate=False).__enter__()
    perdure.Engine(sqlite_url).migrate()
    with perdure.Engine(sqlite_url, migrate=False) as engine:
        assert list(engine.find()) == []


def test_tables_of_a_newer_version_are_left_alone(sqlite_url: str) -> None:
    with engine_of(sqlite_url):
        pass
    database = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    tables = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%version%'"
    )
    (table,) = [row[0] for row in tables]
    with database:
        database.execute(f"UPDATE {table} SET version_num = '9999'")  # noqa: S608 (a fixed name)
    database.close()
    for migrate in (None, True):
        with pytest.raises(perdure.SchemaError, match="newer"):
            perdure.Engine(sqlite_url, migrate=migrate).__enter__()


@pytest.mark.parametrize(
    "options",
    [
        {"lease": timedelta(seconds=5)},
        {"lease": timedelta(seconds=1), "heartbeat": timedelta(seconds=0.1)},
        {"heartbeat": timedelta(0)},
        {"max_recoveries": 0},
    ],
)
def test_options_that_do_not_fit_together_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(perdure.ConfigurationError):
        perdure.Engine("sqlite://", **options)


def test_a_password_is_in_no_repr_and_no_error() -> None:
    engine = perdure.Engine("postgresql://ada:secret@127.0.0.1:1/shop")
    with pytest.raises(perdure.PerdureError) as caught:
        engine.handle("a").status()
    assert "secret" not in repr(engine) + str(caught.value) + repr(caught.value)


def test_a_database_in_memory_works() -> None:
    with perdure.Engine("sqlite://", workflows=[greet], migrate=True) as engine, engine.worker():
        assert engine.start(greet, "ada").result(timeout=WITHIN) == "hello ada"


def test_a_worker_runs_once_at_a_time_and_can_run_again(sqlite_url: str) -> None:
    with engine_of(sqlite_url, greet) as engine:
        worker = engine.worker()
        for name in ("ada", "bob"):
            with worker:
                with pytest.raises(perdure.UsageError, match="already"):
                    worker.__enter__()
                assert engine.start(greet, name).result(timeout=WITHIN) == f"hello {name}"
            assert worker.id is None


def test_workers_of_one_process_share_the_work(sqlite_url: str) -> None:
    together = threading.Barrier(2)

    @perdure.workflow(name="meet")
    def meet() -> int:
        return together.wait(WITHIN.total_seconds())

    with serving(sqlite_url, meet, concurrency=1) as one, serving(sqlite_url, meet, concurrency=1):
        handles = [one.start(meet) for _ in range(2)]
        assert sorted(handle.result(timeout=WITHIN) for handle in handles) == [0, 1]


def test_a_worker_leaves_no_thread_behind(sqlite_url: str) -> None:
    def ours() -> set[threading.Thread]:
        return {t for t in threading.enumerate() if t.name.startswith("perdure-")}

    before = ours()
    with serving(sqlite_url, greet, agreet) as engine:
        engine.start(greet, "ada").result(timeout=WITHIN)
        engine.start(agreet, "ada").result(timeout=WITHIN)
    until(lambda: not ours() - before)


def test_a_worker_that_has_left_is_told_no_news(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening = list[Callable[[], None]]()
    on, off = Bell.on, Bell.off

    def begin(bell: Bell, *news: News, call: Callable[[], None], **how: bool) -> None:
        listening.append(call)
        on(bell, *news, call=call, **how)

    def end(bell: Bell, call: Callable[[], None]) -> None:
        listening[:] = [each for each in listening if each != call]
        off(bell, call)

    monkeypatch.setattr(Bell, "on", begin)
    monkeypatch.setattr(Bell, "off", end)
    with engine_of(memory.url, greet) as engine:
        with engine.worker():
            assert listening
        assert listening == []


# ------------------------------------------------------------------ settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("PERDURE_DATABASE_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_url_is_the_argument_the_environment_the_project_or_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert perdure.Engine().url == "sqlite:///perdure.db"
    (folder / "pyproject.toml").write_text('[tool.perdure]\nurl = "sqlite:///project.db"\n')
    assert perdure.Engine().url == "sqlite:///project.db"
    monkeypatch.setenv("DATABASE_URL", "sqlite:///environment.db")
    assert perdure.Engine().url == "sqlite:///environment.db"
    monkeypatch.setenv("PERDURE_DATABASE_URL", "sqlite:///ours.db")
    assert perdure.Engine().url == "sqlite:///ours.db"
    assert perdure.Engine("sqlite:///given.db").url == "sqlite:///given.db"


def test_a_file_that_nobody_asked_for_is_told(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with perdure.Engine(migrate=True):
        pass
    assert (folder / "perdure.db").exists()
    said = [record.getMessage() for record in caplog.records]
    assert said == ["no database URL is configured: using sqlite:///perdure.db"]


def test_a_project_file_that_cannot_be_read_is_an_error(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.perdure")
    with pytest.raises(perdure.ConfigurationError, match=r"pyproject\.toml"):
        _ = perdure.Engine().url


# --------------------------------------------------------------- async twins


def test_the_async_twins_work_in_a_loop_of_the_users(sqlite_url: str) -> None:
    async def main() -> None:
        engine = engine_of(sqlite_url, greet, agreet)
        async with engine, engine.worker() as worker:
            assert worker.id is not None
            handle = await engine.astart(agreet, "ada", id="a-1")
            assert handle.created
            assert await handle.aresult(timeout=WITHIN) == "HELLO ADA"
            assert await handle.astatus() is perdure.Status.SUCCESS
            assert (await handle.arecord()).name == "engine.agreet"
            assert [step.output(str) for step in await handle.asteps()] == ["HELLO ADA"]
            assert not (await engine.astart(agreet.bind("ada").options(id="a-1"))).created
            many = await engine.astart_many(greet.bind(str(i)) for i in range(30))
            results = await asyncio.gather(*(one.aresult(timeout=WITHIN) for one in many))
            assert results == [f"hello {i}" for i in range(30)]
            with pytest.raises(perdure.WorkflowFinished):
                await handle.aresume()
            with pytest.raises(perdure.WorkflowNotFound):
                await engine.handle("nobody").arecord()
            astart: Any = engine.astart
            with pytest.raises(perdure.InvalidArguments):
                await astart(greet, "a", "b")
            with pytest.raises(perdure.InvalidArguments):
                await astart(greet, "a", loud=True)

    asyncio.run(main())


def test_waiting_does_not_block_the_users_loop(sqlite_url: str) -> None:
    door = Door()

    @perdure.workflow(name="hold")
    def hold() -> str:
        door.pass_through()
        return "done"

    async def main() -> str:
        engine = engine_of(sqlite_url, hold)
        async with engine, engine.worker():
            handle = await engine.astart(hold)
            waiting = asyncio.create_task(handle.aresult(timeout=WITHIN))
            await asyncio.to_thread(door.await_somebody)
            door.opened.set()
            return await waiting

    assert asyncio.run(main()) == "done"


def test_blocking_verbs_are_the_users_business_in_a_loop_of_the_users(sqlite_url: str) -> None:
    async def main() -> str:
        with serving(sqlite_url, greet) as engine:
            return engine.start(greet, "ada").result(timeout=WITHIN)

    assert asyncio.run(main()) == "hello ada"


def test_no_async_twin_opens_the_engine_in_the_users_thread(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_in: list[int] = []

    def spy(url: str, *, namespace: str) -> Backend:
        opened_in.append(threading.get_ident())
        return open_backend(url, namespace=namespace)

    monkeypatch.setattr("perdure.connection.open_backend", spy)

    async def main() -> None:
        for verb in ("aresult", "astatus", "asteps", "aresume"):
            engine = engine_of(sqlite_url)
            with pytest.raises(perdure.WorkflowNotFound):
                await getattr(engine.handle("nobody"), verb)()
            engine.close()

    asyncio.run(main())
    assert len(opened_in) == 4
    assert threading.get_ident() not in opened_in


SOON = timedelta(milliseconds=50)
NEWS: perdure.Event[Any] = perdure.Event("engine.news", Any)


def looked_for() -> int:
    """For how many who wait this process looks."""
    return sum(isinstance(one, Waiter) for one in gc.get_objects())


async def cancelled(waiting: Awaitable[object]) -> None:
    """Somebody gives up, as a handler does whose client has gone."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SOON.total_seconds()):
            await waiting


async def late(waiting: Awaitable[object]) -> None:
    with pytest.raises(perdure.WaitTimeout):
        await waiting


GIVING_UP: dict[str, Callable[[perdure.Handle[str]], Awaitable[None]]] = {
    "cancelled": lambda handle: cancelled(handle.aresult()),
    "cancelled event": lambda handle: cancelled(handle.aevent(NEWS)),
    "late": lambda handle: late(handle.aresult(timeout=SOON)),
    "late event": lambda handle: late(handle.aevent(NEWS, timeout=SOON)),
    "late thread": lambda handle: late(asyncio.to_thread(handle.result, timeout=SOON)),
}


@pytest.mark.parametrize("how", GIVING_UP)
def test_nobody_looks_for_who_has_given_up(sqlite_url: str, how: str) -> None:
    async def main() -> str:
        engine = engine_of(sqlite_url, greet)
        async with engine:
            handle = await engine.astart(greet, "ada")
            await GIVING_UP[how](handle)
            await asyncio.to_thread(until, lambda: not looked_for())
            async with engine.worker():
                return await handle.aresult(timeout=WITHIN)

    assert asyncio.run(main()) == "hello ada"


# ---------------------------------------------------------------------- fork

FORKING = """
    import os, sys, threading
    from datetime import timedelta
    import perdure
    from perdure.loop import LOOP_THREADS

    @perdure.workflow
    def greet(name: str) -> str:
        return f"hello {name}"

    LONG = timedelta(seconds=20)
    engine = perdure.Engine(sys.argv[1], migrate=True)
    with engine:
        with engine.worker():
            assert engine.start(greet, "ada").result(timeout=LONG) == "hello ada"
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    assert not LOOP_THREADS, "the parent's event loop is not here"
                    handle = engine.start(greet, "bob")
                    assert handle.result(timeout=LONG) == "hello bob"
                    assert engine.handle(handle.id).status() is perdure.Status.SUCCESS
                    code = 0
                finally:
                    sys.stderr.flush()
                    os._exit(code)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert engine.start(greet, "eve").result(timeout=LONG) == "hello eve"
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with engine.worker():
                    assert engine.start(greet, "dan").result(timeout=LONG) == "hello dan"
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert len(list(engine.find(status=perdure.Status.SUCCESS))) == 4
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_an_engine_that_was_used_before_a_fork_works_in_the_child(
    sqlite_url: str, tmp_path: Path
) -> None:
    program = tmp_path / "forking.py"
    program.write_text(textwrap.dedent(FORKING))
    done = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, str(program), sqlite_url],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
