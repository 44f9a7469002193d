"""Problems about time, recipes, and conversion of units."""

from __future__ import annotations

from fractions import Fraction

from runtime.problems.wordproblems.story import Senseless, Story


def times(story: Story) -> None:
    """Minutes and hours: repeated activities, breaks, and the rest of a time span."""
    story.choose("activity")
    story.let(number=story.whole(2, 7), long=story.whole(15, 95, 5))
    pause, ending = story.chance(0.5), story.pick(("minutes", "hours", "left", "week", "finish"))
    story.moves = ["times", *["pause"] * pause, ending]
    story.play("total")
    if pause:
        story.play(*("pauses", "breaks") if story["number"].whole > 2 else ["pause"], "with_breaks")
    story.distract()
    if ending == "left":
        story.let(hours=story.given(-(-int(story["total"].value) // 60) + story.between(0, 2)))
        story.play("free")
    story.play(ending)


def recipes(story: Story) -> None:
    """A recipe for more or fewer people."""
    story.choose("dish")
    story.choose("ingredient")
    people = story.whole(2, 8)
    story.choose("portion")
    total, guests = story.given(people.whole * story["portion"]), story.whole(3, 40)
    if people.value == guests.value:
        raise Senseless
    story.let(people=people, total=total, guests=guests)
    ending = story.pick(("amount", "more", "bags", "left", "cost"))
    story.moves = ["recipes:" + ending]
    story.play("recipe", "guests")
    story.distract()
    story.play("one", "need")
    need = int(story["need"].value)
    if ending == "more":
        story.let(have=story.whole(10, max(20, need - 20), 10))
    elif ending == "left":
        story.let(have=story.given((need // 500 + story.between(1, 3)) * 500))
    story.play(ending)


def units(story: Story) -> None:
    """Convert a large unit into a small one, then take parts away or divide."""
    story.choose("material")
    low, high = story["size"]
    amount = Fraction(story.between(low * 2, high * 2), 2) if story.chance(0.4) else story.between(low, high)
    story.let(amount=story.given(amount), parts=story.whole(2, 9))
    ending = story.pick(("rest", "divide", "pieces", "whole"))
    story.moves = ["units:" + ending]
    story.play("amount")
    story.distract()
    story.play("total")
    if ending == "pieces":
        story.let(piece=story.divisor(story["total"], max(5, story["total"].whole // 60), 250))
    if ending in ("pieces", "divide"):
        story.play(ending)
        return
    story.let(piece=story.whole(10, story["factor"] // 2, 5))
    story.play("gone", "rest", *["whole"] * (ending == "whole"))
