"""The talk: a problem solved in one of three ways, as a generator of events.

direct: the actor alone. critic: the actor proposes, the critic reads, and while it finds a first error the actor goes
on from the steps before it (MathCritique, arXiv 2411.16579, at the level of steps). selftalk: one model that proposes,
doubts and mends by itself. Whoever asks for a deeper look than the critic has gets a vote of more solutions, and so
does whoever asks for one afterwards. An error of the engine ends a talk with `Failed`; what was made stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Event

from runtime.checks.arithmetic import mended
from runtime.checks.claims import is_unsupported, lacks_data, shows_work
from runtime.checks.grading import equal
from runtime.critic.critic import Critic, news, open_critic, proven_wrong
from runtime.critic.explanation import look_again
from runtime.engines.base import ContextOverflow, Engine, EngineError, Sampling
from runtime.events import Event as TalkEvent
from runtime.events import Failed, Finished, Proposing, Refining, StepDone, shown
from runtime.settings import Settings
from runtime.solving.actor import Actor, next_or_value
from runtime.solving.answer_vote import Vote
from runtime.solving.monologue import Monologue
from runtime.solving.outcomes import outcome_of
from runtime.text import Language, final_answer, language_of
from runtime.types import Critique, Problem, SelfTalk, Step, Trajectory

REFINE_TEMPERATURE = 0.7
"""A greedy actor would often write the same wrong step again."""
AGAIN = 1000
"""Added to the seed for versions that a person asks for."""
MENDS = 8
"""How many proven slips of arithmetic are put right in one attempt before the actor may go on regardless."""


def converse(
    problem: Problem, engine: Engine, settings: Settings, cancel: Event, judge: Engine | None = None
) -> Iterator[TalkEvent]:
    """Solve a problem in the way that `settings.mode` names; `judge` is the critic's engine, if it is another one."""
    sampling = Sampling(temperature=settings.temperature, max_tokens=settings.max_tokens, seed=settings.seed)
    actor = Actor(engine, sampling)
    match settings.mode:
        case "direct":
            events = direct(problem, actor, cancel)
        case "critic":
            critic = open_critic(judge or engine, settings)
            events = criticised(problem, actor, critic, settings.rounds, cancel)
        case "selftalk":
            events = self_talk(problem, engine, sampling, cancel)
    return guarded(events)


def check(problem: Problem, steps: Sequence[str], critic: Critic, cancel: Event) -> Iterator[TalkEvent]:
    """Judge a person's own steps."""
    return guarded(own_work(problem, steps, critic, cancel))


def converse_again(
    problem: Problem, attempt: Trajectory, position: int, engine: Engine, settings: Settings, number: int, cancel: Event
) -> Iterator[TalkEvent]:
    """A new version of an attempt, from the step at `position` on; `number` tells one version from another. An adapter
    that talks to itself is not heard here: the actor goes on, and the critic reads, if the mode has one."""
    sampling = Sampling(REFINE_TEMPERATURE, max_tokens=settings.max_tokens, seed=settings.seed + AGAIN + number)
    critic = None if settings.mode == "direct" else open_critic(engine, settings)
    return guarded(anew(problem, attempt, position, Actor(engine, sampling), critic, cancel))


def anew(
    problem: Problem, attempt: Trajectory, position: int, actor: Actor, critic: Critic | None, cancel: Event
) -> Iterator[TalkEvent]:
    """The person asked for it, so the new version counts, whatever the critic says of it."""
    writing = actor.mend(problem, attempt, position, "", cancel, proven_wrong if critic else None)
    if critic is None:
        new = yield from writing
        yield Finished(outcome_of(new))
        return
    new = yield from _followed(writing, problem, critic, cancel)
    new = yield from _mend(problem, new, actor, critic, cancel)
    critique = yield from critic.read(problem, new, cancel)
    yield Finished(outcome_of(new, critique, stopped=cancel.is_set()))


