"""The pieces of a SELECT: identifiers, literals, column types, and the text of a statement."""
