"""Dagster: resources, assets, checks, jobs, sensors, schedules. No SQL text here."""
