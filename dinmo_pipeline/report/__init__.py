"""The report: one page about every audience, for people who never saw Dagster."""
