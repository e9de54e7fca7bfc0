"""Commands about declarations: check them, try them, describe them to an editor."""
