"""The guards that hold a change set until a person releases it, and what size of a segment is usual."""
