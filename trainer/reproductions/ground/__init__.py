"""The ground that reproductions stand on: a small world, actors that err in it with probability, a check of fitness."""
