"""Measuring: how often problems are solved, how well steps are judged."""
