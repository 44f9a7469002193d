"""Self-talk traces: a solution in which one model checks every step and corrects what it doubts.

MathCritique's three stages (arXiv 2411.16579) on exact material: the comments of a critique are inserted between the
steps of an attempt; at a wrong step the attempt ends and continues from the steps before it; then the text is reworded
in the first person, in many wordings. Finally it is parsed: each check must match its step's label, no accepted step
may have a false equation, and the end must be the reference answer.
"""
