"""All SQL that CockroachDB gets: a golden file, and what must never stand in it.

After a change that is meant: PERDURE_GOLDEN=write pytest tests/backends/test_cockroachdb_sql.py
"""

import inspect
import os
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from perdure_backends.cockroachdb import CockroachBackend
from perdure_backends.cockroachdb.dialect import COCKROACHDB
from perdure_backends.sql import (
    cancellation,
    claims,
    commits,
    events,
    locks,
    messages,
    migrate,
    outbox,
    steps,
    streams,
    subscriptions,
    workers,
    workflows,
)
from perdure_backends.sql.compiled import Compiled
from perdure_backends.sql.dialect import Dialect

Build = Callable[..., Any]
_GOLDEN = Path(__file__).with_name("cockroachdb.sql")
_PARTS = (commits.STEPS, commits.WAITS, commits.TRANSITIONS)
_SHAPES: dict[Build, list[tuple[object, ...]]] = {
    commits.commit: [
        *(parts for count in (1, 2, 3) for parts in combinations(_PARTS, count)),
        (commits.FRESH, *_PARTS),
        (commits.FRESH, commits.PLAIN, commits.STEPS, commits.TRANSITIONS),
        (commits.FRESH, commits.PLAIN, commits.SUCCESSES, commits.STEPS, commits.TRANSITIONS),
        (commits.FRESH, commits.ALONE, commits.PLAIN, commits.STEPS),
        (commits.ALONE, *_PARTS, commits.ITEMS),
        (commits.STEPS, commits.CONSUMPTIONS),
        (commits.STEPS, commits.EVENTS),
        (commits.ITEMS,),
        (commits.FRESH, commits.CONSUMPTIONS, commits.EVENTS, *_PARTS, commits.ITEMS),
    ],
    cancellation.ask: [(False,), (True,)],
    claims.claim_shard: [(False,), (True,)],
    claims.heads: [(False,), (True,)],
    workflows.submit: [
        (),
        tuple(sorted(workflows.USUAL)),
        (workflows.FRESH, *sorted(workflows.USUAL)),
    ],
    workflows.load: [(False,), (True,)],
    workflows.find: [
        (),
        ("name", "statuses", "queue", "attributes", "parent_id", "after"),
    ],
    locks.schema: [("perdure",)],
}
_ELSEWHERE: set[Build] = {
    # Parts of what is fused here, and other ways to claim.
    workers.fenced,
    workers.arrive,
    workers.define,
    workers.renew,
    workers.pulse,
    steps.owned,
    steps.record,
    steps.wait,
    claims.claim,
    claims.candidates,
    claims.take_ids,
    claims.let_go,
    claims.succeed,
    claims.ready,
    claims.take,
    cancellation.ends,
    events.publishing,
    messages.insert,
    messages.consume,
    outbox.leave,
    outbox.ends,
    outbox.followed,
    outbox.events,
    outbox.tell,
    outbox.apply,
    outbox.sweep,
    streams.write,
    subscriptions.target,
    subscriptions.mark,
    subscriptions.enter,
    locks.locked,
    migrate.upgrade,
    migrate.script,
}


def _builders() -> Iterator[Build]:
    modules: tuple[ModuleType, ...] = (
        cancellation,
        claims,
        commits,
        events,
        locks,
        messages,
        migrate,
        outbox,
        steps,
        streams,
        subscriptions,
        workers,
        workflows,
    )
    for module in modules:
        for name, found in sorted(vars(module).items()):
            if name.startswith("_") or not inspect.isfunction(found):
                continue
            given = list(inspect.signature(found).parameters.values())
            takes = given and given[0].annotation is Dialect
            if takes and found.__module__ == module.__name__ and found not in _ELSEWHERE:
                yield found


def _statements() -> dict[str, str]:
    compiled = Compiled(COCKROACHDB, "perdure")
    found: dict[str, str] = {}
    for build in _builders():
        for shape in _SHAPES.get(build, [()]):
            noun = build.__module__.rpartition(".")[2]
            words = " ".join([f"{noun}.{build.__name__}", *map(str, shape)])
            found[words] = compiled.text(build, *shape).strip()
    return found


def _migration() -> str:
    backend = CockroachBackend("cockroachdb://localhost/perdure")
    return backend.migration_sql().strip()


def _page() -> str:
    statements = [f"-- {name}\n{text}\n" for name, text in _statements().items()]
    lines = "\n".join(["-- migration", _migration(), "", *statements]).splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def test_the_sql_for_cockroachdb_is_the_golden_file() -> None:
    if os.environ.get("PERDURE_GOLDEN") == "write":
        _GOLDEN.write_text(_page())
    assert _page() == _GOLDEN.read_text()


@pytest.mark.parametrize(
    "word",
    [
        "FOREIGN KEY",
        "REFERENCES",
        "TRIGGER",
        "SEQUENCE",
        "nextval",
        "SERIAL",
        "IDENTITY",
        "SAVEPOINT",
        "CURRENT_TIMESTAMP",
        "advisory",
        "LISTEN",
        "NOTIFY",
        "TEMP",
        "set_config",
        "infinity",
        "COLLATE",
        "AS OF SYSTEM TIME",
        "clock_timestamp",
        "::",
    ],
)
def test_the_golden_file_has_no(word: str) -> None:
    assert not re.search(rf"(?<!\w){re.escape(word)}", _GOLDEN.read_text(), re.IGNORECASE)


_WRITE = re.compile(r"(?:INSERT INTO|DELETE FROM|(?<!FOR )(?<!NO KEY )(?<!DO )UPDATE) ([\w.]+)")


@pytest.mark.parametrize("name", _statements())
def test_a_statement_writes_no_table_twice(name: str) -> None:
    written = _WRITE.findall(_statements()[name])
    assert len(written) == len(set(written)), written


def test_the_lint_sees_a_table_that_is_written_twice() -> None:
    text = "WITH a AS (UPDATE t SET x=1) INSERT INTO t SELECT 1 FOR UPDATE OF t"
    assert _WRITE.findall(text) == ["t", "t"]


@pytest.mark.parametrize("name", _statements())
def test_every_parameter_has_a_cast(name: str) -> None:
    text = _statements()[name]
    bare = re.sub(r"CAST\(%\(\w+\)s AS [A-Z \[\]]+\)", "", text)
    assert "%(" not in bare


def test_a_migration_can_run_twice() -> None:
    created = re.findall(r"^CREATE.*", _migration(), re.MULTILINE)
    once = [line for line in created if "IF NOT EXISTS" not in line]
    # Alembic looks before it creates this one.
    assert once == ["CREATE TABLE perdure.perdure_version ("]


def test_indexes_of_the_queue_begin_with_the_shard() -> None:
    indexes = re.findall(r"ON \"perdure\".workflows \((\w+)", _migration())
    assert indexes[:2] == ["shard", "shard"]
