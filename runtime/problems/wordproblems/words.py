"""People and small words of word problems: names of many origins, pronouns, lists, fractions in words."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

# fmt: off
WOMEN = (
    "Lena", "Mia", "Aisha", "Priya", "Mei", "Sofia", "Fatima", "Yuki", "Amara", "Ingrid",
    "Chloe", "Zeynep", "Olga", "Maria", "Hana", "Leila", "Nia", "Elena", "Ana", "Grace",
    "Noor", "Sara", "Anika", "Camila", "Freya", "Thandi", "Linh", "Rosa", "Emma", "Nadia",
    "Wanjiru", "Ayumi", "Ximena", "Marta", "Keisha", "Divya", "Siobhan", "Tala", "Irina", "Lucia",
)
MEN = (
    "Omar", "Liam", "Kofi", "Ravi", "Hiroshi", "Mateo", "Ivan", "Tariq", "Diego", "Lars",
    "Emeka", "Jun", "Pavel", "Andre", "Samuel", "Yusuf", "Arjun", "Felix", "Tomas", "Kwame",
    "Minh", "Luca", "Hugo", "Bilal", "Marek", "Noah", "Sipho", "Rafael", "Anders", "Dmitri",
    "Chen", "Javier", "Elias", "Nikhil", "Ahmed", "Viktor", "Malik", "Tevita", "Jakob", "Sanjay",
)
# fmt: on
NAMES = frozenset((*WOMEN, *MEN))
DENOMINATORS = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 8: "eighth", 10: "tenth"}
NUMERATORS = {2: "two", 3: "three", 4: "four", 5: "five", 7: "seven"}
TIMES = {2: "twice", 3: "three times", 4: "four times", 5: "five times"}


class Person(NamedTuple):
    name: str
    she: str
    hers: str
    """Possessive: "her book"."""


def people(rng: random.Random, number: int) -> list[Person]:
    """Different people, alternately women and men, so that pronouns for two of them are not ambiguous."""
    women, men = iter(rng.sample(WOMEN, number)), iter(rng.sample(MEN, number))
    first = rng.random() < 0.5
    return [
        Person(next(women), "she", "her") if (i % 2 == 0) == first else Person(next(men), "he", "his")
        for i in range(number)
    ]


def lowered(sentence: str) -> str:
    """The sentence to follow "First, ": with a lower-case start, unless that is a name."""
    word = sentence.split(maxsplit=1)[0].rstrip(",").removesuffix("'s")
    return sentence if word in NAMES else sentence[0].lower() + sentence[1:]


def raised(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def listed(parts: Sequence[str]) -> str:
    """a, b and c"""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def share(rng: random.Random, top: int, bottom: int) -> str:
    """A fraction in words or digits: a third, three quarters, 3/4."""
    if top == 1:
        text = "half" if bottom == 2 else f"one {DENOMINATORS[bottom]}"
        return rng.choice((text, text.replace("one ", "a "), f"1/{bottom}")).replace("a eighth", "an eighth")
    return rng.choice((f"{NUMERATORS[top]} {DENOMINATORS[bottom]}s", f"{top}/{bottom}"))
