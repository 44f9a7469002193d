"""A problem solved in all modes: the cost of each, what is stored, and a blind vote that is cast once."""

import json
import sqlite3
from dataclasses import replace
from threading import Event

import pytest
from solver import QUESTION, RIGHT, Solver

from runtime import settings
from runtime.events import Criticising, StepDone, Voting, begin, fold
from runtime.events import shown as shown_events
from runtime.log.store import StoreError
from runtime.session.comparison import MODES, NAMES, CompareError, Comparison, kept_comparison
from runtime.types import Cost
from runtime.view import comparison as compare_view
from runtime.view.words import LANGUAGES, word


def compared(log, engine=None, text=QUESTION):
    comparison = Comparison(settings.load(), lambda: engine or Solver(), log)
    for _ in comparison.solve(text, "quick", Event()):
        pass
    return comparison


def shown(comparison, language="en"):
    """All text that the page shows of it."""
    parts = [compare_view.problem(comparison), compare_view.status(comparison, False, language)]
    for place in range(len(NAMES)):
        for part in (compare_view.head, compare_view.figures):
            parts.append(part(comparison, place, language))
        parts.append(json.dumps(compare_view.steps(comparison, place, False, language), ensure_ascii=False))
    return "\n".join(parts)


def test_each_mode_is_run_once_measured_and_stored(log):
    comparison = compared(log)
    assert sorted(comparison.runs) == sorted(comparison.costs) == sorted(MODES)
    stored = log.runs_of(comparison.session.id)
    assert [run.mode for run in stored] == list(comparison.modes)
    assert all(run.status == "settled" and run.transcript.talk.outcome.answer == "17" for run in stored)
    assert log.costs(comparison.session.id) == {run.id: comparison.costs[run.mode] for run in stored}


def test_counts_restart_for_each_mode(log):
    comparison = compared(log)
    direct = comparison.costs["direct"]
    assert direct.calls == 1
    assert direct.tokens == len(RIGHT.split())
    assert comparison.costs["critic"].calls > 1
    for mode, cost in comparison.costs.items():
        assert 0 < cost.first <= cost.seconds == comparison.runs[mode].seconds


def test_tokens_a_second_cover_the_whole_run_and_are_unknown_at_zero_time():
    assert Cost(seconds=4, calls=2, prompt_tokens=9, tokens=50).per_second == 12.5
    assert Cost(seconds=0, calls=0, prompt_tokens=0, tokens=0).per_second == 0


def test_the_order_is_shuffled():
    orders = {Comparison(settings.load(), Solver, None).modes for _ in range(60)}
    assert len(orders) == 6


@pytest.mark.parametrize("language", LANGUAGES)
def test_modes_are_named_only_after_the_vote(language, log):
    comparison = compared(log)
    names = {word(f"mode.{mode}", language) for mode in MODES}
    before = shown(comparison, language)
    assert not [name for name in {*names, "critic", "selftalk"} if f'"{name}"' in before or f">{name}<" in before]
    assert word("compare.yours", language) not in before
    mode_words = [word(key, language) for key in ("note.direct", "badge.not_checked", "badge.arithmetic_right")]
    assert not [text for text in mode_words if text in before]
    comparison.cast("B")
    after = shown(comparison, language)
    assert all(f">{name}<" in after for name in names)
    assert all(text in after for text in mode_words)
    assert word("compare.yours", language) in compare_view.head(comparison, 1, language)
    assert word("compare.yours", language) not in compare_view.head(comparison, 0, language)


def test_a_vote_is_stored_as_the_mode_behind_its_letter(log):
    first, second, third = compared(log), compared(log), compared(log)
    first.cast("C")
    second.cast("same")
    assert log.tally() == ({first.modes[2]: 1} | {"same": 1})
    assert third.can_vote
    table = compare_view.tally(log.tally(), "en")
    assert "50%" in table
    assert "Votes on this device: 2" in table
    assert "<table" not in compare_view.tally({}, "en")


def test_a_second_vote_and_an_unknown_letter_are_refused(log):
    comparison = compared(log)
    with pytest.raises(CompareError, match="'D'"):
        comparison.cast("D")
    comparison.cast("A")
    with pytest.raises(CompareError, match="once"):
        comparison.cast("B")
    assert log.tally() == {comparison.modes[0]: 1}


def test_a_stored_vote_cannot_be_changed(log):
    comparison = compared(log)
    comparison.cast("none")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        log.db.execute("update votes set vote = 'same'")
    log.add_vote(comparison.session.id, "same")
    assert log.vote(comparison.session.id) == "same"
    assert log.tally() == {"same": 1}
    with pytest.raises(StoreError):
        log.add_vote("unknown", "same")


