"""The texts of the themes about shopping."""

from __future__ import annotations

from runtime.problems.wordproblems.shopping import Shop

SHOPS = (
    Shop(
        "stationery",
        ("{p} buys {items}.", "At the stationer's, {p} buys {items}.", "For school, {p} gets {items}."),
        (
            ("notebook", "notebooks", 120, 450, 8),
            ("pen", "pens", 50, 350, 12),
            ("ruler", "rulers", 80, 300, 5),
            ("eraser", "erasers", 40, 150, 9),
            ("folder", "folders", 150, 500, 8),
            ("box of crayons", "boxes of crayons", 250, 800, 5),
        ),
        ("The shop is @ minutes from school.", "There are @ pupils in {p}'s class."),
        ("Gift wrapping costs {x} more.", "A printed map for {x} is added."),
    ),
    Shop(
        "market",
        (
            "At the market {p} buys {items}.",
            "{p} goes to the market and buys {items}.",
            "{p} buys {items} on Saturday.",
        ),
        (
            ("kilogram of tomatoes", "kilograms of tomatoes", 150, 450, 6),
            ("melon", "melons", 200, 500, 4),
            ("loaf of bread", "loaves of bread", 200, 550, 5),
            ("jar of honey", "jars of honey", 400, 950, 6),
            ("bunch of carrots", "bunches of carrots", 100, 300, 6),
            ("piece of cheese", "pieces of cheese", 300, 900, 4),
        ),
        ("The market has @ stalls.", "{p} waits for @ minutes in a queue."),
        ("A basket to carry it all costs {x}.", "A bag of nuts for {x} is added."),
    ),
    Shop(
        "clothes",
        ("{p} buys {items}.", "In a clothes shop {p} chooses {items}.", "Before winter, {p} gets {items}."),
        (
            ("shirt", "shirts", 900, 3500, 6),
            ("pair of socks", "pairs of socks", 200, 800, 10),
            ("scarf", "scarves", 700, 2500, 4),
            ("hat", "hats", 800, 3000, 3),
            ("jacket", "jackets", 3500, 9500, 1),
            ("pair of gloves", "pairs of gloves", 600, 1800, 4),
        ),
        ("The shop has been open for @ years.", "{p} tries things on for @ minutes."),
        ("Delivery costs {x}.", "Shortening one of the things costs {x} more."),
    ),
    Shop(
        "sports shop",
        ("For the team, {p} buys {items}.", "{p} orders {items}.", "A coach named {p} buys {items}."),
        (
            ("ball", "balls", 800, 3500, 9),
            ("bat", "bats", 1200, 4500, 5),
            ("skipping rope", "skipping ropes", 300, 900, 12),
            ("net", "nets", 2000, 6500, 3),
            ("bottle", "bottles", 300, 1200, 15),
            ("whistle", "whistles", 150, 500, 4),
        ),
        ("The team has won @ games so far.", "Training lasts @ minutes."),
        ("Shipping costs {x}.", "A pump for {x} is ordered too."),
    ),
    Shop(
        "school trip",
        (
            "For a school trip, {p} pays for {items}.",
            "A teacher named {p} books {items}.",
            "{p} plans a trip and pays for {items}.",
        ),
        (
            ("bus ticket", "bus tickets", 150, 600, 30),
            ("museum ticket", "museum tickets", 300, 1200, 30),
            ("lunch packet", "lunch packets", 350, 900, 30),
            ("guided tour", "guided tours", 2000, 6000, 3),
            ("boat ride", "boat rides", 400, 1100, 25),
        ),
        ("The bus ride takes @ minutes.", "The museum is @ kilometres away."),
        ("The guide's leaflet costs {x} more.", "Leaving the bags at the entrance costs {x}."),
    ),
    Shop(
        "café",
        ("In a café {p} orders {items}.", "{p} orders {items} for the table.", "For lunch {p} orders {items}."),
        (
            ("sandwich", "sandwiches", 350, 950, 5),
            ("bowl of soup", "bowls of soup", 400, 850, 5),
            ("glass of juice", "glasses of juice", 200, 500, 6),
            ("cup of tea", "cups of tea", 150, 400, 6),
            ("slice of cake", "slices of cake", 250, 600, 6),
        ),
        ("The café has @ seats.", "{p} waits @ minutes for a table."),
        ("Bread for the table costs {x} more.",),
        tip=True,
    ),
    Shop(
        "cinema",
        (
            "At the cinema {p} buys {items}.",
            "{p} invites some friends to a film and pays for {items}.",
            "For a film night {p} pays for {items}.",
        ),
        (
            ("ticket", "tickets", 600, 1500, 9),
            ("bag of popcorn", "bags of popcorn", 300, 750, 6),
            ("lemonade", "lemonades", 200, 450, 8),
            ("poster", "posters", 400, 1200, 3),
        ),
        ("The film lasts @ minutes more than an hour.", "The hall has @ rows."),
        ("Parking costs {x}.", "Booking ahead costs {x} more."),
    ),
    Shop(
        "pets",
        (
            "For the animals {p} buys {items}.",
            "{p} goes to the pet shop and buys {items}.",
            "At the pet shop {p} pays for {items}.",
        ),
        (
            ("bag of dog food", "bags of dog food", 800, 2500, 5),
            ("toy mouse", "toy mice", 150, 450, 6),
            ("leash", "leashes", 500, 1800, 3),
            ("bale of hay", "bales of hay", 400, 1200, 8),
            ("water bowl", "water bowls", 300, 1000, 5),
        ),
        ("The shop has @ birds for sale.", "{p}'s cat is @ months old."),
        ("Delivery costs {x}.",),
    ),
)
