"""A model that solves one problem, for tests of the parts around it."""

from runtime.engines.scripted import ScriptedEngine

QUESTION = "Ana buys 3 pens for 4 dollars each and a book for 5 dollars. How much does she pay?"
RIGHT = "The pens cost 3 × 4 = 12 dollars.\nIn all she pays 12 + 5 = 17 dollars.\nThe answer is 17."


class Solver(ScriptedEngine):
    """Solves the problem correctly in every mode."""

    def _next(self, messages):
        self.calls.append(list(messages))
        return RIGHT
