"""A contract test against a real Intercom: what nobody documents or recorded, asked of a test workspace."""
