"""Schema: tables come to be, once, whoever asks and however often."""

from contextlib import closing
from urllib.parse import urlsplit

import pytest

from perdure import backend as seam
from perdure.backend import Backend, SchemaVersion
from perdure.errors import SchemaError
from perdure_compat.harness import Harness, Place
from perdure_compat.promise import promise

from .children import Child
from .races import together
from .records import get, join, own, submit

MIGRATORS = promise(
    Backend.migrate,
    "Any number of processes may migrate at once, and one may be killed half way: calling "
    "again finishes the work.",
)


@promise(Backend.schema_version, "Which revision the tables have.")
@promise(SchemaVersion, "`current` is None where there are no tables")
def test_a_place_without_tables_has_no_revision(place: Place) -> None:
    with closing(place.open()) as backend:
        assert backend.schema_version().current is None


@promise(Backend.migrate, "Create the tables, or bring them to this code's revision.")
@promise(SchemaVersion, "The revision in the database beside the one this code wants.")
def test_migrate_creates_the_tables(backend: Backend) -> None:
    version = backend.schema_version()
    assert version.current == version.wanted
    assert version.known


@promise(Backend.migrate, "calling again finishes the work. Data stays.")
@promise(
    seam, "**One verb is one transaction** (or says where it is two) and is **safe to repeat**"
)
def test_migrating_again_keeps_the_data(backend: Backend) -> None:
    submit(backend, "w")
    before = get(backend, "w")
    backend.migrate()
    assert get(backend, "w") == before


@MIGRATORS
@promise(seam, "**Thread-safe.** Every thread may call every verb")
def test_any_number_of_threads_may_migrate_at_once(place: Place) -> None:
    backends = [place.open() for _ in range(4)]
    together(lambda backend: backend.migrate(), backends * 2)
    assert [b.schema_version().current for b in backends] == [
        b.schema_version().wanted for b in backends
    ]
    join(backends[0], "a")
    own(backends[0], "a", "w")
    for backend in backends:
        backend.close()


@MIGRATORS
@pytest.mark.needs("processes")
def test_any_number_of_processes_may_migrate_at_once(place: Place) -> None:
    children = [Child(place, "migrate") for _ in range(3)]
    for child in children:
        child.go()
    assert [child.read() for child in children] == ["migrated"] * 3
    assert [child.end() for child in children] == [0] * 3


@MIGRATORS
@pytest.mark.needs("processes")
@pytest.mark.parametrize("milliseconds", [0, 10, 40])
def test_a_migration_killed_half_way_is_finished_by_the_next(
    place: Place, milliseconds: int
) -> None:
    with Child(place, "migrate") as child:
        child.go()
        child.kill(after=milliseconds / 1000)
    with closing(place.open()) as backend:
        backend.migrate()
        version = backend.schema_version()
        assert version.current == version.wanted
        join(backend, "a")
        own(backend, "a", "w")


@promise(
    Backend.migration_sql, "The statements that `migrate` runs on an empty database, as a script."
)
@pytest.mark.needs("sql_script")
def test_the_migration_is_printed_without_being_run(place: Place) -> None:
    with closing(place.open()) as backend:
        script = backend.migration_sql()
        assert "workflows" in script
        assert "workflow_steps" in script
        assert backend.schema_version().current is None


@promise(
    seam,
    "Exceptions are for what nobody can plan for: `BackendUnavailable` (nothing happened, "
    "or the verb is safe to repeat), `OutcomeUnknown`, `SchemaError`",
)
def test_a_verb_without_tables_says_that_they_are_missing(place: Place) -> None:
    with closing(place.open()) as backend, pytest.raises(SchemaError):
        backend.load(["w"])


@promise(Backend.close, "Close all connections. Calling any verb opens them again.")
@promise(seam, "the backend keeps the connections.")
def test_calling_a_verb_after_close_opens_connections_again(backend: Backend) -> None:
    submit(backend, "w")
    backend.close()
    backend.close()
    assert get(backend, "w").id == "w"


@promise(seam, "A backend is a class whose constructor takes `(url, *, namespace)`")
def test_two_namespaces_do_not_see_each_other(harness: Harness, backend: Backend) -> None:
    other = harness.fresh()
    with closing(other.open()) as stranger:
        stranger.migrate()
        submit(backend, "w")
        assert list(stranger.load(["w"])) == []
        submit(stranger, "w")
    harness.dispose(other)


@promise(Backend.load, "The workflows with these ids, in any order; unknown ids are left out.")
def test_two_backends_on_one_place_see_the_same(backend: Backend, rival: Backend) -> None:
    submit(backend, "w")
    assert get(rival, "w") == get(backend, "w")


@promise(
    Backend.where, "The database in words for messages: scheme, host, port, name; no password."
)
def test_where_never_names_the_password(harness: Harness) -> None:
    place = harness.fresh()
    parts = urlsplit(place.url)
    host = parts.netloc.rpartition("@")[2]
    url = parts._replace(netloc=f"somebody:s3cr3t@{host}").geturl()
    told = [place.url, url] if parts.netloc else [place.url]
    for one in told:
        with closing(Place(url=one, namespace=place.namespace).open()) as backend:
            assert backend.where
            assert "s3cr3t" not in backend.where


@promise(seam, "A verb holds none when it returns.")
@promise(seam, "the backend keeps the connections.")
def test_threads_that_have_ended_hold_no_connection(backend: Backend) -> None:
    """More of them than any server lets in."""
    submit(backend, "w")
    for _ in range(20):
        found = together(lambda one: one.load(["w"]), [backend] * 10)
        assert [len(one) for one in found] == [1] * 10
