"""What every sentence for a person shares: counted nouns, suggestions, and the masking of secrets."""
