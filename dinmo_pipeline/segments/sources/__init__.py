"""Warehouses, opened read-only; members leave them as Arrow batches."""
