"""What is over goes from the state once it is older than `history` allows."""
