"""Random letters: what workflows are sent, what they subscribe to, and what is asked of them."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from perdure.backend import Backend
from perdure.mail import Subscription
from perdure.model import Message

from .calls import ALL, UNKNOWN, Call
from .drains import Wake
from .fates import Breakage, Loss
from .likeness import ASKED
from .members import AT_MOST, WORKFLOWS
from .plans import MESSAGES
from .readers import TOPICS, Readers
from .records import message

_OLD = 3
"""So many workflows are there from the beginning; a wake-up for another could vanish unseen."""
A_WORKFLOW = st.sampled_from(range(WORKFLOWS))
AN_OLD_ONE = st.sampled_from(range(_OLD))
A_MESSAGE = st.sampled_from(range(MESSAGES))


class Letters(Readers):
    """What the workflows of one history hear from others."""

    def __init__(self, judged: Sequence[Backend], breakage: Breakage | None = None) -> None:
        super().__init__(judged, breakage)
        self._positions = count(1)

    def ask(self, call: Call) -> Any:
        """Make a call; its answer, or `UNKNOWN`."""
        if call.verb == "subscribe":
            self._empty()
        if isinstance(call, Wake):
            return self._wake(call)
        return super().ask(call)

    def _wake(self, call: Wake) -> Any:
        fate = self.pair.fate
        if fate and fate.loss is Loss.STRUCK:
            # Of a part that was done twice, a limit does not tell how much it did.
            call = Wake(how={"limit": ALL})
        told = super().ask(call)
        assert told is UNKNOWN or told <= call.how["limit"], "no more than were asked for"
        return told

    def _empty(self) -> None:
        """Nothing is under way: whoever subscribes then hears of what is done from now on."""
        fate, self.pair.fate = self.pair.fate, None
        self.drain()
        self.pair.fate = fate

    def drain(self) -> None:
        """Wake all, and then those for whom this was news."""
        for _ in range(2):
            self.wake(ALL)

    @rule(limit=AT_MOST)
    def wake(self, limit: int) -> None:
        """What is due goes back to the queue."""
        self.ask(Wake(how={"limit": limit}))

    # ---------------------------------------------------------------- send

    @rule(
        workflows=st.lists(A_WORKFLOW, min_size=1, max_size=2, unique=True),
        number=A_MESSAGE,
        sender=st.sampled_from(["s", "r"]),
    )
    def send(self, workflows: list[int], number: int, sender: str) -> None:
        """Something new, or once more under an id that was used."""
        given = [self._message(one, number, sender) for one in workflows]
        self.ask(Call(verb="send", args=(given,)))

    def _message(self, workflow: int, number: int, sender: str) -> Message:
        position = next(self._positions)
        return message(
            self.ids[workflow],
            f"m{number}",
            topic=TOPICS[position % len(TOPICS)],
            sender=sender,
            position=position,
            body_json=f"{position}",
        )

    @rule(workflow=AN_OLD_ONE, other=A_WORKFLOW)
    def subscribe(self, workflow: int, other: int) -> None:
        """A workflow wants to hear of another, or of itself, which may not be there yet."""
        wanted = Subscription(self.ids[workflow], self.ids[other])
        self.ask(Call(verb="subscribe", args=([wanted],), tidy=sorted))

    @rule(workflow=A_WORKFLOW, number=st.integers(0, 2))
    def cancel(self, workflow: int, number: int) -> None:
        """Somebody wants it to end."""
        how = {"reason": f"{ASKED}, {number}"}
        self.ask(Call(verb="cancel", args=([self.ids[workflow]],), how=how, tidy=dict))
