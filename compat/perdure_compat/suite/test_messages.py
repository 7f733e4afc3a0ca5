"""Messages: each is there once, until a step takes it, in the order in which they came."""

import pytest

from perdure import backend as seam
from perdure.backend import Backend
from perdure.mail import SENT, Mail, Refused, Sent, Sight, Watch
from perdure.model import Message, Status
from perdure_compat.promise import promise

from .races import dealt, together
from .records import (
    drain,
    end,
    finish,
    get,
    inbox,
    join,
    look,
    message,
    own,
    scrambled,
    send,
    stand,
    submit,
)
from .texts import IDS, TEXTS, labelled

FINAL = (Status.SUCCESS, Status.ERROR, Status.CANCELLED)

WRITES = promise(Mail.send, "Write messages that are not there yet; an answer for each, in order.")
ONCE = promise(Message, "The first with an id counts, for each workflow.")
AS_IT_IS = promise(
    Mail.send,
    "A message whose id the workflow has already is left as it is: `Sent`, whatever became "
    "of the workflow.",
)
REFUSES = promise(
    Mail.send,
    "Else it is refused if there is no such workflow, or it has ended (a parked one has not).",
)
ORDERED = promise(
    Sight,
    "Those not consumed, in the order in which they came; one sender's by position.",
)
LIMITED = promise(Mail.look, "It holds up to `limit` messages of each topic watched, the earliest.")


# ------------------------------------------------------------------ send


@WRITES
@promise(Message, "Something sent to a workflow.")
@promise(Sent, "The message is there: written now or by an earlier try.")
def test_what_was_sent_is_there(backend: Backend) -> None:
    submit(backend, "w")
    given = message("w", topic="t", sender="s", position=7)
    assert list(backend.send([given])) == [Sent()]
    assert list(look(backend, "w", "t").messages) == [given]


@promise(seam, "Texts come back as they went in. Ids compare byte by byte.")
@pytest.mark.parametrize("text", labelled(IDS))
def test_names_around_a_message_are_any_text(backend: Backend, text: str) -> None:
    submit(backend, "w")
    given = [message("w", text, topic=text, sender=text), message("w", text[:-1])]
    send(backend, *given)
    assert list(look(backend, "w", text).messages) == given[:1]


@promise(seam, "Texts come back as they went in.")
@pytest.mark.parametrize("body", [*labelled(TEXTS), pytest.param(None, id="none")])
def test_a_body_comes_back_as_it_went_in(backend: Backend, body: str | None) -> None:
    submit(backend, "w")
    send(backend, message("w", body_json=body))
    assert [one.body_json for one in look(backend, "w", "topic").messages] == [body]


@ONCE
@AS_IT_IS
@promise(seam, "after a lost answer the engine calls it again with the same arguments.")
def test_a_message_is_sent_once(backend: Backend) -> None:
    submit(backend, "w")
    first = message("w")
    send(backend, first)
    assert list(backend.send([first])) == [SENT]
    assert list(backend.send([message("w", body_json="[2]", topic="other")])) == [SENT]
    drain(backend)
    sight = look(backend, "w", "topic", "other")
    assert (list(sight.messages), sight.wake) == ([first], 1)


@ONCE
def test_each_workflow_has_messages_of_its_own(backend: Backend) -> None:
    submit(backend, "v", "w")
    send(backend, message("v"), message("w"))
    for one in ("v", "w"):
        assert list(look(backend, one, "topic").messages) == [message(one)]


@REFUSES
@promise(
    Refused,
    "Nothing was written. `status` is that of the workflow, which has ended; None: there is none.",
)
@pytest.mark.parametrize("status", FINAL)
def test_nothing_is_sent_to_what_has_ended_or_never_was(backend: Backend, status: Status) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    finish(backend, "a", end("w", status))
    assert list(backend.send([message("w")])) == [Refused(status)]
    assert list(backend.send([message("nobody")])) == [Refused(None)]
    assert inbox(backend, "w") == []
    submit(backend, "nobody")
    assert inbox(backend, "nobody") == []


@REFUSES
@pytest.mark.parametrize(
    "status", [Status.DELAYED, Status.ENQUEUED, Status.RUNNING, Status.WAITING, Status.PARKED]
)
def test_what_has_not_ended_takes_messages(backend: Backend, status: Status) -> None:
    stand(backend, "w", status)
    send(backend, message("w"))
    assert inbox(backend, "w") == ["m"]
    assert get(backend, "w").status is status


