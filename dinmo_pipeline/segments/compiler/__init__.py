"""A declared segment becomes one SELECT in the source's dialect. No source is opened here."""
