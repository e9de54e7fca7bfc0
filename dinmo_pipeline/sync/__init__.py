"""A sync: plan the API work for a change set, do it, record it. No Dagster in here."""
