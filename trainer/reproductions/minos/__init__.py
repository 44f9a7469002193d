"""MATH-Minos (arXiv 2406.14024): verifiers that first learned to write evaluations of attempts."""
