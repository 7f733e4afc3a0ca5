"""Texts and JSON documents that storage layers like to change, by what is special."""

from collections.abc import Mapping
from typing import Any

import pytest

from perdure import backend as seam
from perdure_compat.promise import promise

IDS: Mapping[str, str] = {
    "unicode": "Größe 日本 🎉",
    "decomposed": "e\u0301",
    "quotes": 'it\'s "quoted" `so`',
    "backslashes": r"back\slash \n \u0041 \\x41",
    "braces": "{}",
    "array": '{a,"b"}',
    "null": "NULL",
    "json-null": "null",
    "commas": "a,b,,c",
    "parens": "(x,,y)",
    "placeholders": "%s %(x)s %% :name $1 ?",
    "wildcards": "50%_*",
    "lines": "tab\tnew\nline\r\nend",
    "spaces": "  around  ",
    "controls": "\x01\x1f\x7f\u2028\ufeff",
    "comment": "-- /* ; DROP",
    "number": "007",
    "as-long-as-may-be": "x" * 512,
}
TEXTS: Mapping[str, str] = {**IDS, "empty": "", "a-megabyte": "é\\\"'\n" * 170_000}
JSON_TEXTS: Mapping[str, str] = {
    "nothing": "null",
    "braces": "{}",
    "spacing": ' { "b" :  1 ,\n "a" : [ ] } ',
    "repeated-keys": '{"a": 1, "a": 2}',
    "escapes": r'"\u0000 \u00e9 \ud83c\udf89 \/ \\ \" \n"',
    "unicode": '"é 日本 🎉"',
    "numbers": "[1e400, 1.0, -0.0, 123456789012345678901234567890, 0.1e-7]",
    "deep": "[" * 900 + "]" * 900,
    "a-megabyte": '["' + "é\\\\'" * 200_000 + '"]',
}


MAY_REFUSE = promise(
    seam,
    "A database may refuse a NUL character, half of a surrogate pair, an id of more than "
    "512 bytes, a whole number of more than 32 bits, and an operation of more text than a call "
    "should carry.",
)


def bulky(characters: int) -> str:
    """A JSON text of so many characters that becomes as many bytes as one of them can.

    Half of it are quotes, which double on their way into arrays, once more what escapes them.
    """
    quotes = (characters - 2) // 4
    return '"' + '\\"' * quotes + "🎉" * (characters - 2 - 2 * quotes) + '"'


def labelled(texts: Mapping[str, str]) -> list[Any]:
    """The texts as parameters that are named by what is special in them."""
    return [pytest.param(text, id=label) for label, text in texts.items()]
