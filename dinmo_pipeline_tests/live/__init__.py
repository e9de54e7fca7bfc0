"""A contract test against the real Intercom: it asks a test workspace what is not documented or recorded."""
