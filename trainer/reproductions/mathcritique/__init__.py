"""MathCritique (arXiv 2411.16579) as experiments: two players at test time, self-improvement, self-talk, its claims."""
