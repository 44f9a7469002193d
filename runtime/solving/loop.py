"""The talk: a problem solved in one of three modes, as a generator of events.

direct: the actor alone. critic: the actor proposes, the critic reads, and while it finds a first error the actor goes
on from the steps before it (MathCritique, arXiv 2411.16579, at the level of steps). selftalk: one model that proposes,
checks and corrects itself. A vote of more solutions follows where the deep check was asked for and the critic has no
deep rule, and whenever a person asks for one. An engine's error ends a talk with `Failed`; what was made is kept.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from threading import Event

from runtime.checks.arithmetic import corrected
from runtime.checks.claims import is_unsupported, lacks_data, shows_work
from runtime.checks.grading import equal
from runtime.checks.stated import final_answer
from runtime.critic.critic import Critic, Judge, changes, open_critic, proven_wrong
from runtime.critic.explanation import look_again
from runtime.engines.base import ContextOverflow, Engine, EngineError, Sampling
from runtime.events import Event as TalkEvent
from runtime.events import Failed, Finished, Proposing, Refining, StepDone, next_or_value, shown
from runtime.search.verifier import Verifier, open_verifier
from runtime.settings import Settings
from runtime.solving.actor import Actor, Writing
from runtime.solving.answer_vote import Vote
from runtime.solving.monologue import Monologue
from runtime.solving.outcomes import outcome_of
from runtime.text import Language, language_of
from runtime.types import Critique, Outcome, Problem, SelfTalk, Step, Trajectory

REFINE_TEMPERATURE = 0.7
"""A greedy actor would often write the same wrong step again."""
AGAIN = 1000
"""Added to the seed for versions that a person asks for."""
CORRECTIONS = 8
"""How many false equations are corrected in one attempt before the actor may continue regardless."""


def converse(
    problem: Problem, engine: Engine, settings: Settings, cancel: Event, judge: Engine | None = None
) -> Generator[TalkEvent]:
    """Solve a problem in the mode of the settings; `judge` is the critic's engine, if it is another one."""
    sampling = Sampling(temperature=settings.temperature, max_tokens=settings.max_tokens, seed=settings.seed)
    actor = Actor(problem, engine, sampling, cancel)
    match settings.mode:
        case "direct":
            events = direct(actor)
        case "critic":
            judge = judge or engine
            events = criticised(actor, open_critic(judge, settings), settings.rounds, open_verifier(judge, settings))
        case "selftalk":
            events = self_talk(Monologue(problem, engine, sampling, cancel))
    return guarded(events)


def check(
    problem: Problem, steps: Sequence[str], critic: Critic, cancel: Event, verifier: Verifier | None = None
) -> Generator[TalkEvent]:
    """Judge a person's own steps; a verifier weighs the votes, if one is held."""
    return guarded(_own_work(problem, steps, critic, cancel, verifier))


def converse_again(
    problem: Problem, attempt: Trajectory, position: int, engine: Engine, settings: Settings, number: int, cancel: Event
) -> Generator[TalkEvent]:
    """A new version of an attempt, from the step at `position` on; `number` tells one version from another. A self-talk
    adapter is not used: the actor writes, and the critic reads unless the mode is without one."""
    sampling = Sampling(REFINE_TEMPERATURE, max_tokens=settings.max_tokens, seed=settings.seed + AGAIN + number)
    critic = None if settings.mode == "direct" else open_critic(engine, settings)
    return guarded(_again(Actor(problem, engine, sampling, cancel), critic, attempt, position))


def put_to_vote(talk: SelfTalk, engine: Engine, settings: Settings, cancel: Event) -> Generator[TalkEvent]:
    """Let more solutions vote on a talk that has ended, of the actor or of a person. Its outcome stands unless enough
    of them agree on another answer."""
    if talk.chosen is None or talk.outcome is None:
        raise ValueError("a talk that has come to nothing cannot be voted on")
    critic = None if settings.mode == "direct" else open_critic(engine, settings)
    critique, verifier = talk.critique_of(talk.chosen), open_verifier(engine, settings)
    vote = Vote(talk.problem, talk.chosen, critique, critic, settings.seed, verifier)
    yield Finished((yield from vote.held(talk.outcome, engine, cancel)))


def guarded(events: Generator[TalkEvent]) -> Generator[TalkEvent]:
    """The boundary of the engine: its error becomes the talk's last event."""
    try:
        yield from events
    except EngineError as error:
        yield Failed(str(error), error.kind)


def direct(actor: Actor) -> Generator[TalkEvent]:
    attempt = yield from _with_second_try((yield from actor.attempt()), actor, None)
    yield Finished(outcome_of(attempt, stopped=actor.cancel.is_set()))


def self_talk(monologue: Monologue) -> Generator[TalkEvent]:
    yield Finished(outcome_of((yield from monologue.run())))


