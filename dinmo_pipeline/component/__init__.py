"""What other Dagster projects use: a component, and functions that build its definitions."""
