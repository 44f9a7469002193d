"""MathCritique (arXiv 2411.16579): actor and critic at test time, self-improvement, self-talk, and its claims."""
