"""The directory of Intercom's users, and when each of its facts was last checked."""