def put_to_vote(talk: SelfTalk, engine: Engine, settings: Settings, cancel: Event) -> Iterator[TalkEvent]:
    """Let more solutions vote on a talk that has ended, of the actor or of a person. What it came to stands, unless
    they are certain of something else."""
    critic = None if settings.mode == "direct" else open_critic(engine, settings)
    vote = Vote(talk.problem, talk.chosen, talk.critique_of(talk.chosen), critic)
    yield Finished((yield from vote.held(talk.outcome, engine, cancel)))


def guarded(events: Iterator[TalkEvent]) -> Iterator[TalkEvent]:
    """The boundary of the engine: its errors become the talk's last event."""
    try:
        yield from events
    except EngineError as error:
        yield Failed(str(error), error.kind)


def direct(problem: Problem, actor: Actor, cancel: Event) -> Iterator[TalkEvent]:
    attempt = yield from _with_second_try((yield from actor.attempt(problem, cancel)), problem, actor, cancel)
    yield Finished(outcome_of(attempt, stopped=cancel.is_set()))


def own_work(problem: Problem, steps: Sequence[str], critic: Critic, cancel: Event) -> Iterator[TalkEvent]:
    attempt = Trajectory(
        problem_id=problem.id,
        steps=tuple(Step(text=text) for text in steps),
        answer=final_answer(steps[-1]),
        origin="student",
    )
    yield from shown(attempt)
    critique = yield from critic.read(problem, attempt, cancel, look_again)
    found = outcome_of(attempt, critique)
    if critic.wants_vote(critique) and not cancel.is_set():
        found = yield from Vote(problem, attempt, critique, critic).held(found, critic.engine, cancel)
    yield Finished(found)


def criticised(problem: Problem, actor: Actor, critic: Critic, rounds: int, cancel: Event) -> Iterator[TalkEvent]:
    """Actor and critic in turns; a refinement replaces what it refines only if the critic prefers it."""
    language, notes = language_of(problem.text), []
    first = yield from _followed(actor.attempt(problem, cancel, proven_wrong), problem, critic, cancel)
    first = yield from _with_second_try(first, problem, actor, cancel, critic)
    if lacks_data(first) and not cancel.is_set():  # going on would only make it invent what is missing
        yield Finished(outcome_of(first))
        return
    best = yield from _mend(problem, first, actor, critic, cancel)
    critique = yield from critic.read(problem, best, cancel)
    for number in range(1, rounds + 1):
        position = critique.first_error
        if position is None or cancel.is_set():
            break
        comment = critique.verdicts[position].comment
        yield Refining(position, comment)
        try:
            writing = _bolder(actor, number).refine(problem, best, position, comment, cancel, proven_wrong)
            new = yield from _followed(writing, problem, critic, cancel)
            new = yield from _mend(problem, new, actor, critic, cancel)
        except ContextOverflow:  # no room to go on is no reason to lose what there is
            break
        opinion = yield from critic.read(problem, new, cancel)
        taken = not cancel.is_set() and preferred(new, opinion, best, critique)
        notes += _note(best, new, position, taken, language)
        if taken:
            best, critique = new, opinion
    found = outcome_of(best, critique, " ".join(notes), stopped=cancel.is_set())
    if critic.wants_vote(critique) and not cancel.is_set():
        found = yield from Vote(problem, best, critique, critic).held(found, actor.engine, cancel)
    yield Finished(found)


def _with_second_try(
    first: Trajectory, problem: Problem, actor: Actor, cancel: Event, critic: Critic | None = None
) -> Iterator[TalkEvent]:
    """Ask the actor once more where it came to its end without an answer, or with one that no step shows the
    calculation of: a small model that says what it would do, and does not. The generator's value is the better try."""
    if first.finish != "stop" or lacks_data(first) or cancel.is_set():
        return first
    stop_at = proven_wrong if critic else None
    if first.answer is None:
        writing = _bolder(actor).attempt(problem, cancel, stop_at)
    elif is_unsupported(first):
        writing = actor.calculate(problem, first, cancel, stop_at)
    else:
        return first
    try:
        second = yield from _followed(writing, problem, critic, cancel) if critic else writing
    except ContextOverflow:  # no room to ask again is no reason to lose what there is
        return first
    return second if first.answer is None or _is_worked_out(second) else first


