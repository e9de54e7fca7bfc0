"""All users of a workspace, put aside in temporary files until the list is complete.

Only a complete list tells that every user of an email address is known, and only then may anybody act on
it. So pages are put aside first. They are sorted into files by email address, so that each file holds all
users of its addresses: whoever stops after any of them has stored nothing that is not true.
"""

import json
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import IO, Self

from dinmo_pipeline.contact import Contact
from dinmo_pipeline.intercom.errors import UnreadableError
from dinmo_pipeline.intercom.pages import ContactPage

_USERS_A_FILE = 5_000
_MOST_FILES = 64
# Contacts archived during the walk are missing from it rightly; more than this share is a defect.
_MISSING_SHARE = 0.01


class UserListing:
    """The users of a list that is being read; a context manager, since it owns temporary files."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._files: list[IO[str]] = []
        self._leads = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for _ in range(min(self._total // _USERS_A_FILE + 1, _MOST_FILES)):
            # Without a name, and readable by its owner alone: it holds personal data.
            file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")
            self._files.append(self._stack.enter_context(file))
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def read(self, pages: Iterable[ContactPage], on_page: Callable[[int], None]) -> None:
        """Read all pages; `on_page` hears how many contacts have come.

        Raises:
            IntercomError: see errors.py; UnreadableError when much less came than was announced.
        """
        come = 0
        for page in pages:
            for contact in page.contacts:
                self._put_aside(contact)
            come += len(page.contacts)
            on_page(come)
        distinct = self._leads + sum(len(batch) for batch in self.batches())
        if distinct < self._total * (1 - _MISSING_SHARE):
            raise UnreadableError(
                f"GET /contacts: Intercom announced {self._total:,} contacts and listed {distinct:,}."
            )

    def batches(self) -> Iterator[list[Contact]]:
        """The users, each once, all of one email address in one batch."""
        for file in self._files:
            file.seek(0)
            users = (Contact(*json.loads(line)) for line in file)
            yield list({user.id: user for user in users}.values())

    def _put_aside(self, contact: Contact) -> None:
        if not contact.is_user:
            self._leads += 1
            return
        address = (contact.email or "").strip().casefold().encode("utf-8", "surrogatepass")
        json.dump(contact[:3], file := self._files[zlib.crc32(address) % len(self._files)])
        file.write("\n")
