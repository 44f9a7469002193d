"""Is this step right? The critic, its evidence, and the fitted rule that combines it."""