def test_a_comparison_survives_a_round_trip(log):
    comparison = compared(log)
    again = kept_comparison(settings.load(), Solver, log, comparison.session.id)
    assert again.modes == comparison.modes
    assert again.costs == comparison.costs
    assert again.can_vote
    again.cast("A")
    assert kept_comparison(settings.load(), Solver, log, comparison.session.id).chosen() == "A"
    assert kept_comparison(settings.load(), Solver, log, "unknown") is None


def test_a_stopped_comparison_ends_and_cannot_be_voted_on(log):
    comparison, cancel = Comparison(settings.load(), Solver, log), Event()
    for progress in comparison.solve(QUESTION, "quick", cancel):
        if isinstance(progress.event, StepDone):
            cancel.set()
    comparison.stop()
    assert [run.status for run in comparison.runs.values()] == ["stopped"]
    assert not comparison.can_vote
    assert word("compare.cut_short", "en") in compare_view.status(comparison, False, "en")
    with pytest.raises(CompareError):
        comparison.cast("A")


def test_a_stopped_comparison_takes_no_more_events():
    comparison = Comparison(settings.load(), Solver, None)
    events = comparison.solve(QUESTION, "quick", Event())
    while not isinstance(next(events).event, StepDone):
        pass
    comparison.stop()
    assert not list(events)
    assert comparison.runs[comparison.modes[0]].status == "stopped"


def test_a_comparison_works_without_a_log():
    comparison = compared(None)
    comparison.cast("A")
    assert comparison.vote == comparison.modes[0]
    assert comparison.costs


def test_deleting_a_run_deletes_its_cost(log):
    comparison = compared(log)
    log.delete_run(comparison.runs["direct"].id)
    assert len(log.costs(comparison.session.id)) == 2
    assert not kept_comparison(settings.load(), Solver, log, comparison.session.id).can_vote


def test_waiting_runs_are_marked_and_finished_runs_show_their_cost(log):
    comparison = Comparison(settings.load(), Solver, log)
    events = comparison.solve(QUESTION, "quick", Event())
    next(events)
    waiting = [compare_view.steps(comparison, place, True, "en").get("status") for place in (1, 2)]
    assert waiting == [word("compare.later", "en")] * 2
    assert compare_view.figures(comparison, 0, "en") == ""
    for progress in events:
        if progress.run.status == "settled":
            break
    assert compare_view.steps(comparison, 1, True, "en")["status"] == word("compare.next", "en")
    assert compare_view.steps(comparison, 0, True, "en")["status"] == word("compare.done", "en")
    list(events)
    assert compare_view.figures(comparison, 0, "en") == ""
    comparison.cast("A")
    assert word("compare.first", "en") in compare_view.figures(comparison, 0, "en")


class Doubted(Solver):
    """Makes a false sum first, so that the critic objects and a step is rewritten."""

    def _next(self, messages):
        reply = super()._next(messages)
        return reply if messages[-1]["role"] == "assistant" and messages[-1]["content"] else reply.replace("12 ", "14 ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_verdicts_retries_and_times_are_hidden_before_the_vote(language, log):
    comparison = compared(log, Doubted())
    for place in range(len(NAMES)):
        hidden = compare_view.steps(comparison, place, False, language)
        assert {row["state"] for row in hidden["steps"]} == {"plain"}
        assert not any(row["sign"] or row["word"] or row["comment"] or row["badges"] for row in hidden["steps"])
        assert (hidden["state"], hidden["note"], hidden["status"]) == ("", "", word("compare.done", language))
    comparison.cast("A")
    states = {
        row["state"] for place in range(3) for row in compare_view.steps(comparison, place, False, language)["steps"]
    }
    assert "replaced" in states


@pytest.mark.parametrize("phase", [Criticising(), Voting()])
def test_the_status_does_not_reveal_a_mode_before_the_vote(log, phase):
    comparison = compared(log)
    mode, unfinished = comparison.modes[0], begin(comparison.runs[comparison.modes[0]].transcript.talk.problem)
    attempt = comparison.runs[mode].transcript.talk.chosen
    for event in (*shown_events(attempt), phase):
        unfinished = fold(unfinished, event)
    comparison.runs[mode] = replace(comparison.runs[mode], transcript=unfinished)
    for language in LANGUAGES:
        status = compare_view.steps(comparison, 0, True, language)["status"]
        assert status == word("compare.working", language)
