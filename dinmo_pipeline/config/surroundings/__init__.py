"""Readers of what surrounds segments: source, state, Dagster, alerts, and how long history is kept."""
