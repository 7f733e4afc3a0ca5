"""Identifiers: made by the client before the first try, so that a repeat is recognised."""

import os
import secrets
import socket
from uuid import uuid4

import uuid_utils

from .errors import UsageError

MAX_BYTES = 512


def workflow_id(*, time_ordered: bool) -> str:
    """A new id for a workflow whose caller gave none.

    Args:
        time_ordered: UUIDv7, which keeps B-trees compact; else UUIDv4, which
            spreads writes over the ranges of a distributed database.
    """
    return str(uuid_utils.uuid7() if time_ordered else uuid4())


def worker_id() -> str:
    """A new id for a worker; never used twice, not even by the same process."""
    return f"{socket.gethostname()[:200]}-{os.getpid()}-{secrets.token_hex(6)}"


def checked(text: str, *, what: str) -> str:
    """`text`, if it can be stored and compared as an identifier everywhere.

    Raises:
        UsageError: it is empty, longer than 512 bytes in UTF-8, or holds a NUL
            or half a surrogate pair.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise UsageError(f"{what} {text!r} holds half a surrogate pair") from None
    if not 0 < size <= MAX_BYTES:
        raise UsageError(f"{what} must have 1 to {MAX_BYTES} bytes, not {size}: {text[:40]!r}")
    if "\0" in text:
        raise UsageError(f"{what} {text!r} holds a NUL character")
    return text


def shortened(text: str) -> str:
    """As much of a text as can be an identifier."""
    data = text.encode()
    if len(data) <= MAX_BYTES:
        return text
    return data[: MAX_BYTES - 3].decode(errors="ignore") + "…"
