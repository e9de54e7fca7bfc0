"""A small client of Intercom's REST API: contacts and tags. It knows nothing of segments or DuckDB."""
