"""Problems about currencies, about changing prices, and about things in nested groups."""

from __future__ import annotations

from runtime.problems.wordproblems.story import Story


def currency(story: Story) -> None:
    """Money changed into a foreign currency, and back."""
    story.choose("currency")
    story.let(dollars=story.whole(20, 400, 5), value=story.whole(*story["rate"]))
    ending = story.pick(("plain", "spend", "back", "fee", "each"))
    story.moves = ["currency:" + ending]
    story.play("change", "rate")
    story.distract()
    story.play(*["fee"] * (ending == "fee"), "got")
    if ending in ("plain", "fee"):
        return
    story.let(number=story.whole(2, 12), price=story.whole(20, 900, 10))
    if ending == "each":
        story.play("each")
        return
    if ending == "back":
        story.let(price=story.given(story["number"].whole * story["value"].whole), number=story.whole(2, 9))
    story.play("spent", "left", *["back"] * (ending == "back"))


def prices(story: Story) -> None:
    """A price, rent or pay that rises and falls by percentages."""
    story.choose("thing")
    start = story.whole(story["low"], story["high"], 20)
    story.let(value=start)
    story.moves = ["prices"]
    story.play("start")
    for index in range(story.pick((1, 2, 2, 3))):
        rise = story.chance(0.5)
        story.moves.append("rise" if rise else "fall")
        story.let(goes="goes up" if rise else "goes down", sign="+" if rise else "-")
        story.play("next" if index else "first", "change", "value")
    story.distract()
    value = story["value"]
    if story.chance(0.3) and start.value != value.value:
        story.moves.append("difference")
        large, small = (value, start) if value.value > start.value else (start, value)
        story.let(large=large, small=small)
        story.play("difference")


def packing(story: Story) -> None:
    """Things in nested groups, such as seats in rows: products of several numbers, with some missing or added."""
    story.choose("rows")
    story.let(a=story.whole(2, 12), b=story.whole(3, 15), c=story.whole(4, 12))
    ending = story.pick(("plain", "broken", "two", "per", "more"))
    story.moves = ["packing:" + ending]
    story.play("begin")
    story.distract()
    story.play("many", "total")
    total = story["total"].whole
    if ending in ("broken", "per"):
        story.let(broken=story.whole(3, total // 3))
        story.play("broken", *["per"] * (ending == "per"))
    elif ending == "two":
        story.play("two", "all")
    elif ending == "more":
        story.let(goal=story.given((total // 50 + story.between(1, 4)) * 50))
        story.play(story["purpose"], "missing")
