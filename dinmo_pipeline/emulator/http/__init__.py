"""The server: how a call arrives, waits, fails, and gets its response."""
