"""Problems about a whole and its parts: ratios, and groups of people."""

from __future__ import annotations

from runtime.problems.wordproblems.story import Number, Senseless, Story
from runtime.problems.wordproblems.words import listed, share


def ratios(story: Story) -> None:
    """Divide a whole in a ratio, or compute one part from another."""
    whole, one, other, unit = story.pick(
        (
            ("a paint", "blue paint", "white paint", "litres"),
            ("a drink", "juice", "water", "glasses"),
            ("a concrete mixture", "cement", "sand", "buckets"),
            ("a bird seed mixture", "sunflower seeds", "oats", "cups"),
            ("a potting mixture", "compost", "bark", "buckets"),
            ("a trail mix", "nuts", "raisins", "cups"),
        )
    )
    a, b = story.whole(2, 7), story.whole(2, 9)
    if a.value == b.value or a.whole % 2 == b.whole % 2 == 0 or {a.whole, b.whole} in ({3, 6}, {3, 9}, {6, 9}):
        raise Senseless
    k, way, name = (
        story.between(2, 15),
        story.pick(("whole", "whole_difference", "part", "part_whole")),
        story.hero.name,
    )
    story.moves = ["ratios:" + way]
    story.tell(
        f"{name} makes {whole} from {one} and {other} in the ratio {a} to {b}.",
        f"For {whole}, {name} takes {a} parts of {one} and {b} parts of {other}.",
    )
    story.distract(f"{name} works on this for @ minutes.", f"{name} needs it for @ days.")
    per = f"{unit} per part"
    if way.startswith("whole"):
        total = story.given((a.whole + b.whole) * k)
        story.tell(f"There should be {total} {unit} in all.", f"In all, {name} makes {total} {unit}.")
        parts = story.work(
            f"{a} + {b}",
            "count",
            "parts",
            "the number of parts",
            "There are @ parts in all.",
            "Together these are @ parts.",
        )
        size = story.work(
            f"{total} / {parts}",
            "count",
            per,
            "the size of one part",
            f"One part is @ {unit}.",
            f"Each part is @ {unit}.",
        )
    else:
        known = story.given(a.whole * k)
        story.tell(f"{name} uses {known} {unit} of {one}.")
        size = story.work(
            f"{known} / {a}",
            "count",
            per,
            "the size of one part",
            f"One part is @ {unit}.",
            f"Each of the {a} parts is @ {unit}.",
        )
    if way == "whole" or way == "part":
        story.work(
            f"{b} × {size}",
            "count",
            unit,
            f"the amount of {other}",
            f"For {other} that makes @ {unit}.",
            f"{name} needs @ {unit} of {other}.",
        )
        story.questions = (f"How many {unit} of {other} are needed?", f"How many {unit} of {other} does {name} need?")
        return
    if way == "part_whole":
        second = story.work(
            f"{b} × {size}",
            "count",
            unit,
            f"the amount of {other}",
            f"{name} needs @ {unit} of {other}.",
            f"Of {other}, @ {unit} are needed.".replace("Of", "For", 1).replace("are needed", "are taken"),
        )
        story.work(
            f"{known} + {second}",
            "count",
            unit,
            f"the number of {unit} in all",
            f"In all there are @ {unit}.",
            f"Together that makes @ {unit}.",
        )
        story.questions = (
            f"How many {unit} does that make in all?",
            f"How many {unit} of the mixture does {name} get?"
            if "mix" in whole
            else f"How many {unit} are there in all?",
        )
        return
    x = story.work(
        f"{a} × {size}",
        "count",
        unit,
        f"the amount of {one}",
        f"There are @ {unit} of {one}.",
        f"For {one} that makes @ {unit}.",
    )
    y = story.work(
        f"{b} × {size}",
        "count",
        unit,
        f"the amount of {other}",
        f"There are @ {unit} of {other}.",
        f"For {other} that makes @ {unit}.",
    )
    big, small, which = (x, y, one) if x.value > y.value else (y, x, other)
    less = other if which == one else one
    story.work(
        f"{big} - {small}",
        "count",
        unit,
        "the difference",
        f"The difference is @ {unit}.",
        f"There are @ {unit} more of {which}.",
    )
    story.questions = (
        f"How many more {unit} of {which} than of {less} are there?",
        f"By how many {unit} is the amount of {which} larger?",
    )


