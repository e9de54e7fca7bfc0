"""YAML read strictly: every value keeps its place, and every problem is reported at once."""
