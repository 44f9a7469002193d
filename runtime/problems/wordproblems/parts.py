"""Problems about a whole and its parts: ratios, and groups of people."""

from __future__ import annotations

from runtime.problems.wordproblems.story import Number, Senseless, Story
from runtime.problems.wordproblems.words import listed, share


def ratios(story: Story) -> None:
    """Divide a whole in a ratio, or compute one part from another."""
    story.choose("mixture")
    a, b = story.whole(2, 7), story.whole(2, 9)
    if a.value == b.value or a.whole % 2 == b.whole % 2 == 0 or {a.whole, b.whole} in ({3, 6}, {3, 9}, {6, 9}):
        raise Senseless
    size, way = story.between(2, 15), story.pick(("whole", "whole_difference", "part", "part_whole"))
    story.let(a=a, b=b)
    story.moves = ["ratios:" + way]
    story.play("ratio")
    story.distract()
    if way.startswith("whole"):
        story.let(total=story.given((a.whole + b.whole) * size))
        story.play("parts", "size_from_whole")
    else:
        story.let(known=story.given(a.whole * size))
        story.play("size_from_part")
    if way in ("whole", "part"):
        story.play("needed")
    elif way == "part_whole":
        story.play("second", "sum", *["sum_of_mixture"] * ("mix" in story["whole"]))
    else:
        story.play("of_one", "of_other")
        _difference(story, (story["of_one"], story["one"]), (story["of_other"], story["other"]))


def _difference(story: Story, one: tuple[Number, str], other: tuple[Number, str]) -> None:
    """Ask for the difference of two named numbers."""
    more, less = (one, other) if one[0].value > other[0].value else (other, one)
    story.let(large=more[0], small=less[0], more=more[1], less=less[1])
    story.play("difference")


def school(story: Story) -> None:
    """Parts of a group of people: fractions, percentages, the rest."""
    story.choose("people")
    acts = story.rng.sample(story["acts"], len(story["acts"]))
    total, parts = story.whole(40, 900, 20), story.pick((1, 2, 2, 3))
    story.let(total=total)
    story.moves = ["school"]
    story.play("total")
    groups = [_part(story, total, act) for act in acts[:parts]]
    story.distract()
    way = story.pick(("rest", "rest", "sum", "difference" if parts == 2 else "sum")) if parts > 1 else "rest"
    story.moves.append(way)
    story.let(groups=" + ".join(groups), gone=groups[0])
    if way == "rest":
        story.let(act=acts[parts])
        story.play("others", *["counted"] * (parts > 1), "rest")
    elif way == "sum":
        story.let(acts=listed(acts[:parts]).replace(" and ", " or "))
        story.play("sum")
    else:
        _difference(story, (groups[0], acts[0]), (groups[1], acts[1]))


def _part(story: Story, total: Number, act: str) -> Number:
    way = story.pick(("percent", "fraction", "number"))
    if way == "number" and not story.lines:
        way = "fraction"
    story.moves.append(way)
    story.let(act=act)
    if way == "number":
        number = story.whole(5, total.whole // 5)
        story.let(part=number)
        story.play("number")
        return number
    if way == "percent":
        percent = story.whole(5, 45, 5)
        story.let(part=percent)
        story.play("percent")
        story.let(formula=story.pick((f"{total} × {percent} / 100", f"{total} / 100 × {percent}")))
    else:
        bottom = story.divisor(total, 3, 6)
        top = 2 if bottom.whole in (3, 5) and story.chance(0.3) else 1
        story.let(part=share(story.rng, top, bottom.whole))
        story.play("fraction")
        story.let(formula=f"{total} / {bottom}" if top == 1 else f"{total} / {bottom} × {top}")
    story.play("part")
    return story["part"]
