"""A verb under a fault plan, judged against what the reference does without faults.

An answer is right, or there is none; what is left behind is then the state of
before or of after; the call repeated as the engine would ends in the state of
after; and whoever dies in it, every workflow is at its end or can be claimed.
Where somebody else acts in the midst, all this as in one of the orders in which
the two can come without faults.
"""

from collections.abc import Callable, Sequence
from itertools import count
from typing import TypeAlias

import attrs

from perdure.backend import Backend
from perdure.errors import BackendUnavailable, OutcomeUnknown
from perdure_compat.fault import Crash, Injector, Plan
from perdure_compat.reference import MemoryBackend

from .exploration import Tally, Trace, explore
from .records import join
from .rescue import rescue
from .scene import OBSERVER, Scene, State, Unjust, require, rows

Act: TypeAlias = Callable[[Backend], object]

_TURNS = 6
"""More than any plan has strikes."""
_ALONE = ("c", "cc")
_AMONG_OTHERS = ("ca", "cca", "ac", "acc", "cac")
"""In which order the caller (c) and another actor (a) can come."""
_NUMBERS = count(1)


@attrs.frozen(kw_only=True)
class Verb:
    """A situation, a call in it, and how to tell whether it went well."""

    arrange: Callable[[Scene], Act]
    answers: Sequence[object] = ()
    """The right answers: of one call, and of a repeat that finds the work done."""
    mortal: bool = True
    """A crash ends the caller for good; otherwise somebody else makes the call again."""
    atomic: bool = True
    """One transaction; otherwise some rows may be as before and others as after."""
    meanwhile: Callable[[Scene], object] | None = None
    """What somebody else does, once, where the call is held up or has failed.

    Its answer is judged too, unless it is None: `reap` may pass over what is locked.
    """
    again: Callable[[Scene, Act], Act] = lambda _, act: act
    """What the engine does after an unknown outcome."""
    judge: Callable[[Scene, object], None] | None = None
    """Tells by what is to be seen whether an answer is right, where chance chooses.

    Such a verb is not repeatable: `BackendUnavailable` means that nothing happened.
    """


@attrs.frozen
class End:
    """The last answer, what the other actor was told, and what is left."""

    answer: object
    aside: object
    state: State


def _scene(backend: Backend) -> Scene:
    return Scene(clean=backend, prefix=f"r{next(_NUMBERS)}-")


@attrs.define(eq=False)
class Trial:
    """One verb, tried again and again, in a new scene each time."""

    _clean: Backend
    _faulty: Backend
    _injector: Injector
    _verb: Verb
    _idle: list[State] = attrs.field(factory=list[State])
    """What there may be where no call took effect."""
    _done: list[State] = attrs.field(factory=list[State])
    """What there may be where one did."""
    _ends: list[End] = attrs.field(factory=list[End])
    """How the reference ends."""

    def __attrs_post_init__(self) -> None:
        reference = MemoryBackend("memory://")
        reference.migrate()
        join(reference, OBSERVER)
        for order in _ALONE if self._verb.meanwhile is None else _ALONE + _AMONG_OTHERS:
            if self._verb.judge is None or order.count("c") == 1:
                self._play(reference, order)

    def explore(
        self, *, pairs: int | None, singles: int | None = None, seed: int | None = None
    ) -> Tally:
        """Run single faults and pairs of them, all or a fixed sample."""
        return explore(self.run, singles=singles, pairs=pairs, seed=seed)

    def run(self, plan: Plan) -> Trace:
        """One run under a plan; answers with the points that it passed.

        Raises:
            Unjust: the verb broke its promise.
        """
        try:
            return self._run(plan)
        except BaseException as error:
            error.add_note("plan: " + (", ".join(map(str, plan)) or "none"))
            raise

    # ------------------------------------------------ worlds without faults

    def _play(self, reference: Backend, order: str) -> None:
        scene = _scene(reference)
        act = self._verb.arrange(scene)
        others = self._others(scene)
        self._idle.append(scene.state())
        answer: object = None
        for at, turn in enumerate(order):
            if turn == "c":
                answer = act(reference)
            elif others is not None:
                others()
            known = self._done if "c" in order[: at + 1] else self._idle
            known.append(scene.state())
        self._ends.append(End(answer, scene.aside, scene.state()))
        self._judge(scene, answer)
        rescue(scene)

    def _others(self, scene: Scene) -> Callable[[], object] | None:
        """What another actor does at its first chance, and at no later one."""
        if self._verb.meanwhile is None:
            return None
        turns = iter([self._verb.meanwhile])

        def act() -> None:
            for turn in turns:
                scene.aside = turn(scene)

        return act

    # -------------------------------------------------------------- a run

    def _run(self, plan: Plan) -> Trace:
        scene = _scene(self._clean)
        act = self._verb.arrange(scene)
        self._injector.arm(plan, meanwhile=self._others(scene))
        try:
            self._until_answered(scene, act)
        finally:
            trace = self._injector.disarm()
        rescue(scene)
        return trace

    def _until_answered(self, scene: Scene, act: Act) -> None:
        sure = True
        for _ in range(_TURNS):
            try:
                self._judge(scene, act(self._faulty))
            except Crash:
                self._faulty.close()
                self._unanswered(scene)
                if self._verb.mortal:
                    return
            except OutcomeUnknown:
                self._unanswered(scene)
                act, sure = self._verb.again(scene, act), False
            except BackendUnavailable:
                self._unavailable(scene, sure=sure)
            else:
                return
        raise Unjust("there was never an answer")

    # ------------------------------------------------------------ judgement

    def _judge(self, scene: Scene, answer: object) -> None:
        if self._verb.judge is not None:
            self._verb.judge(scene, answer)
            return
        require(answer in self._verb.answers, f"wrong answer: {answer}")
        end = End(answer, scene.aside, scene.state())
        known = [
            # In several transactions, the other's turn may come in the midst.
            each if self._verb.atomic else attrs.evolve(each, answer=answer)
            for each in self._ends
        ]
        said = answer if scene.aside is None else (answer, scene.aside)
        self._compare(end in known, end.state, f"after the answer {said}")

    def _unanswered(self, scene: Scene) -> None:
        if self._verb.judge is not None:
            return
        state, known = scene.state(), [*self._idle, *self._done]
        well = state in known if self._verb.atomic else rows(state) <= rows(*known)
        self._compare(well, state, "without an answer")

    def _unavailable(self, scene: Scene, *, sure: bool) -> None:
        if self._verb.judge is None:
            self._unanswered(scene)
        elif sure:
            state = scene.state()
            self._compare(state in self._idle, state, "though nothing had happened")

    def _compare(self, well: bool, state: State, when: str) -> None:  # noqa: FBT001 (it is the question)
        if not well:
            wrong = sorted(map(str, state.difference(*self._idle, *self._done)))
            raise Unjust(f"wrong state {when}: {wrong or sorted(map(str, state))}")