def school(story: Story) -> None:
    """Parts of a group of people: fractions, percentages, the rest."""
    group, where, acts = story.pick(
        (
            ("pupils", "school", ("walk to school", "come by bus", "come by bicycle", "are driven by car")),
            ("members", "club", ("play chess", "play football", "swim", "dance")),
            ("guests", "hotel", ("order tea", "order coffee", "order juice", "drink only water")),
            ("children", "camp", ("go hiking", "build a raft", "paint", "sing in the choir")),
            ("workers", "factory", ("work at night", "work in the morning", "work in the office", "drive lorries")),
        )
    )
    acts = story.rng.sample(acts, len(acts))
    total, name = story.whole(40, 900, 20), story.hero.name
    parts = story.pick((1, 2, 2, 3))
    story.moves = ["school"]
    story.tell(
        f"There are {total} {group} at the {where} of {name}.", f"The {where} that {name} visits has {total} {group}."
    )
    groups = [_part(story, total, group, act) for act in acts[:parts]]
    story.distract(f"The {where} was opened @ years ago.", f"{name} has been there for @ weeks.")
    way = story.pick(("rest", "rest", "sum", "difference" if parts == 2 else "sum")) if parts > 1 else "rest"
    story.moves.append(way)
    if way == "rest":
        story.tell(f"The rest {acts[parts]}.", f"All the others {acts[parts]}.")
        gone = (
            groups[0]
            if parts == 1
            else story.work(
                " + ".join(groups),
                "count",
                group,
                f"the number of {group} counted so far",
                f"Together these are @ {group}.",
                f"That accounts for @ {group}.",
            )
        )
        story.work(
            f"{total} - {gone}",
            "count",
            group,
            f"the number of {group} who {acts[parts]}",
            f"The rest is @ {group}.",
            f"@ {group} {acts[parts]}.",
            f"That leaves @ {group}.",
        )
        story.questions = (f"How many {group} {acts[parts]}?", f"Find the number of {group} who {acts[parts]}.")
    elif way == "sum":
        story.work(
            " + ".join(groups),
            "count",
            group,
            f"the number of these {group}",
            f"Together these are @ {group}.",
            f"In all that is @ {group}.",
        )
        story.questions = (f"How many {group} {listed(acts[:parts]).replace(' and ', ' or ')}?",)
    else:
        one, other = groups[0], groups[1]
        big, small, more, less = (one, other, *acts[:2]) if one.value > other.value else (other, one, acts[1], acts[0])
        story.work(
            f"{big} - {small}",
            "count",
            group,
            "the difference",
            f"The difference is @ {group}.",
            f"There are @ more {group} who {more}.",
        )
        story.questions = (
            f"How many more {group} {more} than {less}?",
            f"By how much is the number of {group} who {more} larger than that of those who {less}?",
        )


def _part(story: Story, total: Number, group: str, act: str) -> Number:
    way = story.pick(("percent", "fraction", "number"))
    if way == "number" and not story.lines:
        way = "fraction"
    story.moves.append(way)
    if way == "number":
        number = story.whole(5, total.whole // 5)
        story.tell(f"{number} {group} {act}.", f"Another {number} {group} {act}.")
        return number
    if way == "percent":
        percent = story.whole(5, 45, 5)
        story.tell(f"{percent}% of the {group} {act}.", f"Of all {group}, {percent}% {act}.")
        formula = story.pick((f"{total} × {percent} / 100", f"{total} / 100 × {percent}"))
    else:
        bottom = story.divisor(total, 3, 6)
        top = 2 if bottom.whole in (3, 5) and story.chance(0.3) else 1
        said = share(story.rng, top, bottom.whole)
        story.tell(f"{said} of the {group} {act}.", f"Of all {group}, {said} {act}.")
        formula = f"{total} / {bottom}" if top == 1 else f"{total} / {bottom} × {top}"
    return story.work(
        formula,
        "count",
        group,
        f"the number of {group} who {act}",
        f"@ {group} {act}.",
        f"The number of {group} who {act} is @.",
        f"There are @ {group} who {act}.",
    )
