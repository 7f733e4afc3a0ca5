"""The report for people: a page of Markdown."""

import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from perdure_compat.harness import Deviation

from .judgement import Judgement, Outcome, Verdict, by_noun, by_reason, counted, seed_of


def as_markdown(judgement: Judgement) -> str:
    """The report as text."""
    return "\n".join(_lines(judgement)) + "\n"


def _lines(judgement: Judgement) -> Iterator[str]:
    yield from (f"# Conformance of {judgement.where}", "", f"**{_answer(judgement)}**", "")
    yield from _summary(judgement)
    yield from _capabilities(judgement)
    yield from _broken(judgement.those(Outcome.BROKEN))
    yield from _deviations(judgement.deviations)
    yield from _not_run(judgement)
    yield from _promises(judgement)


def _answer(judgement: Judgement) -> str:
    return f"{judgement.headline[0].upper()}{judgement.headline[1:]}."


def _summary(judgement: Judgement) -> Iterator[str]:
    profile = judgement.profile
    effort = ", thorough" if profile.thorough else ", brief" if profile.brief else ""
    yield from _table("", "")
    yield _row("backend", judgement.where)
    yield _row("scheme", judgement.scheme)
    yield _row("perdure", f"{version('perdure')} on Python {platform.python_version()}")
    yield _row("started", f"{judgement.started:%Y-%m-%d %H:%M:%S} UTC")
    yield _row("took", f"{judgement.seconds:.1f} s")
    yield _row("seed", f"{seed_of(profile)}{effort}")
    for outcome, count in judgement.totals.items():
        yield _row(outcome.value, counted(count, "test"))


def _capabilities(judgement: Judgement) -> Iterator[str]:
    yield from ("", "## Capabilities", "")
    yield from _table("capability", "")
    for name, why in judgement.capabilities.items():
        yield _row(name, "there" if why is None else f"missing: {why}")


def _broken(verdicts: Sequence[Verdict]) -> Iterator[str]:
    if verdicts:
        yield from ("", "## Broken")
    for verdict in verdicts:
        yield from ("", f"### {verdict.noun}: {verdict.sentence}", "")
        yield from (f"> {quote}" for quote in verdict.promises)
        yield from _fenced(verdict.reason)
        if verdict.example:
            yield from ("", "The shortest example that was found:")
            yield from _fenced(verdict.example)


def _deviations(rows: Sequence[Deviation]) -> Iterator[str]:
    if rows:
        yield from ("", "## Known deviations", "")
    for row in rows:
        yield f"- `{row.test}`: {row.reason} ({row.link})"


def _not_run(judgement: Judgement) -> Iterator[str]:
    whole = by_noun(judgement.verdicts)
    left_out = judgement.those(Outcome.NOT_RUN)
    if left_out:
        yield from ("", "## Not run")
    for reason, verdicts in by_reason(left_out).items():
        yield from ("", f"{counted(len(verdicts), 'test')}: {reason}", "")
        for noun, without in by_noun(verdicts).items():
            if len(without) == len(whole[noun]):
                yield f"- {noun}: all of it"
            else:
                yield from (f"- {noun}: {verdict.sentence}" for verdict in without)


def _promises(judgement: Judgement) -> Iterator[str]:
    run = [one for one in judgement.verdicts if one.outcome is not Outcome.NOT_RUN]
    if run:
        yield from ("", "## Promises")
    for noun, verdicts in by_noun(run).items():
        took = sum(verdict.seconds for verdict in verdicts)
        yield from ("", f"### {noun}: {counted(len(verdicts), 'test')}, {took:.1f} s", "")
        yield from _table("test", "promise", "outcome", "seconds")
        for one in verdicts:
            quotes = "; ".join(f"{quote.source}: {quote.words}" for quote in one.promises)
            notes = "".join(f" ({name}: {note})" for name, note in one.notes.items())
            yield _row(f"{one.sentence}{notes}", quotes, one.outcome.value, f"{one.seconds:.2f}")


def _fenced(text: str) -> Iterator[str]:
    fence = "````" if "```" in text else "```"
    yield from ("", f"{fence}text", *text.splitlines(), fence)


def _table(*heads: str) -> Iterator[str]:
    yield _row(*heads)
    yield _row(*("---" for _ in heads))


def _row(*cells: str) -> str:
    # A bar ends a cell even in code.
    return f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in cells)} |"
