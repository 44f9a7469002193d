"""Any text as the page shows it: safe HTML, within a time limit."""

from __future__ import annotations

import re
import sys
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.events import Transcript
from runtime.log.run import Run
from runtime.page import past
from runtime.types import Critique, Evidence, Feedback, Outcome, Problem, SelfTalk, Step, StepVerdict, Trajectory
from runtime.view import guided, render, report
from runtime.view.display import answer_to_display, to_display, to_markdown, to_mathml

DRAWING = {
    *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup"),
    *("munder", "mover", "munderover", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose"),
}
PRINTED = DRAWING | {"html", "head", "meta", "title", "style", "body", "main", "header", "h1", "h2", "footer"} | {
    *("article", "ol", "ul", "li", "p", "b", "span"),
}  # fmt: skip
ACTING = re.compile(r"on\w+|href|src|srcdoc|style|xlink:href|action|formaction|data")
SECONDS = 3.0
"""On a busy machine; an idle one needs a tenth of it."""

PIECES = (
    *(r"\(", r"\)", r"\[", r"\]", "$", "$$", "{", "}", "[", "]", "(", ")", "^", "_", "&", r"\\", "'", "|", "#", "%"),
    *(r"\frac", r"\sqrt", r"\sqrt[", r"\left", r"\right", r"\left(", r"\boxed", r"\boxed{", r"\text{", r"\over"),
    *(r"\begin{array}{c}", r"\end{array}", r"\begin{aligned}", r"\align*", r"\align", r"\hspace{9em}", r"\rule"),
    *(r"\href{javascript:a}", r"\class{a}", r"\style{x}", r"\color{red}", r"\html", r"\unicode{x3c}", r"\substack"),
    *("<", ">", '"', "&lt;", "&#60;", "<img src=x onerror=a>", "<script>", "</math>", "<<", ">>", "<!--", "]]>"),
    *("x", "1", "+", "-", "=", " ", "\n", "\t", "5 apples", "加", "。", "\u2028", "\x00", "\x1b", "\ufeff", "\u202e"),
)
HARD = [
    r"\(" + r"\align*" * 130 + r"\)",
    "$" * 1500,
    "$" * 1501,
    r"\(" * 2000,
    r"\(" + "{" * 30 + "x" + "}" * 30 + r"\)",
    r"\(" + "{" * 490 + "}" * 490 + r"\)",
    r"\(" + r"\sqrt" * 199 + r"\)",
    r"\(" + r"\frac" * 199 + r"\)",
    r"\(" + "x^" * 499 + "x" + r"\)",
    r"\(" + r"\left(" * 160 + r"\)",
    r"\(" + r"\begin{array}{c}" * 60 + r"\)",
    r"\(" + r"\overline" * 110 + r"\)",
    r"\(" + "'" * 990 + r"\)",
    r"\(" + "[" * 990 + r"\)",
    "$x" * 2000,
    r"\boxed{" * 600,
    "\n" * 20_000,
    " " * 20_000 + "-",
    "1" * 20_000,
    "\\" * 20_000,
    "$" + "a " * 10_000 + "$1",
]
texts = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=30).map(lambda inside: rf"\({''.join(inside)}\)"),
    st.builds(lambda piece, times: rf"\({piece * times}\)", st.sampled_from(PIECES), st.integers(1, 300)),
    st.builds(lambda one, two, times: (one + two) * times, *[st.sampled_from(PIECES)] * 2, st.integers(1, 300)),
)


