"""Tests of Dagster's own storage."""
