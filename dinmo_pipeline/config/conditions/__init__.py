"""The language of `where`: its words, its reader, and its JSON Schema."""
