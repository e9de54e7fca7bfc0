"""Readers of what surrounds segments: the source, the state, Dagster, alerts, and how long history is kept."""
