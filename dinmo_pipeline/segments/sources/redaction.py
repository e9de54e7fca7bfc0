"""The errors of drivers, without the members' values that they quote."""

import re

from dinmo_pipeline.text.masking import mask_emails, mask_quoted

# Both engines quote a value that cannot be converted: DuckDB `Could not convert string 'x' to INT32`,
# PostgreSQL `invalid input syntax for type integer: "x"` and `value "9" is out of range`.
_ABOUT_A_VALUE = re.compile(r"conver|invalid input|out of range|malformed|cast", re.IGNORECASE)


def without_values(text: str) -> str:
    """A driver's error text with the values masked; the statement below the first line stays.

    >>> without_values("Conversion Error: Could not convert string 'ann' to INT32")
    "Conversion Error: Could not convert string '***' to INT32"
    """
    first, *rest = text.split("\n")
    if _ABOUT_A_VALUE.search(first):
        first = mask_quoted(first)
    return mask_emails("\n".join((first, *rest)))
