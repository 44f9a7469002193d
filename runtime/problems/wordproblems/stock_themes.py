"""The texts of the themes about a stock of things."""

from __future__ import annotations

from runtime.problems.wordproblems.events import Stock

COLLECTION = Stock(
    name="collections",
    things=("stickers", "stamps", "marbles", "trading cards"),
    begin=("{p} has {n} {t}.", "{p} owns {n} {t}.", "In {h} collection {p} keeps {n} {t}."),
    packed=("{p} has {a} {c} with {b} {t} in each.", "{p} owns {a} {c}, and every one of them holds {b} {t}."),
    containers=("albums", "boxes", "tins"),
    daily=("For {a} days, {p} collects {b} {t} a day.", "{p} starts a collection and adds {b} {t} a day for {a} days."),
    gain=("Then {p} gets {n} more {t}.", "At a swap meeting {p} wins {n} {t}.", "{q} gives {P} another {n} {t}."),
    lose=(
        "Then {p} gives {n} {t} to {q}.",
        "{p} loses {n} {t} on the way to school.",
        "After that, {p} trades away {n} {t}.",
    ),
    each=("{p} gives {b} {t} to each of {a} {o}.", "Each of {a} {o} gets {b} {t} from {P}."),
    price=(20, 200),
    others="friends",
    distractors=("{p} began collecting @ months ago.", "There are @ children in {p}'s class."),
    grow=(
        "During the next year, {p} {x} the number of {t}.",
        "By the end of the year, the number of {t} {x}.",
    ),
)
FARM = Stock(
    name="farm",
    things=("eggs", "pumpkins", "cabbages"),
    begin=(
        "On {h} farm {p} has {n} {t} in the barn.",
        "A farmer named {p} has {n} {t}.",
        "{p} brings in {n} {t} in the morning.",
    ),
    packed=(
        "{p} carries {a} {c} with {b} {t} in each into the barn.",
        "On the farm {p} fills {a} {c} with {b} {t} each.",
    ),
    containers=("baskets", "crates", "trays"),
    daily=("On the farm, {p} collects {b} {t} a day for {a} days.", "{p} brings in {b} {t} every day for {a} days."),
    gain=(
        "In the evening {p} brings in {n} more {t}.",
        "A neighbour adds {n} {t}.",
        "Another {n} {t} are found behind the barn.",
    ),
    lose=("{p} sells {n} {t} at the gate.", "The kitchen uses {n} {t}.", "Unluckily, {n} {t} are spoilt."),
    each=("{p} sends {b} {t} to each of {a} {o}.", "Each of {a} {o} collects {b} {t}."),
    price=(30, 400),
    others="shops",
    distractors=("The farm has @ cows as well.", "{p} gets up at dawn and works for @ weeks without a day off."),
    grow=("The next day brings a surprise, and the number of {t} {x}.",),
)
ORCHARD = Stock(
    name="orchard",
    things=("apples", "pears", "plums", "peaches", "oranges"),
    begin=("{p} picks {n} {t}.", "In the orchard {p} gathers {n} {t}.", "From the first trees {p} picks {n} {t}."),
    packed=("{p} fills {a} {c} with {b} {t} each.", "There are {a} {c} with {b} {t} in each, and all belong to {p}."),
    containers=("baskets", "bags", "crates"),
    daily=("{p} picks {b} {t} a day for {a} days.", "During {a} days in the orchard, {p} picks {b} {t} every day."),
    gain=("Then {p} picks {n} more {t}.", "From the last tree come {n} more {t}.", "{q} brings {n} more {t}."),
    lose=("{p} uses {n} {t} for jam.", "{n} {t} turn out to be bad and are thrown away.", "{p} lets {q} have {n} {t}."),
    each=("{p} gives {b} {t} to each of {a} {o}.", "Each of {a} {o} takes {b} {t} home."),
    price=(20, 90),
    others="helpers",
    distractors=("The oldest tree was planted @ years ago.", "The orchard is @ kilometres from the village."),
    kinds=(("ripe", "green"), ("large", "small"), ("sweet", "sour")),
)
GARDEN = Stock(
    name="garden",
    things=("tulips", "roses", "sunflowers", "tomato plants"),
    begin=("{p} grows {n} {t}.", "In {h} garden {p} has {n} {t}.", "There are {n} {t} in the garden of {p}."),
    packed=("{p} plants {a} {c} with {b} {t} each.", "In the garden {p} sets {a} {c} of {b} {t}."),
    containers=("rows", "beds"),
    daily=("{p} plants {b} {t} a day for {a} days.", "For {a} days, {p} sets {b} {t} each day."),
    gain=("Then {p} plants {n} more {t}.", "A week later {p} adds {n} {t}.", "{q} brings another {n} {t} as a gift."),
    lose=("Frost kills {n} {t}.", "Then {p} gives {n} {t} to {q}.", "Snails ruin {n} {t}."),
    each=("{p} gives {b} {t} to each of {a} {o}.", "Each of {a} {o} is given {b} {t}."),
    price=(100, 600),
    others="neighbours",
    distractors=("{p} waters the garden for @ minutes a day.", "The garden gate is @ years old."),
    grow=(
        "By the next summer, the number of {t} {x}.",
        "A year later, {p} {x} the number of {t}.",
    ),
)
BAKERY = Stock(
    name="bakery",
    things=("muffins", "rolls", "cookies", "buns", "pretzels"),
    begin=("{p} bakes {n} {t}.", "A baker named {p} has {n} {t} on the shelf.", "In the morning {p} bakes {n} {t}."),
    packed=("{p} bakes {a} {c} of {b} {t}.", "In the bakery {p} takes {a} {c} with {b} {t} each out of the oven."),
    containers=("trays", "boxes"),
    daily=(
        "{p} bakes {b} {t} a day for {a} days and freezes them.",
        "For a festival, {p} bakes {b} {t} on each of {a} days.",
    ),
    gain=("At noon {p} bakes {n} more {t}.", "Then {p} makes another {n} {t}.", "{q} helps and bakes {n} more {t}."),
    lose=("Before lunch {p} sells {n} {t}.", "{n} {t} are burnt and thrown away.", "The family eats {n} {t}."),
    each=("{p} sends {b} {t} to each of {a} {o}.", "Each of {a} {o} orders {b} {t} and takes them."),
    price=(50, 350),
    others="cafés",
    distractors=("The oven is heated for @ minutes.", "The bakery opened @ years ago."),
    kinds=(("plain", "sweet"), ("large", "small"), ("dark", "light")),
)
LIBRARY = Stock(
    name="library",
    things=("books", "comics", "magazines"),
    begin=(
        "A librarian named {p} counts {n} {t}.",
        "{p} looks after {n} {t} in the school library.",
        "The library that {p} runs has {n} {t}.",
    ),
    packed=("{p} fills {a} {c} with {b} {t} each.", "In the library {p} sorts {t} into {a} {c} of {b}."),
    containers=("shelves", "boxes"),
    daily=(
        "{p} receives {b} {t} a day for {a} days for the new library.",
        "For {a} days, people bring {P} {b} {t} a day for the library.",
    ),
    gain=("Then {n} {t} are donated.", "{p} buys {n} more {t}.", "On Monday {n} {t} come back from readers."),
    lose=("On Tuesday {n} {t} are lent out.", "{p} takes out {n} worn {t}.", "Then {n} {t} go to another branch."),
    each=("{p} lends {b} {t} to each of {a} {o}.", "Each of {a} {o} borrows {b} {t}."),
    price=(50, 500),
    others="classes",
    distractors=("The library is open for @ hours a week.", "There are @ chairs in the reading room."),
    grow=(
        "In the following years, the number of {t} {x}.",
        "With a large gift, {p} {x} the number of {t}.",
    ),
)
CANDLES = Stock(
    name="crafts",
    things=("candles", "bracelets", "paper lanterns", "cards"),
    begin=("{p} makes {n} {t} for a fair.", "{p} has made {n} {t} by hand.", "For the school fair {p} makes {n} {t}."),
    packed=("{p} fills {a} {c} with {b} {t} each.", "{p} makes enough {t} to fill {a} {c} with {b} in each."),
    containers=("boxes", "bags", "gift boxes"),
    daily=("{p} makes {b} {t} a day for {a} days.", "Over {a} days, {p} makes {b} {t} each day."),
    gain=("Then {p} makes {n} more {t}.", "{q} contributes {n} {t}.", "The next weekend {p} adds {n} {t}."),
    lose=(
        "{p} gives {n} {t} to {q}.",
        "{n} {t} break and cannot be used.",
        "{q} takes {n} {t} home.",
    ),
    each=("{p} gives {b} {t} to each of {a} {o}.", "Each of {a} {o} receives {b} {t}."),
    price=(100, 750),
    others="teachers",
    distractors=("The fair lasts @ hours.", "There are @ stalls at the fair."),
    grow=("Working on, {p} {x} the number of {t}.",),
)
BEACH = Stock(
    name="beach",
    things=("shells", "pebbles", "pieces of sea glass"),
    begin=(
        "{p} finds {n} {t} at the beach.",
        "Walking along the sea, {p} gathers {n} {t}.",
        "{p} has {n} {t} from the beach.",
    ),
    packed=(
        "{p} fills {a} {c} with {b} {t} each at the beach.",
        "At the sea {p} fills {a} {c}, and {b} {t} go into each.",
    ),
    containers=("jars", "buckets"),
    daily=("On holiday {p} finds {b} {t} a day for {a} days.", "For {a} days at the sea, {p} gathers {b} {t} a day."),
    gain=(
        "After lunch {p} finds {n} more {t}.",
        "{q} adds {n} {t}.",
        "The evening tide brings {n} more {t}, and {p} takes them all.",
    ),
    lose=("A wave washes {n} {t} away.", "{p} lets {q} take {n} {t}.", "{n} {t} are cracked and left on the beach."),
    each=("{p} gives {b} {t} to each of {a} {o}.", "Each of {a} {o} is given {b} {t} by {P}."),
    price=(20, 150),
    others="cousins",
    distractors=("The beach is @ kilometres long.", "The water is @ degrees warm."),
    grow=("The next day is so good that the number of {t} {x}.",),
)
AQUARIUM = Stock(
    name="aquarium",
    things=("goldfish", "guppies", "water snails", "shrimps"),
    begin=("{p} keeps {n} {t}.", "The aquarium that {p} looks after has {n} {t}.", "In a large pond {p} has {n} {t}."),
    packed=(
        "{p} keeps {a} {c} with {b} {t} in each.",
        "There are {a} {c} in the aquarium of {p}, with {b} {t} in each.",
    ),
    containers=("tanks", "bowls"),
    daily=(
        "For a new pond {p} buys {b} {t} a day for {a} days.",
        "{p} puts {b} {t} a day into a new pond for {a} days.",
    ),
    gain=("Then {p} gets {n} more {t}.", "{n} young {t} hatch.", "{q} brings {n} more {t}."),
    lose=(
        "A heron takes {n} {t}.",
        "{p} sells {n} {t} to {q}.",
        "{p} moves {n} {t} to a different pond, where they stay.",
    ),
    each=("{p} gives {b} {t} to each of {a} {o}.", "Each of {a} {o} takes {b} {t}."),
    price=(100, 600),
    others="schools",
    distractors=("The water is changed every @ days.", "The pump has run for @ weeks."),
    kinds=(("young", "grown"), ("light", "dark")),
    grow=(
        "By the end of the year, the number of {t} {x}.",
        "In spring the number of {t} {x}.",
    ),
)
STOCKS = (COLLECTION, FARM, ORCHARD, GARDEN, BAKERY, LIBRARY, CANDLES, BEACH, AQUARIUM)
