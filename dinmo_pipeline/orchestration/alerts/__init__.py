"""Alert messages, and the webhook that sends them."""
