"""The audience of each activation as an asset of its own: what it is, what became of it, and its check."""