def criticised(actor: Actor, critic: Judge, rounds: int, verifier: Verifier | None = None) -> Generator[TalkEvent]:
    """Actor and critic in turns; a refinement replaces what it refines only if the critic prefers it. A verifier rates
    how likely the answer is right, and weighs the votes, if one is held."""
    problem, cancel, notes = actor.problem, actor.cancel, []
    first = yield from _followed(actor.attempt(proven_wrong), actor, critic)
    first = yield from _with_second_try(first, actor, critic)
    if lacks_data(first) and not cancel.is_set():  # going on would only make it invent what is missing
        yield Finished(outcome_of(first))
        return
    best = yield from _correct(first, actor, critic)
    critique = yield from critic.read(problem, best, cancel)
    for number in range(1, rounds + 1):
        position = critique.first_error
        if position is None or cancel.is_set():
            break
        comment = critique.verdicts[position].comment
        yield Refining(position, comment)
        try:
            writing = _bolder(actor, number).refine(best, position, comment, proven_wrong)
            new = yield from _followed(writing, actor, critic)
            new = yield from _correct(new, actor, critic)
        except ContextOverflow:  # no room to continue: what there is stays
            break
        new_critique = yield from critic.read(problem, new, cancel)
        taken = not cancel.is_set() and preferred(new, new_critique, best, critique)
        notes += _note(best, new, position, taken, language_of(problem.text))
        if taken:
            best, critique = new, new_critique
    found = outcome_of(best, critique, " ".join(notes), stopped=cancel.is_set())
    if critic.wants_vote(critique) and not cancel.is_set():
        vote = Vote(problem, best, critique, critic, actor.sampling.seed, verifier)
        found = yield from vote.held(found, actor.engine, cancel)
    elif verifier and found.answer:
        found = _rated(found, problem, best, verifier, cancel)
    yield Finished(found)


def _rated(found: Outcome, problem: Problem, attempt: Trajectory, verifier: Verifier, cancel: Event) -> Outcome:
    """With the probability that the answer is right; without it after a stop, and where the engine fails."""
    try:
        return found.model_copy(update={"reliability": verifier.reliability(problem, attempt, cancel)})
    except EngineError:
        return found


def _own_work(
    problem: Problem, steps: Sequence[str], critic: Critic, cancel: Event, verifier: Verifier | None
) -> Generator[TalkEvent]:
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
        vote = Vote(problem, attempt, critique, critic, critic.collector.seed, verifier)
        found = yield from vote.held(found, critic.engine, cancel)
    yield Finished(found)


def _again(actor: Actor, critic: Critic | None, attempt: Trajectory, position: int) -> Generator[TalkEvent]:
    """The person asked for it, so the new version counts, whatever the critic says of it."""
    writing = actor.correct(attempt, position, "", proven_wrong if critic else None)
    if critic is None:
        yield Finished(outcome_of((yield from writing)))
        return
    new = yield from _followed(writing, actor, critic)
    new = yield from _correct(new, actor, critic)
    critique = yield from critic.read(actor.problem, new, actor.cancel)
    yield Finished(outcome_of(new, critique, stopped=actor.cancel.is_set()))


def _with_second_try(first: Trajectory, actor: Actor, critic: Judge | None) -> Writing:
    """Ask the actor once more where its attempt ends without an answer, or states one that no step calculates: small
    models often say what they would do, and do not do it. The generator's value is the better of the two."""
    if first.finish != "stop" or lacks_data(first) or actor.cancel.is_set():
        return first
    stop_at = proven_wrong if critic else None
    if first.answer is None:
        writing = _bolder(actor).attempt(stop_at)
    elif is_unsupported(first):
        writing = actor.calculate(first, stop_at)
    else:
        return first
    try:
        second = yield from _followed(writing, actor, critic) if critic else writing
    except ContextOverflow:  # no room to ask again: what there is stays
        return first
    return second if first.answer is None or _is_worked_out(second) else first


def _is_worked_out(attempt: Trajectory) -> bool:
    """Whether it calculates and reaches an answer, or was cut off on the way to be corrected."""
    return shows_work(attempt) and (attempt.answer is not None or attempt.finish == "cut")


def _bolder(actor: Actor, number: int = 1) -> Actor:
    """The same actor at a higher temperature: its likeliest words it has written already."""
    sampling = replace(actor.sampling, temperature=REFINE_TEMPERATURE, seed=actor.sampling.seed + number)
    return Actor(actor.problem, actor.engine, sampling, actor.cancel)


def _followed(writing: Writing, actor: Actor, critic: Judge) -> Writing:
    """An attempt, and the critic's verdict on each step as soon as it is written, up to the first error."""
    steps, verdicts = [], []
    while not isinstance(event := next_or_value(writing), Trajectory):
        yield event
        if isinstance(event, Proposing):
            steps = list(event.kept)
        elif isinstance(event, StepDone):
            steps.append(event.step)
            if actor.cancel.is_set() or (verdicts and verdicts[-1].verdict == "incorrect"):
                continue
            before, verdicts = verdicts, critic.follow(actor.problem, steps, actor.cancel)
            yield from changes(before, verdicts)
    return event


def _correct(attempt: Trajectory, actor: Actor, critic: Judge) -> Writing:
    """While an attempt was cut off at a false equation, correct the equation and let the actor continue."""
    for number in range(1, CORRECTIONS + 1):
        if attempt.finish != "cut" or actor.cancel.is_set():
            break
        position = len(attempt.steps) - 1
        critique = yield from critic.read_arithmetic(actor.problem, attempt)
        yield Refining(position, critique.verdicts[position].comment)
        line_start = corrected(attempt.steps[position].text)
        writing = actor.correct(attempt, position, line_start, proven_wrong if number < CORRECTIONS else None)
        attempt = yield from _followed(writing, actor, critic)
    return attempt


def preferred(new: Trajectory, new_critique: Critique, old: Trajectory, old_critique: Critique) -> bool:
    """Whether the critic prefers the refinement: it states an answer and has no error, or its first error comes later,
    or at the same place with a better score."""
    if new.answer is None:
        return False
    if new_critique.first_error is None or old_critique.first_error is None:
        return new_critique.first_error is None
    return (new_critique.first_error, new_critique.score) > (old_critique.first_error, old_critique.score)


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
    """A note where two attempts disagree, so that no answer changes unnoticed."""
    if old.answer is None or new.answer is None or equal(old.answer, new.answer):
        return []
    return [_NOTES[language][taken].format(old=old.answer, new=new.answer, step=position + 1)]
