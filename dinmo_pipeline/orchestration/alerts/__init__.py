"""Which activations are in trouble, and the chat messages about it."""
