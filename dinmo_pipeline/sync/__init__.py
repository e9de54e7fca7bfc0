"""Plan the API work for a change set, do it, record it. No Dagster here."""
