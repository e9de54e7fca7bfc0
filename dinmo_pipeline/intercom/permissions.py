"""The permission that a call needs, in the words of Intercom's Developer Hub.

Intercom documents the permissions but not which call needs which: the mapping follows from their
descriptions.
"""

READ_TAGS = "Read tags"
WRITE_TAGS = "Write tags"
READ_CONTACTS = "Read and list users and companies"


def needed_permission(method: str, path: str) -> str | None:
    """The permission for a call; None if any valid token may make it."""
    if path == "/me":
        return None
    if path.startswith("/tags") or path.partition("?")[0].split("/")[3:4] == ["tags"]:
        return READ_TAGS if method == "GET" else WRITE_TAGS
    return READ_CONTACTS
