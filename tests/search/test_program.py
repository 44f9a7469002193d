"""Solutions written as programs: their answers and their limits."""

from fractions import Fraction
from threading import Event

import pace
import pytest

from runtime.engines.base import Completion
from runtime.engines.scripted import ScriptedEngine
from runtime.search.program import PROGRAM_START, read_program, run, sample_programs
from runtime.search.program.values import written
from runtime.search.selection import SAMPLING
from runtime.search.solutions import votes
from runtime.types import Problem

PROBLEM = Problem(text="Ana buys 3 pens for 4 dollars each and a book for 5 dollars. How much does she pay?")
RIGHT = "    pens = 3 * 4\n    book = 5\n    return pens + book\n"


def solved(*lines):
    return run("def solution():\n" + "".join(f"    {line}\n" for line in lines))


def finished(text):
    return Completion(text, "stop", 1, 1)


PROGRAMS = [
    ("0.1 + 0.2", ["return 0.1 + 0.2"], "0.3"),
    ("thirds", ["return 1 / 3"], "1/3"),
    ("a price", ["price = 7.35", "paid = 10", "change = paid - price", "return change"], "2.65"),
    ("whole division", ["return (17 // 5) * 10 + 17 % 5"], "32"),
    ("signs", ["return -2 ** 2 + +3 - -4"], "3"),
    ("powers", ["return 2 ** -1 + 9 ** 0.5"], "3.5"),
    ("rounding", ["return round(2.676, 2) + round(7.4) + int(-1.5)"], "8.68"),
    ("math", ["import math", "return math.ceil(7 / 2) + math.floor(2.9) + math.sqrt(2.25)"], "7.5"),
    ("from math", ["from math import comb as choose, gcd", "return choose(5, 2) + gcd(12, 18)"], "16"),
    ("a loop", ["total = 0", "for day in range(1, 6):", "    total += day", "return total"], "15"),
    (
        "a search",
        ["n = 1", "while True:", "    if n % 3 == 2 and n % 5 == 3:", "        break", "    n += 1", "return n"],
        "8",
    ),
    (
        "continue and else",
        ["t = 0", "for i in range(5):", "    if i == 2: continue", "    t += i", "else:", "    t += 100", "return t"],
        "108",
    ),
    ("a list", ["prices = [3, 4.5]", "prices[0] = 5", "return sum(prices) / len(prices)"], "4.75"),
    ("pairs", ["return sum(n * p for n, p in [(2, 1.5), (3, 4)] if n > 0)"], "15"),
    ("slices", ["a = sorted([3, 1, 2], reverse=True)", "return max(a[:2]) * 10 + a[-1]"], "31"),
    ("unpacking", ["a, b = 3, 4", "a, b = b, a", "return a * 10 + b"], "43"),
    ("chained comparison", ["return 1 if 1 < 2 <= 2 != 3 and 2 in [1, 2] and not None else 0"], "1"),
    ("a function", ["def area(w, h=2):", "    return w * h", "return area(3) + area(h=5, w=2)"], "16"),
    ("recursion", ["def f(n):", "    return 1 if n == 0 else n * f(n - 1)", "return f(5)"], "120"),
    ("a closure", ["rate = 0.2", "def tax(x):", "    return x * rate", "return tax(50)"], "10"),
    ("annotations", ["total: float = 3", "return total"], "3"),
    ("prints", ["x = 4", "print('x is', x, sep=': ')", "return x"], "4"),
    ("a text", ["total = 12.5", "return f'${total:.2f}'"], "12.5"),
    ("two numbers", ["return 3, 0.5"], "3, 0.5"),
    (
        "a mortgage",
        ["b = 200000", "for m in range(360):", "    b = b * (1 + 0.05 / 12) - 1073.64", "return round(b, 2)"],
        "2.7",
    ),
]


@pytest.mark.parametrize(("lines", "answer"), [row[1:] for row in PROGRAMS], ids=[row[0] for row in PROGRAMS])
def test_a_program_gives_pythons_result_in_exact_arithmetic(lines, answer):
    program = solved(*lines)
    assert (program.fault, program.answer) == (None, answer)
    names = {}
    exec(program.code, names)
    returned = names["solution"]()
    if isinstance(returned, int | float):
        assert float(Fraction(answer)) == pytest.approx(returned, abs=1e-6)


