"""What grows with the number of activations, and what must not."""
