"""Problems about rectangles: perimeter, area, and their costs."""

from __future__ import annotations

from fractions import Fraction

from runtime.problems.wordproblems.story import Senseless, Story


def geometry(story: Story) -> None:
    """One or two rectangles: perimeter, area, a fence, the rest of an area."""
    story.choose("thing")
    fine = story.chance(0.3)
    length = story.given(Fraction(story.between(40, 400, 5), 10) if fine else story.between(8, 60))
    width = story.given(
        Fraction(story.between(25, int(length.value * 10) - 5, 5), 10) if fine else story.between(3, length.whole - 1)
    )
    story.let(length=length, width=width)
    way = story.pick(("perimeter", "fence", "area", "cover", "path", "laps", "trees", "part"))
    story.moves = ["geometry:" + way]
    story.play("rectangle")
    story.distract()
    (_around if way in ("perimeter", "fence", "laps", "trees") else _area)(story, way)


def _around(story: Story, way: str) -> None:
    if story.chance(0.5):
        story.play("around")
    else:
        story.moves[0] += "_halves"
        story.play("half_around", "twice_half")
    story.play(way)
    if way == "fence" and story.chance(0.4):
        story.moves[0] += "_work"
        story.play("fence_work")
    elif way == "trees":
        story.let(what="lamps" if "lamps" in story.sentences[-1] else "bushes")
        story.play("row")


def _area(story: Story, way: str) -> None:
    story.play("area")
    if way == "area":
        return
    story.play(way)
    if way == "path":
        story.let(what="pond" if "pond" in story.sentences[-1] else "shed")
        story.play("small")
        x, y = story["x"].value, story["y"].value
        if not (x < story["length"].value and y < story["width"].value and y <= x):
            raise Senseless
        story.play("without")
    elif way == "part":
        sand = "sand" in story.sentences[-1]
        story.let(what="sand" if sand else "vegetables", covers="covers" if sand else "take up")
        story.play("with")
