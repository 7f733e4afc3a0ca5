"""The password in a URL, which nobody may read in what a run prints or writes."""

import re
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

MASK = "***"


def hiding(url: str) -> Callable[[str], str]:
    """What takes the password of `url` out of a text, wherever it stands as a word."""
    given = urlsplit(url).password
    if not given:
        return str
    either = "|".join(sorted({re.escape(given), re.escape(unquote(given))}))
    word = re.compile(rf"(?<!\w)(?:{either})(?!\w)")
    return lambda text: word.sub(MASK, text)
