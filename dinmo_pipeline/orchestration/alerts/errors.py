"""What goes wrong when a message is sent."""


class AlertError(Exception):
    """A message was not delivered. The error never shows a URL, which is a secret, or a password."""
