"""Training and evaluation data: problems, rollouts, step labels, critiques, traces, examples."""
