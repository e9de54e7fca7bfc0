"""Benchmarks: how fast, and in how much memory, beside raw DuckDB doing the same work in the same run."""
