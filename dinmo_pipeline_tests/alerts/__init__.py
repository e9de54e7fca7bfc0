"""Tests of the state: real DuckDB files, real processes."""
