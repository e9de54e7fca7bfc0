"""The DuckDB file of the pipeline: what it knows, and every SQL statement about it."""
