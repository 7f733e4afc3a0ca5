"""How hard to look: the same random choices each time, or others, or very many."""

import attrs


@attrs.frozen(kw_only=True)
class Profile:
    """One way to run the suite.

    `seed` begins all random choices; None makes the same ones at each run.
    `thorough` runs for minutes what is otherwise a sample of seconds; `brief` takes a
    sample of that, too, where a backend is judged again and again.
    """

    seed: int | None = None
    thorough: bool = False
    brief: bool = False
