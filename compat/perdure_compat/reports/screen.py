"""The report on a terminal: the answer, what is behind it, and each broken promise in words."""

from collections.abc import Iterator, Sequence

from .judgement import Judgement, Outcome, Verdict, by_reason, counted, seed_of


def lines(judgement: Judgement) -> Iterator[str]:
    """What is printed at the end of a run."""
    yield from _capabilities(judgement)
    for reason, verdicts in by_reason(judgement.those(Outcome.NOT_RUN)).items():
        yield f"not run: {reason} ({counted(len(verdicts), 'test')})"
    for verdict in judgement.those(Outcome.DEVIATES):
        yield f"deviates: {verdict.noun}: {verdict.sentence}: {verdict.reason}"
    for verdict in judgement.those(Outcome.BROKEN):
        yield from _broken(verdict)
    yield f"seed: {seed_of(judgement.profile)}"
    totals = ", ".join(f"{count} {outcome}" for outcome, count in judgement.totals.items())
    yield f"{judgement.where}: {judgement.headline} ({totals})"


def _capabilities(judgement: Judgement) -> Iterator[str]:
    for name, why in judgement.capabilities.items():
        yield f"capability {name}: {f'missing: {why}' if why is not None else 'there'}"


def _broken(verdict: Verdict) -> Iterator[str]:
    yield f"broken: {verdict.noun}: {verdict.sentence}"
    yield from (f"  {quote}" for quote in verdict.promises)
    yield from _indented(verdict.reason.splitlines())
    yield from _indented(verdict.example.splitlines())


def _indented(found: Sequence[str]) -> Iterator[str]:
    return (f"    {line}" for line in found)
