"""The sensors: each is a pure decision with a thin Dagster sensor around it."""