class Elements(HTMLParser):
    """The elements of some HTML, their attributes, and the remaining text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.carried: list[tuple[str, str | None]] = []
        self.others: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.carried += attributes
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)


def is_safe(html: str, allowed: set[str] = DRAWING) -> None:
    found = Elements(html)
    assert found.tags <= allowed
    assert not [name for name, _ in found.carried if ACTING.fullmatch(name)]
    assert not found.others and not found.open


def within(seconds: float, act, *given):
    began = time.monotonic()
    result = act(*given)
    assert time.monotonic() - began < seconds
    return result


@settings(max_examples=1000)
@given(texts)
def test_any_text_becomes_safe_html(text):
    is_safe(within(SECONDS, to_display.__wrapped__, text))
    is_safe(within(SECONDS, answer_to_display.__wrapped__, text))
    within(SECONDS, to_markdown, text)


@pytest.mark.parametrize("text", HARD, ids=lambda text: f"{text[:12]!r} of {len(text)}")
def test_text_made_to_break_the_page_is_shown_safely(text):
    is_safe(within(SECONDS, to_display.__wrapped__, text))
    is_safe(within(SECONDS, answer_to_display.__wrapped__, text))
    within(SECONDS, to_markdown, text)


@given(texts)
def test_formulas_are_converted_with_little_stack(text):
    """As deep in the call stack as a handler of the page may be."""

    def deeper(calls: int):
        return to_display.__wrapped__(text) if calls == 0 else deeper(calls - 1)

    is_safe(deeper(sys.getrecursionlimit() - 400))


def test_what_cannot_be_a_formula_is_shown_as_it_was_typed():
    typed = r"\(" + r"\align*" * 130 + r"\)"
    assert to_display(typed) == typed
    assert r"\\(\\align" in to_markdown(typed)


@pytest.mark.parametrize("latex", [r"a\hspace{99em}b", r"\rule{1em}{99em}", r"a\hspace{-9em}b"])
def test_formulas_stay_in_their_position(latex):
    assert not re.search(r'"-?\d{2}em"|"-9em"', to_mathml(latex))


def run_of(texts: list[str], kind: str) -> Run:
    """A run in which every value is invalid."""
    problem, step, comment, note, answer, correction = texts
    problem = Problem(text=problem or "?")
    attempt = Trajectory(problem_id=problem.id, steps=(Step(text=step), Step(text=comment)), answer=answer)
    evidence = (Evidence(by="model", verdict="incorrect", note=note), Evidence(by="vote", verdict="correct", note=step))
    wrong = StepVerdict(verdict="incorrect", comment=comment, evidence=evidence)
    critique = Critique(trajectory_id=attempt.id, verdicts=(wrong, wrong))
    outcome = Outcome(status="unsettled", answer=answer, note=note, trajectory_id=attempt.id)
    talk = SelfTalk(problem=problem, turns=(attempt, critique), outcome=outcome)
    labels = {"R:0:0": Feedback(rating=-1, correction=correction or None)}
    return Run("R", "S", kind, "critic", "m", Transcript(talk), labels=labels, created_at="never")


@settings(max_examples=150)
@given(st.lists(texts, min_size=6, max_size=6), st.sampled_from(["solve", "check"]), st.sampled_from(["en", "zh-CN"]))
def test_any_run_can_be_shown_and_printed(texts, kind, language):
    run = run_of(texts, kind)
    for view in (render.view(run, language), guided.view(run, language)):
        for row in view["steps"]:
            for html in (row["html"], row["comment"], row["correction_html"], *(why["note"] for why in row["why"])):
                is_safe(html)
        is_safe(view["note"])
        is_safe(view["answer"])
    page = report.html([run], language)
    is_safe(page[page.index("<article>") : page.rindex("</article>") + 10], PRINTED)
    assert report.markdown([run], language)


@pytest.mark.parametrize("text", HARD, ids=lambda text: f"{text[:12]!r} of {len(text)}")
def test_a_stored_run_made_to_break_the_page_is_listed_and_printed_safely(log, text):
    run = run_of([text[:4000]] * 6, "solve")
    log.start_session()
    (session,) = [log.start_session()]
    run = Run("01J00000000000000000000001", session, *list(vars(run).values())[2:])
    log.record(run)
    for name in ("html", "md"):
        assert past.document(log, run.id, name, "en")["text"]
    assert past.listing(log, "en")["rows"]
