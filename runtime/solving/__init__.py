"""How a problem is solved: the actor, the loop with a critic, self-talk, votes on an answer."""
