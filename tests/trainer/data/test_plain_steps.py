"""Model solutions as plain steps."""

import pytest

from trainer.data.traces.material import plain_steps


@pytest.mark.parametrize(
    ("lines", "steps"),
    [
        (
            ["Let's see.", r"The total is: \[ 3 + 4 = 7 \]", r"So \(\boxed{7}\)."],
            ["Let's see. The total is: 3 + 4 = 7"],
        ),
        (
            [r"\[ \text{Half} = \frac{20}{2} = 10 \]", "**Then** 10 + 1 = 11"],
            ["Half = 20 / 2 = 10", "Then 10 + 1 = 11"],
        ),
        ([r"3 \times 4 = 12", "Let's confirm this with Python code.", "x = 3 * 4"], ["3 × 4 = 12"]),
        ([r"3 \times 4 = 13"], None),
        ([r"The root is \sqrt{9}, so 3 + 1 = 4"], None),
        (["The answer is 5."], []),
    ],
)
def test_plain_steps_have_no_markup_and_each_holds_a_calculation(lines, steps):
    assert plain_steps(lines) == steps
