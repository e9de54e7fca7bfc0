"""The server: how a call arrives, waits, fails and is answered."""
