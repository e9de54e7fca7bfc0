"""The contacts and tags of the emulated Intercom, and how it searches them."""
