"""Step-DPO (arXiv 2406.18629): actors that learn which of two steps is right, beside those that learn otherwise."""
