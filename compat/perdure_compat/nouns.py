"""The nouns of the seam, in the order in which a backend is judged by them."""

from enum import StrEnum


class Noun(StrEnum):
    """What a promise is about; `suite/test_NOUN.py` has the tests."""

    SCHEMA = "schema"
    MIGRATIONS = "migrations"
    WORKERS = "workers"
    SUBMISSION = "submission"
    CLAIMS = "claims"
    STEPS = "steps"
    COMMIT = "commit"
    DEATH = "death"
    RECOVERY = "recovery"
    TIMERS = "timers"
    MESSAGES = "messages"
    CONSUMPTION = "consumption"
    WAKING = "waking"
    ENDS = "ends"
    EVENTS = "events"
    STREAMS = "streams"
    CANCELLATION = "cancellation"
    DEADLINES = "deadlines"
    GUESTS = "guests"
    QUERIES = "queries"
    WAKEUPS = "wakeups"
    PROCESSES = "processes"
    FAULTS = "faults"
    HISTORIES = "histories"
    WORKFLOWS = "workflows"


NOUNS = tuple(noun.value for noun in Noun)