def _is_worked_out(attempt: Trajectory) -> bool:
    """Whether it calculates and comes to an answer, or was cut off on the way there to be put right."""
    return shows_work(attempt) and (attempt.answer is not None or attempt.finish == "cut")


def _bolder(actor: Actor, number: int = 1) -> Actor:
    """The same, drawing its words: what it likes best it has written already."""
    sampling = replace(actor.sampling, temperature=REFINE_TEMPERATURE, seed=actor.sampling.seed + number)
    return Actor(actor.engine, sampling)


def _followed(writing: Iterator[TalkEvent], problem: Problem, critic: Critic, cancel: Event) -> Iterator[TalkEvent]:
    """An attempt, and what the critic says of each step as soon as it is there, up to the first wrong one."""
    steps, verdicts = [], []
    while not isinstance(event := next_or_value(writing), Trajectory):
        yield event
        if isinstance(event, Proposing):
            steps = list(event.kept)
        elif isinstance(event, StepDone):
            steps.append(event.step)
            if cancel.is_set() or (verdicts and verdicts[-1].verdict == "incorrect"):
                continue
            told, verdicts = verdicts, critic.follow(problem, steps, cancel)
            yield from news(told, verdicts)
    return event


def _mend(problem: Problem, attempt: Trajectory, actor: Actor, critic: Critic, cancel: Event) -> Iterator[TalkEvent]:
    """While an attempt was cut off at a false equation, put the equation right and let the actor go on."""
    for number in range(1, MENDS + 1):
        if attempt.finish != "cut" or cancel.is_set():
            break
        position = len(attempt.steps) - 1
        critique = yield from critic.read_arithmetic(problem, attempt)
        yield Refining(position, critique.verdicts[position].comment)
        stop_at = proven_wrong if number < MENDS else None
        begun = mended(attempt.steps[position].text)
        writing = actor.mend(problem, attempt, position, begun, cancel, stop_at)
        attempt = yield from _followed(writing, problem, critic, cancel)
    return attempt


def preferred(new: Trajectory, new_critique: Critique, old: Trajectory, old_critique: Critique) -> bool:
    """Whether the critic prefers the refinement: it states an answer, and holds without an error, or its first error
    comes later, or at the same place with a better score."""
    if new.answer is None:
        return False
    if new_critique.first_error is None or old_critique.first_error is None:
        return new_critique.first_error is None
    return (new_critique.first_error, new_critique.score) > (old_critique.first_error, old_critique.score)


def self_talk(problem: Problem, engine: Engine, sampling: Sampling, cancel: Event) -> Iterator[TalkEvent]:
    final = yield from Monologue(problem, engine, sampling, cancel).run()
    yield Finished(outcome_of(final))


_NOTES: dict[Language, dict[bool, str]] = {
    "en": {
        True: "An earlier attempt gave {old}; the checker doubted its step {step}, and the new attempt gives {new}.",
        False: "Another attempt gave {new}, but the checker did not find it better, so {old} stays.",
    },
    "zh-CN": {
        True: "先前的解答是 {old}；检查者怀疑第 {step} 步，新的解答是 {new}。",
        False: "另一次解答是 {new}，但检查者并不更认可它，所以保留 {old}。",
    },
}


def _note(old: Trajectory, new: Trajectory, position: int, taken: bool, language: Language) -> list[str]:
    """What a person must be told when two attempts disagree: no answer changes in silence."""
    if old.answer is None or new.answer is None or equal(old.answer, new.answer):
        return []
    return [_NOTES[language][taken].format(old=old.answer, new=new.answer, step=position + 1)]
