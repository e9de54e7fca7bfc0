"""Intercom's ids in paths: only plain ones, so that no id can turn a call into another call."""

import re
from typing import Literal

from dinmo_pipeline.intercom.errors import RefusedError

# Contacts have 24 hexadecimal digits, tags decimal digits. `..` would make an untagging delete the tag.
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}")


def path_of(kind: Literal["contact", "tag"], given_id: str, *rest: str) -> str:
    """The path of a contact or tag: `/contacts/5ba6…/tags`.

    Raises:
        RefusedError: the id is not plain. No call was made.
    """
    if not _PLAIN.fullmatch(given_id):
        raise RefusedError(
            f"The {kind} id {given_id[:40]!r} is not one that Intercom gives. No call was made for it.",
            code="not_a_plain_id",
        )
    return "/".join((f"/{kind}s", given_id, *rest))
