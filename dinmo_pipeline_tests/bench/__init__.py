"""Benchmarks of speed and memory, compared with raw DuckDB doing the same work in the same run."""
