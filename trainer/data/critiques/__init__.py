"""AutoMathCritique (arXiv 2411.16579): flawed attempts, critiques of them, and a filter for those that help an actor.

Generators make attempts, annotators judge them step by step, and the actor's refinements decide which critiques are
kept. A record (`records.py`) holds one attempt with its critiques and provenance.
"""