HOSTILE = {
    "import": ["import os", "return 1"],
    "import from": ["from os import system", "return 1"],
    "part of math": ["from math import __loader__", "return 1"],
    "built-in import": ["return __import__('os').system('true')"],
    "open": ["return open('/etc/passwd').read()"],
    "eval": ["return eval('1')"],
    "getattr": ["return getattr(1, 'real')"],
    "input": ["return input()"],
    "builtins": ["return __builtins__"],
    "class of a tuple": ["return ().__class__.__bases__[0].__subclasses__()"],
    "attribute of a function": ["return print.__globals__"],
    "attribute of math": ["return math.__loader__"],
    "attribute of a number": ["return (1).real"],
    "attribute of a text": ["return '{0.__class__}'.format(1)"],
    "a format that reaches in": ["return f'{solution.__code__}'"],
    "attribute given": ["math.pi = 3", "return 1"],
    "a class": ["class A: pass", "return A()"],
    "a lambda": ["return (lambda: 1)()"],
    "a decorator": ["@print", "def f(): pass", "return 1"],
    "exceptions": ["try:", "    1 / 0", "except Exception as error:", "    return error"],
    "with": ["with open('x') as f: return f"],
    "global": ["global BUILT_INS", "return 1"],
    "deletion": ["del print", "return 1"],
    "the machine by name": ["return abs(machine=1, value=2)"],
    "spread": ["return max(*[1, 2])"],
    "spread by name": ["return round(**{'ndigits': 1})"],
    "endless": ["while True:", "    pass"],
    "endless with prints": ["while 1:", "    print(1)"],
    "endless for": ["for i in range(10**12):", "    pass"],
    "endless pairs": ["return sum([x * y for x in range(10**6) for y in range(10**6)])"],
    "a tower": ["return 9**9**9"],
    "a negative tower": ["return 9**-9**9"],
    "squares": ["x = 2", "while True:", "    x = x * x"],
    "small denominators": ["x = 1", "for n in range(1, 10**6):", "    x += 1 / n", "return x"],
    "large sums": ["x, y = 1 / 3**1200, 1 / 5**800", "while 1:", "    z = x + y"],
    "large roots": ["x = 1 / 3**1200", "while 1:", "    math.sqrt(x)"],
    "large sorting": ["x = 3**1000", "while 1:", "    sorted([x, x + 1] * 400)"],
    "a factorial": ["return math.factorial(10**7)"],
    "choices": ["return math.comb(10**9, 5 * 10**8)"],
    "many choices": ["while 1:", "    math.comb(500, 250)"],
    "places": ["return round(1.5, 10**9)"],
    "a shift": ["return 1 << 10**9"],
    "a huge list": ["return [0] * 10**9"],
    "a huge range": ["return list(range(10**9))"],
    "a huge sum": ["return sum(range(10**12))"],
    "a growing list": ["a = [1]", "while True:", "    a = a + a"],
    "a growing text": ["s = 'a'", "while True:", "    s = f'{s}{s}'"],
    "lists of lists": ["a, b = [1], [1]", "for i in range(60):", "    a, b = [a, a], [b, b]", "return a == b"],
    "a list in itself": ["a = [1]", "a[0] = a", "return a"],
    "recursion": ["return solution()"],
    "deep recursion": ["def f(n):", "    return f(n + 1)", "return f(0)"],
    "branching recursion": ["def f(n):", "    return f(n - 1) + f(n - 1) if n else 1", "return f(18)"],
    "brackets": ["return " + "(" * 1400 + "1" + ")" * 1400],
    "many signs": ["return " + "-" * 2500 + "1"],
    "many nots": ["return " + "not " * 700 + "1"],
    "many digits": ["return " + "9" * 2900],
    "many characters": ["return 1 # " + "x" * 5000],
    "infinity": ["return 1e999"],
    "an imaginary number": ["return 1j"],
    "root of a negative": ["return (-8) ** 0.5"],
    "no division": ["return 1 / 0"],
    "no remainder": ["return 1 % 0"],
    "no such item": ["return [1][5]"],
    "no such name": ["return total"],
    "no arguments": ["return abs()"],
    "nothing": ["x = 1"],
    "a yes": ["return 1 < 2"],
    "a sentence": ["return 'Error: 2 pens are too few'"],
    "break": ["break"],
    "half a line": ["return (1 +"],
    "a null": ["return '\0'"],
}


