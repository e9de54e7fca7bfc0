"""The API budget: how fast calls may go, shared by all processes of a machine."""
