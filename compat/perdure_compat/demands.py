"""What tests ask of a backend, beside what it declares: capabilities and known deviations.

A row that says nothing about any test is a mistake, and ends the run before it begins.
"""

from collections.abc import Iterable, Mapping, Sequence

import pytest

from .harness import Deviation, Harness

DEVIATION = pytest.StashKey[Deviation]()


def asked(items: Iterable[pytest.Item]) -> Sequence[str]:
    """The capabilities that a test asks for, or that any harness may lack."""
    return sorted({name for item in items for name in _needs(item)} | set(Harness.missing))


def leave_out(items: Sequence[pytest.Item], missing: Mapping[str, str]) -> None:
    """Do not run what asks for a capability that the backend does not have.

    Raises:
        UsageError: no test asks for one that the backend leaves out.
    """
    known = asked(items)
    if unknown := sorted(set(missing) - set(known)):
        raise pytest.UsageError(
            f"the backend leaves out {', '.join(unknown)}, which no test asks for; "
            f"the capabilities are: {', '.join(known)}"
        )
    for item in items:
        for name in _needs(item):
            if name in missing:
                item.add_marker(pytest.mark.skip(f"{name}: {missing[name]}"))


def expect(items: Sequence[pytest.Item], deviations: Sequence[Deviation]) -> None:
    """Have the tests of known deviations fail, and nothing else.

    Raises:
        UsageError: a row names no test.
    """
    for row in deviations:
        found = [item for item in items if row.test in names_of(item)]
        if not found:
            raise pytest.UsageError(
                f"there is no test {row.test}: correct or delete this row of the harness's deviations"
            )
        for item in found:
            item.stash[DEVIATION] = row
            item.add_marker(pytest.mark.xfail(reason=row.reason, strict=True))


def _needs(item: pytest.Item) -> Iterable[str]:
    return [str(mark.args[0]) for mark in item.iter_markers("needs")]


def names_of(item: pytest.Item) -> set[str]:
    """What a test is called, with and without its parameters."""
    return {item.name, str(getattr(item, "originalname", None) or item.name)}
