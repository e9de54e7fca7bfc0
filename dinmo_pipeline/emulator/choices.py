"""The literal values that settings and requests may have."""

from typing import Final, Literal, get_args

Region = Literal["US", "EU", "AU"]
UntagTrue = Literal["ignore", "honour", "reject"]
UntagMissing = Literal["ok", "not_found"]

Scope = Literal["read_tags", "write_tags", "read_contacts", "write_contacts"]
"""A permission of a token. Intercom's Developer Hub calls the last two "Read and list users and
companies" and "Write users and companies"."""

Version = Literal["2.13", "2.14", "2.15", "2.16", "2.17"]
VERSIONS: Final[tuple[Version, ...]] = get_args(Version)


def at_least(version: Version, floor: Version) -> bool:
    """Whether an API version is `floor` or newer."""
    return VERSIONS.index(version) >= VERSIONS.index(floor)
