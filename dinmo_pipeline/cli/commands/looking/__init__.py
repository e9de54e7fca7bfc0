"""Commands that show what the state knows; they write nothing."""
