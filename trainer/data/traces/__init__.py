"""Self-talk traces: a solution as one model tells it to itself, which checks every step and corrects what it doubts.

MathCritique's three stages (arXiv 2411.16579), from exact material: the comments of a critique are put between the
steps of an attempt; where a step is wrong, the attempt ends there and goes on from the steps before it; then the talk
is made the model's own - first person, in many wordings - and read back: it must still say the same of every step, hold
no false equation that it accepts, and end in the reference answer.
"""
