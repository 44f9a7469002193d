"""AutoMathCritique (arXiv 2411.16579): flawed attempts, critiques of them, and only those that help an actor.

Generators make attempts, annotators judge them step by step, the actor's refinements decide what is kept. A record
(`records.py`) holds one attempt with everything that was said of it and how it was made.
"""