@AS_IT_IS
def test_a_repeat_after_the_end_finds_its_message_sent(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    send(backend, message("w"))
    finish(backend, "a", end("w"))
    assert list(backend.send([message("w"), message("w", "n")])) == [
        SENT,
        Refused(Status.SUCCESS),
    ]


@WRITES
@promise(Mail.send, "All that can be sent is, in one transaction")
@promise(seam, "**An expected refusal is a value.**")
def test_what_cannot_be_sent_keeps_nothing_else_back(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "ended")
    finish(backend, "a", end("ended"))
    submit(backend, "v", "w")
    send(backend, message("v", "old"))
    targets = [("w", "1"), ("ended", "2"), ("v", "old"), ("nobody", "3"), ("w", "4"), ("v", "5")]
    told = backend.send([message(one, key, position=n) for n, (one, key) in enumerate(targets)])
    assert list(told) == [SENT, Refused(Status.SUCCESS), SENT, Refused(None), SENT, SENT]
    assert inbox(backend, "w") == ["1", "4"]
    assert inbox(backend, "v") == ["old", "5"]


@promise(seam, "Nothing to do (an empty sequence or batch, a limit of 0) is no error.")
def test_there_may_be_nothing_to_send_or_to_see(backend: Backend) -> None:
    submit(backend, "w")
    send(backend, message("w"))
    assert list(backend.send([])) == []
    assert list(backend.look([], limit=10)) == []
    assert inbox(backend, "w", limit=0) == []


@ONCE
@promise(seam, "**Thread-safe.** Every thread may call every verb")
def test_of_many_who_send_a_message_one_counts(backend: Backend, rival: Backend) -> None:
    submit(backend, "w")
    given = [message("w", sender=f"s{n}") for n in range(8)]
    told = together(lambda hand: list(hand[0].send([hand[1]])), dealt(given, backend, rival))
    assert told == [[SENT]] * 8
    (first,) = look(backend, "w", "topic").messages
    assert first in given
    drain(backend)
    assert look(rival, "w", "topic").messages == [first]
    assert get(backend, "w").wake == 1


@WRITES
@promise(seam, "**Thread-safe.** Every thread may call every verb")
def test_no_message_of_many_senders_is_lost(backend: Backend, rival: Backend) -> None:
    submit(backend, "v", "w")
    given = [
        [
            message(one, f"{n}", sender=f"s{hand}", position=n)
            for n in range(hand, 80, 8)
            for one in (("v", "w") if n % 3 else ("w", "v"))
        ]
        for hand in range(8)
    ]
    told = together(lambda hand: list(hand[0].send(hand[1])), dealt(given, backend, rival))
    assert told == [[SENT] * 20] * 8
    drain(backend)
    for one in ("v", "w"):
        assert sorted(inbox(backend, one)) == sorted(f"{n}" for n in range(80))
        assert get(rival, one).wake == 80


# ------------------------------------------------------------------ look


@promise(Mail.look, "What has come for workflows, one sight for each; unknown ids are left out.")
@promise(Mail.look, "A sight is from one moment.")
@promise(Sight, "What has come for a workflow, from one moment.")
def test_each_workflow_has_its_sight(backend: Backend) -> None:
    submit(backend, "v", "w", "x")
    send(backend, message("v"), message("x", topic="other"))
    watches = [Watch(workflow_id=one, topics=["topic"]) for one in ("x", "nobody", "v", "w")]
    seen = {one.workflow_id: list(one.messages) for one in backend.look(watches, limit=10)}
    assert seen == {"v": [message("v")], "w": [], "x": []}


@promise(Watch, "What a running workflow waits for: messages of these topics.")
def test_only_the_topics_watched_are_seen(backend: Backend) -> None:
    submit(backend, "w")
    topics = ("t", "T", "", "t ", "%", "é")
    send(backend, *[message("w", f"{n}", topic=one) for n, one in enumerate(topics)])
    assert [inbox(backend, "w", one) for one in topics] == [[f"{n}"] for n in range(len(topics))]
    assert sorted(inbox(backend, "w", "t", "", "other")) == ["0", "2"]
    assert list(look(backend, "w").messages) == []


@LIMITED
@ORDERED
def test_the_earliest_of_each_topic_are_seen(backend: Backend) -> None:
    submit(backend, "w")
    for n in range(6):
        send(backend, message("w", f"{n}", topic="ab"[n % 2], position=n))
    assert inbox(backend, "w", "a", "b", limit=2) == ["0", "1", "2", "3"]
    assert inbox(backend, "w", "a", limit=2) == ["0", "2"]
    assert inbox(backend, "w", "b", limit=1) == ["1"]
    assert inbox(backend, "w", "b", "a") == ["0", "1", "2", "3", "4", "5"]


@ORDERED
def test_messages_of_several_senders_stand_as_they_came(backend: Backend) -> None:
    submit(backend, "w")
    every = scrambled([f"m{n}" for n in range(12)])
    for n, one in enumerate(every):
        send(backend, message("w", one, sender=f"s{n % 5}", position=n))
    assert inbox(backend, "w") == every
    assert inbox(backend, "w", limit=3) == every[:3]


@ORDERED
@LIMITED
@promise(Message, "`position` grows with each message of its sender.")
def test_messages_of_one_sender_stand_by_position(backend: Backend) -> None:
    """However they came: its tries may have overtaken each other."""
    submit(backend, "w")
    every = [f"m{n}" for n in range(12)]
    for one in scrambled(every):
        send(backend, message("w", one, position=every.index(one)))
    assert inbox(backend, "w") == every
    assert inbox(backend, "w", limit=3) == every[:3]


@ORDERED
@promise(seam, "**Batch first.** Sequences come in any order; answers say which is which.")
def test_messages_of_one_call_stand_by_position(backend: Backend) -> None:
    submit(backend, "w")
    every = [f"m{n}" for n in range(12)]
    send(backend, *[message("w", one, position=every.index(one)) for one in scrambled(every)])
    assert inbox(backend, "w") == every


@promise(
    Sight,
    "How far its wake-ups had been counted: what came before is seen by any later read.",
)
@promise(Sight, "None: nobody has asked to cancel it.")
def test_a_sight_tells_the_count_and_a_request(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    sight = look(backend, "w")
    assert (sight.wake, sight.cancel_reason) == (0, None)
    send(backend, message("w"), message("w", "n"))
    drain(backend)
    backend.cancel(["w"], reason="")
    sight = look(backend, "w")
    assert (sight.wake, sight.cancel_reason) == (2, "")
