"""The verbs by which workflows hear from others: messages, subscriptions, requests, wake-ups."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from perdure.mail import (
    SENT,
    EventKey,
    Mail,
    Published,
    Refused,
    SendAnswer,
    Sight,
    Subscription,
    Watch,
)
from perdure.model import Message, Status

from . import cancellation, outbox, rows, steps, workflows
from . import events as published
from . import messages as inbox
from . import subscriptions as subscribers
from .database import Database
from .session import Session

Key = tuple[str, str]


class SqlMail(Database, Mail):
    """Mail in tables."""

    # ------------------------------------------------------------ messages

    def look(self, watches: Sequence[Watch], *, limit: int) -> Sequence[Sight]:
        if not watches:
            return ()
        asked = [(each.workflow_id, topic) for each in watches for topic in each.topics or (None,)]
        once = list(dict.fromkeys(asked))
        parameters = self._dialect.encode("watch", inbox.WATCH, once)
        parameters["limit"] = limit
        return rows.sights(self._read(lambda session: session.rows(inbox.pending, parameters)))

    def send(self, messages: Sequence[Message]) -> Sequence[SendAnswer]:
        return self._write(self._sending(messages)) if messages else ()

    def _sending(self, messages: Sequence[Message]) -> Callable[[Session], Sequence[SendAnswer]]:
        """What sends them, in whoever's transaction."""
        new = [
            (each.workflow_id, each.id, each.topic, each.body_json, each.sender, each.position)
            for each in messages
        ]
        parameters = self._dialect.encode("message", inbox.MESSAGE, new)
        keys = [(each.workflow_id, each.id) for each in messages]

        def send(session: Session) -> Sequence[SendAnswer]:
            inserted = {(row[0], row[1]) for row in session.rows(write, parameters)}
            if not self._dialect.fused:
                self._tell(session, [(each, 1) for each, _ in inserted])
            return self._answers(session, keys, inserted)

        write = inbox.send if self._dialect.fused else inbox.insert
        return send

    def _tell(self, session: Session, told: Sequence[tuple[str, int]]) -> None:
        session.rows(outbox.tell, self._dialect.encode("told", outbox.TOLD, told))

    def _answers(
        self, session: Session, keys: Sequence[Key], inserted: set[Key]
    ) -> Sequence[SendAnswer]:
        """What was not written now may have been earlier, by an earlier try too."""
        missing = [key for key in keys if key not in inserted]
        if not missing:
            return [SENT] * len(keys)
        asked = self._dialect.encode("letter", inbox.KEY, missing)
        there = inserted | {(row[0], row[1]) for row in session.rows(inbox.sent, asked)}
        refused = [key[0] for key in missing if key not in there]
        standing = self._ended(session, refused) if refused else {}
        return [SENT if key in there else Refused(standing.get(key[0])) for key in keys]

    def _ended(self, session: Session, ids: Sequence[str]) -> dict[str, Status]:
        """How these have ended; who has not was not there yet when somebody wrote to it."""
        found = session.rows(workflows.standing, {"ids": self._dialect.listed(ids)})
        standing = {row[0]: Status(row[3]) for row in found}
        return {each: status for each, status in standing.items() if status.final}

    # -------------------------------------------------------- subscriptions

    def subscribe(self, subscriptions: Sequence[Subscription]) -> Collection[str]:
        """One target after the other: nobody waits for a workflow while holding another."""
        targets: dict[str, list[str]] = {}
        for each in subscriptions:
            targets.setdefault(each.target_id, []).append(each.workflow_id)
        return [target for target, ids in targets.items() if self._subscribe(target, ids)]

    def _subscribe(self, target: str, ids: Sequence[str]) -> bool:
        new = [(each,) for each in dict.fromkeys(ids)]
        parameters = self._dialect.encode("subscriber", steps.ID, new) | {"target": target}

        def subscribe(session: Session) -> bool:
            if self._dialect.fused:
                return bool(session.rows(subscribers.subscribe, parameters))
            session.rows(subscribers.mark, parameters)
            session.rows(subscribers.enter, parameters)
            return bool(session.rows(subscribers.target, parameters))

        return self._write(subscribe)

    def events(self, keys: Collection[EventKey]) -> Sequence[Published]:
        if not keys:
            return ()
        asked = [(each.workflow_id, each.name) for each in keys]
        parameters = self._dialect.encode("event", published.EVENT, asked)
        found = self._read(lambda session: session.rows(published.latest, parameters))
        return [
            Published(key=EventKey(row[0], row[1]), value_json=row[2])
            for row in found
            if row[3] is not None
        ]

    # ------------------------------------------------------------- requests

    def cancel(self, ids: Collection[str], *, reason: str) -> Mapping[str, Status]:
        if not ids:
            return {}
        asked = list(dict.fromkeys(ids))
        self._ask([(each, reason) for each in asked])
        standing = self._asked(asked)
        held = [each for each, (_, unasked) in standing.items() if unasked]
        for each in held:
            self._ask([(each, reason)], waits=True)
        standing |= self._asked(held) if held else {}
        return {each: status for each, (status, _) in standing.items()}

    def _ask(self, asked: Sequence[tuple[str, str]], *, waits: bool = False) -> int:
        parameters = self._dialect.encode("request", cancellation.ASKED, asked)

        def ask(session: Session) -> int:
            if not self._dialect.fused:
                session.rows(cancellation.ends, parameters)
            return len(session.rows(cancellation.ask, parameters, waits))

        return self._write(ask)

    def _asked(self, ids: Sequence[str]) -> dict[str, tuple[Status, bool]]:
        listed = {"ids": self._dialect.listed(ids)}
        found = self._read(lambda session: session.rows(cancellation.standing, listed))
        return {row[0]: (Status(row[1]), bool(row[2])) for row in found}

    def requests(self, worker_id: str) -> Mapping[str, str]:
        found = self._read(lambda session: session.rows(cancellation.requests, {"me": worker_id}))
        return {row[0]: row[1] for row in found}

    # ----------------------------------------------------------------- wake

    def wake(self, *, limit: int) -> int:
        return max(self._applied(limit), self._due(limit), self._overdue(limit))

    def _due(self, limit: int) -> int:
        asked = {"limit": limit}
        return len(self._write(lambda session: session.rows(workflows.wake, asked)))

    def _applied(self, limit: int) -> int:
        asked = {"limit": limit}
        if not self._dialect.fused:
            return self._write(lambda session: self._apply(session, limit))
        applied, fans = self._write(lambda session: session.rows(outbox.drain, asked))[0]
        if not fans:
            return int(applied)
        spread = self._write_many(lambda session: self._spread(session, limit))
        again, _ = self._write(lambda session: session.rows(outbox.drain, asked))[0]
        return max(int(applied), spread, int(again))

    def _apply(self, session: Session, limit: int) -> int:
        spread = self._spread(session, limit)
        session.rows(outbox.apply, {"limit": limit})
        return max(spread, len(session.rows(outbox.sweep, {"limit": limit})))

    def _spread(self, session: Session, limit: int) -> int:
        """Wake-ups for the subscribers of workflows become one for each of them.

        Else whoever holds one subscriber would keep the others from theirs, or have them
        counted again.
        """
        fans = [(row[0], row[1]) for row in session.rows(outbox.fans, {"limit": limit})]
        if fans:
            session.rows(outbox.spread, self._dialect.encode("told", outbox.TOLD, fans))
        return len(fans)

    def _overdue(self, limit: int) -> int:
        found = self._read(lambda session: session.rows(cancellation.overdue, {"limit": limit}))
        read = self._dialect.read
        over = [(row[0], _over(read(row[1]))) for row in found]
        return self._ask(over) if over else 0


def _over(deadline: datetime) -> str:
    return f"its deadline, {deadline:%Y-%m-%d %H:%M:%S} UTC, is over"
