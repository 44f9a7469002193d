"""Classifies lines of an attempt: a claim that can be checked, only a plan, or that the problem lacks data.

Rules for both languages, without a model. A plan misread as a claim is judged like any line; a claim misread as a plan
is shown as unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from runtime.text import is_answer_line
from runtime.types import Trajectory

_RELATION = re.compile(r"[=≈≠<>≤≥]|\\(?:approx|leq?|geq?|neq?|lt|gt)\b")
_NUMBER_WORD = re.compile(
    r"\b(?:three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|"
    r"hundred|thousand|dozen)\b|(?<!第)(?:[二三四五六七八九]?十[一二三四五六七八九]|[二三四五六七八九]十|[二三四五六七八九两][百千万])",
    re.IGNORECASE,
)
_INTENTION = re.compile(
    r"^\W*(?:(?:first|second|third|next|then|now|finally|lastly|so|step \d+)\b[\s,:]*)*"
    r"(?:(?:we|i|you|he|she|they)(?:'ll| will| can| could| should| must| now| first| then)*\s+"
    r"(?:need|have|want|going|try|find|calculate|determine|compute|figure|multiply|divide|add|subtract)\b|"
    r"let(?:'s| us)\b|to (?:find|calculate|determine|compute|get|solve|figure)\b|"
    r"(?:find|calculate|determine|compute|figure out|work out|multiply|divide|add|subtract)\b)|"
    r"^\W*(?:首先|然后|接着|接下来|最后|现在|再|先|第.步|[，,：:\s])*"
    r"(?:我们)?(?:需要|要|可以|应该|来|先)?(?:先|再)?(?:求|算|计算|找出|确定|设)",
    re.IGNORECASE,
)
_RESULT = re.compile(
    r"(?:\b(?:gets?|gives?|equals?|is|makes?|leaves?|totals?)\b|得到?|等于|共是?|是|为)\W{0,4}\d", re.IGNORECASE
)
_NO_DATA = re.compile(
    r"\b(?:cannot|can ?not|can't|could ?n[o']t|unable to|(?:not|im)possible to|no way to)\b"
    r"(?:[^.,;\n]{0,25}\b(?:calculat|determin|comput|solv|work(?:ed)? out)|"
    r" (?:be )?(?:exactly )?(?:found|known|answered|find|answer|know|tell|figure))|"
    r"\b(?:not|n't) (?:have |given )?(?:enough|sufficient) (?:information|data|details)|"
    r"\binsufficient (?:information|data)|\b(?:information|data|number|value|price)s? (?:is|are) missing|"
    r"\b(?:is|are|was|were)(?: not|n't) (?:given|stated|provided|specified|mentioned|known)|"
    r"\b(?:does|do|did)(?: not|n't) (?:say|tell|give|state|provide|specify|mention)|"
    r"无法(?:直接)?(?:计算|求出|求解|确定|得出|得知|算出|知道|判断|回答|解[答出]?)|不能(?:计算|求出|确定|得出|算出)|"
    r"(?:信息|条件|数据)(?:不足|不够|不全|缺失)|缺少[^。；\n]{0,12}(?:信息|条件|数据)|"
    r"(?:没有?|并未|未)(?:给出|告诉|提供|说明|提到)",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"\b(?:unknown|undetermined|indeterminate|not (?:given|known|enough)|cannot|can't|impossible)\b|"
    r"未知|无法|不确定|不足",
    re.IGNORECASE,
)


def claims_something(line: str) -> bool:
    """Whether a line has a calculation, a relation, or a statement with a number, which may be false. A plan ("multiply
    3 by 4", "先求一共有多少") has none."""
    if _RELATION.search(line):
        return True
    if not (re.search(r"\d", line) or _NUMBER_WORD.search(line)):
        return False
    return not _INTENTION.search(line) or bool(_RESULT.search(line))


def is_plan(line: str) -> bool:
    """Whether a line has nothing that could be checked."""
    return not claims_something(line) and not is_answer_line(line)


def is_unsupported(attempt: Trajectory) -> bool:
    """Whether an attempt states a number as its answer, but no step shows how it was found."""
    return bool(re.search(r"\d", attempt.answer or "")) and not shows_work(attempt)


def shows_work(attempt: Trajectory) -> bool:
    """Whether any step, other than those that only state the answer, claims something."""
    return any(claims_something(step.text) for step in attempt.steps if not is_answer_line(step.text))


def lacks_data(attempt: Trajectory) -> bool:
    """Whether an attempt ends with the statement that the problem lacks data."""
    return attempt.finish == "stop" and ends_without_data([step.text for step in attempt.steps])


def ends_without_data(lines: Iterable[str]) -> bool:
    """Whether a line states that data is missing, and no later line calculates."""
    missing = False
    for line in lines:
        if _RELATION.search(line):
            missing = False
        elif states_missing_data(line):
            missing = True
    return missing


def states_missing_data(line: str) -> bool:
    """Whether a line states that data is missing, including a closing line such as "The answer is unknown"."""
    if _RELATION.search(line):
        return False
    return bool(_NO_DATA.search(line) or (is_answer_line(line) and _UNKNOWN.search(line)))
