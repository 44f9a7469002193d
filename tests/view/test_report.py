"""A session as a file: it is complete, text stays text, and the printable page loads nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from program import refused
from program import run as command

from runtime.events import Transcript
from runtime.log.run import PRACTISED, Run, step_id
from runtime.log.store import StoreError
from runtime.page.past import document, listing
from runtime.types import Critique, Evidence, Feedback, Outcome, Problem, SelfTalk, Step, StepVerdict, Trajectory
from runtime.view.display import to_markdown
from runtime.view.report import html, markdown
from runtime.view.words import word

PROBLEM = Problem(text="Ann pays $5 and Tom pays $7. <b>How much</b> do they pay?")
RIGHT = StepVerdict(verdict="correct", evidence=(Evidence(by="arithmetic", verdict="correct"),))
WRONG = StepVerdict(
    verdict="incorrect", comment="5 + 7 is 12, not 13.", evidence=(Evidence(by="arithmetic", verdict="incorrect"),)
)
HOSTILE = '<img src=x onerror="alert(1)"> & [click](javascript:x)'


def a_run(session: str, kind: str = "solve", mode: str = "critic", number: int = 1) -> Run:
    steps = (r"Half of it is \(\frac{12}{2}\).", "5 + 7 = 13", HOSTILE)
    attempt = Trajectory(
        problem_id=PROBLEM.id,
        steps=tuple(Step(text=text) for text in steps),
        answer="13",
        origin="student" if kind == "check" else "sample",
    )
    talk = SelfTalk(
        problem=PROBLEM,
        turns=(attempt, Critique(trajectory_id=attempt.id, verdicts=(RIGHT, WRONG))),
        outcome=Outcome(status="unsettled", answer="13", trajectory_id=attempt.id),
    )
    run_id = f"01J000000000000000000000{number:02}"
    return Run(run_id, session, kind, mode, "tiny", Transcript(talk), created_at="2026-01-02T10:00:00.000+00:00")


@pytest.fixture
def stored(log):
    """A session of two runs, with a label on a step of the first."""
    session = log.start_session()
    for number, run in enumerate((a_run(session), a_run(session, "check", number=2)), 1):
        log.record(run)
        assert run.id.endswith(str(number))
    first = a_run(session)
    log.add_label(first.id, step_id(first.id, 0, 1), Feedback(rating=-1, correction="5 + 7 = 12"))
    return log.runs_of(session)


class Text(HTMLParser):
    """The words of a page, and its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words, self.elements = "", []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.elements.append((tag, dict(attributes)))


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_both_formats_contain_the_whole_session(stored, language):
    printed, plain = Text(html(stored, language)).words, markdown(stored, language)
    for text in (printed, plain):
        assert text.count(word("verdict.flagged.solve", language)) == 1 and "✗" in text and "✓" in text
        assert word("badge.arithmetic_wrong", language) in text
        assert "5 + 7 is 12, not 13." in text
        assert word("rate.wrong", language) in text and word("rate.correction", language) in text
        assert "5 + 7 = 12" in text
        assert word("note.unsettled", language) in text
        assert word("answer.check.wrong", language, number=2) in text
    assert "Ann pays $5 and Tom pays $7. <b>How much</b>" in printed
    assert r"Ann pays \$5 and Tom pays \$7. \<b\>How much" in plain


def test_reports_and_the_list_of_earlier_work_show_how_likely_an_answer_is_right(log, stored):
    run = stored[0]
    outcome = run.outcome.model_copy(update={"reliability": 0.78})
    talk = run.transcript.talk.model_copy(update={"outcome": outcome})
    log.record(replace(run, transcript=Transcript(talk)))
    for text in (markdown(log.runs_of(run.session_id), "en"), Text(html(log.runs_of(run.session_id), "en")).words):
        assert text.count("likely right: 8 in 10") == 1 and "How sure" in text
    assert [row["likely"] for row in listing(log, "en")["rows"]] == ["", "likely right: 8 in 10"]


def test_the_printable_page_loads_nothing_and_executes_no_text(stored):
    page = Text(html(stored, "en"))
    assert HOSTILE in page.words
    assert not {tag for tag, _ in page.elements} & {"img", "script", "link", "a", "iframe"}
    assert not [attributes for _, attributes in page.elements if {"src", "href", "onerror"} & set(attributes)]
    assert "default-src 'none'" in html(stored, "en") and ("mfrac", {}) in page.elements
    assert "@media print" in html(stored, "en")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"so \(x^2\) is it", "so $x^2$ is it"),
        (r"it is \(7\). So", "it is $7$. So"),
        (r"\[\frac{1}{2}\]", r"$$\frac{1}{2}$$"),
        ("Tom has $5 and Ann has $7.", r"Tom has \$5 and Ann has \$7."),
        ("2*3*4 <<2*3=6>>", r"2\*3\*4 "),
        ("1. first", r"1\. first"),
        ("- 5 + 3", r"\- 5 + 3"),
        ("12 - 5 = 7", "12 - 5 = 7"),
        ("# no heading", r"\# no heading"),
    ],
)
def test_text_is_escaped_in_markdown(text, expected):
    assert to_markdown(text) == expected


def test_the_command_line_writes_a_session(stored, tmp_path):
    session = stored[0].session_id
    file = tmp_path / "session.html"
    assert command("report", session, file, "--format", "html").returncode == 0
    assert file.read_text("utf-8") == html(stored, "en")
    assert command("report", stored[0].id).stdout == markdown(stored[:1], "en")
    assert json.loads(command("report", session, "--json").stdout)["runs"] == 2
    refused(command("report", "none"), "none", "log --json")
    refused(command("report", session, "--format", "pdf"), "pdf", "html")


def test_the_list_shows_the_newest_runs_and_can_be_searched(log, stored):
    log.record(a_run(stored[0].session_id, "check", PRACTISED, 3))
    view = listing(log, "en")
    assert view["more"] == ""
    few = listing(log, "en", shown=2)
    assert (len(few["rows"]), few["more"]) == (2, "Showing the newest 2.")
    assert [row["kind"] for row in view["rows"]] == ["Practised", "Checked", "Solved"]
    assert view["rows"][0]["title"].startswith("Ann pays $5") and not view["empty"]
    assert len(listing(log, "en", "half")["rows"]) == 3
    nothing = listing(log, "zh-CN", "elephant")
    assert nothing["rows"] == [] and nothing["empty"] == word("past.none", "zh-CN")
    assert listing(None, "en")["rows"] == []


def test_an_unreadable_list_shows_the_reason(log, stored):
    log.db.execute("drop view latest_labels")
    assert "cannot be used" in listing(log, "en")["empty"]


def test_a_run_is_exported_as_a_file(log, stored):
    file = document(log, stored[0].id, "md", "en")
    assert re.fullmatch(r"soliloquy-2026-01-02-\w{6}\.md", file["name"])
    assert file["text"] == markdown(stored[:1], "en") and file["type"] == "text/markdown"
    with pytest.raises(StoreError):
        document(log, "gone", "md", "en")
    with pytest.raises(StoreError):
        document(None, stored[0].id, "md", "en")
