"""How much is given away: hints, disclosure step by step, practice."""
