"""How a correct backend becomes a wrong one: one thin change, and nothing else."""

from collections.abc import Callable
from typing import Any, TypeAlias

from perdure.backend import Backend
from perdure_backends.sql.compiled import Build
from perdure_backends.testing.rewriting import rewrite

Change: TypeAlias = Callable[[type[Any]], type[Any]]


def says(build: Build, old: str, new: str = "") -> Change:
    """One statement says `new` instead of `old`."""

    def change(base: Any) -> type[Any]:
        def begin(self: Any, url: str, *, namespace: str) -> None:
            base.__init__(self, url, namespace=namespace)
            rewrite(self, build, old, new)

        return type("Rewritten", (base,), {"__init__": begin})

    return change


def does(verb: str, instead: Callable[..., Any]) -> Change:
    """One verb is another function, which is given the right one first and then the backend."""

    def change(base: type[Backend]) -> type[Backend]:
        right = getattr(base, verb)

        def wrong(self: Backend, *args: Any, **kwargs: Any) -> Any:
            return instead(right, self, *args, **kwargs)

        return type("Changed", (base,), {verb: wrong})

    return change


def under_its_own_scheme(wrong: Any) -> type[Any]:
    """The backend for URLs whose scheme is the mutant's."""

    def begin(self: Any, url: str, *, namespace: str) -> None:
        wrong.__init__(self, f"sqlite://{url.partition('://')[2]}", namespace=namespace)

    return type("Mutant", (wrong,), {"__init__": begin})
