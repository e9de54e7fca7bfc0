"""Dagster's processes for one person's machine: started together, reloaded, and ended without a trace."""
