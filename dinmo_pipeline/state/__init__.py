"""The DuckDB file: membership, changes, ledger, contact directory, logs; all SQL about them."""
