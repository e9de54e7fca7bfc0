"""Tests of CSV and Parquet files as source."""
