"""What a model is told: templates in each language, and the critic's turn."""