@pytest.mark.parametrize("lines", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_program_ends_soon_with_a_fault(lines):
    assert pace.units(lambda: solved(*lines)) < pace.SOON
    program = solved(*lines)
    assert program.fault
    assert program.answer is None


def test_a_fault_names_its_line_and_reason():
    assert solved("x = 1", "return x.real").fault == "line 3: .real is not allowed"
    assert solved("import os").fault == "line 2: the import of os is not allowed"
    assert solved("return totl").fault == "line 2: totl is not known"


def test_a_program_never_runs_in_python(tmp_path):
    target = tmp_path / "written"
    assert solved(f"open({str(target)!r}, 'w').write('x')", "return 1").fault
    assert run(f"open({str(target)!r}, 'w')\n\ndef solution():\n    return 1\n").answer == "1"
    assert not target.exists()


def test_programs_share_no_state():
    assert run("abs = 5\n\ndef solution():\n    return abs\n").answer == "5"
    assert solved("return abs(-2)").answer == "2"


def test_text_after_the_function_is_not_run():
    shown = "print(solution())\nif __name__ == '__main__':\n    main()\nassert solution() == 17\n"
    assert run(f"import math\n\ndef solution():\n{RIGHT}\n{shown}").answer == "17"
    assert "solution is not known" in run("x = 1\n").fault


def test_a_long_search_within_the_limits_succeeds():
    program = solved("for x in range(1, 2000):", "    if x * 3 + 8 == 4799:", "        return x")
    assert program.answer == "1597"


@pytest.mark.parametrize(
    ("number", "text"),
    [("-12", "-12"), ("3.75", "3.75"), ("-1/3", "-1/3"), ("1/12345", "0.0000810045"), ("-0.5", "-0.5"), ("100", "100")],
)
def test_numbers_are_formatted_as_people_write_them(number, text):
    assert written(Fraction(number)) == text


def test_programs_are_sampled_together_from_a_given_prefix():
    engine = ScriptedEngine([f"{RIGHT}```\nThat is it.", "    return 3 +\n", "    return open('x')\n"])
    programs = sample_programs(engine, PROBLEM, 3, SAMPLING, Event())
    assert [program.answer for program in programs] == ["17", None, None]
    assert [bool(program.fault) for program in programs] == [False, True, True]
    for call in engine.calls:
        assert PROBLEM.text in call[-2]["content"]
        assert call[-1] == {"role": "assistant", "content": PROGRAM_START}


@pytest.mark.parametrize("tail", ["\n# Test it\nprint(solution())", "\nprint(solution())", "\nif True:\n    x = 1 +"])
def test_generation_stops_when_the_function_is_complete(tail):
    [program] = sample_programs(ScriptedEngine([f"    # in all\n{RIGHT}{tail}"]), PROBLEM, 1, SAMPLING, Event())
    assert (program.answer, program.fault) == ("17", None)
    assert program.code.endswith("return pens + book\n")


def test_a_chinese_problem_gets_a_chinese_prompt():
    engine = ScriptedEngine(["    return 7\n"])
    problem = Problem(text="小明有3个苹果，又买了4个。一共有几个？")
    [program] = sample_programs(engine, problem, 1, SAMPLING, Event())
    assert "函数" in engine.calls[0][-2]["content"]
    assert program.answer == "7"


def test_a_truncated_program_is_not_run():
    program = read_program(Completion("    return 12\n", "length", 1, 1))
    assert program.answer is None
    assert "end" in program.fault


PROGRAM = read_program(finished(RIGHT))
WRONG = read_program(finished("    return 3 + 4 + 5\n"))
BROKEN = read_program(finished("    return pens\n"))


def test_programs_vote_like_written_solutions():
    [first, second] = votes([WRONG, PROGRAM, BROKEN, PROGRAM])
    assert (first.answer, len(first.solutions), second.answer) == ("17", 2, "12")
