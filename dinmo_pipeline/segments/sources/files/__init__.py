"""Folders of CSV and Parquet files, read through DuckDB."""
