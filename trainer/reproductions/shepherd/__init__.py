"""Math-Shepherd (arXiv 2312.08935): labels of steps by rollouts, and the verifiers that learn them."""
