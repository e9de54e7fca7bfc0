"""All users of a workspace, kept in temporary files until the list is complete.

Only a complete list proves that every user of an email address is known, so nothing may be stored before.
The users are sorted into files by email address, so each file has all users of its addresses: a sync that
stops after any file has stored only what is true.
"""

import json
import tempfile
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import IO, Self

from dinmo_pipeline.contact import Contact
from dinmo_pipeline.intercom.errors import UnreadableError
from dinmo_pipeline.intercom.pages import ContactPage

_USERS_PER_FILE = 5_000
_MAX_FILES = 64
# Contacts may be archived while the list is read; if more than this share is missing, it is incomplete.
_MAX_MISSING_SHARE = 0.01


class UserListing:
    """The users of a list; a context manager that owns temporary files."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._files: list[IO[str]] = []
        self._leads = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for _ in range(min(self._total // _USERS_PER_FILE + 1, _MAX_FILES)):
            # Personal data: the file has no name, and only its owner can read it.
            file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")
            self._files.append(self._stack.enter_context(file))
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def read(self, pages: Iterable[ContactPage], on_page: Callable[[int], None]) -> None:
        """Read all pages; `on_page` gets the number of contacts so far.

        Raises:
            IntercomError: see errors.py; UnreadableError if many of the announced contacts are missing.
        """
        count = 0
        for page in pages:
            for contact in page.contacts:
                self._keep(contact)
            count += len(page.contacts)
            on_page(count)
        distinct = self._leads + sum(len(batch) for batch in self.batches())
        if distinct < self._total * (1 - _MAX_MISSING_SHARE):
            raise UnreadableError(
                f"GET /contacts: Intercom announced {self._total:,} contacts and listed {distinct:,}."
            )

    def batches(self) -> Iterator[list[Contact]]:
        """The users, each once; all users of an email address are in one batch."""
        for file in self._files:
            file.seek(0)
            users = (Contact(*json.loads(line)) for line in file)
            yield list({user.id: user for user in users}.values())

    def _keep(self, contact: Contact) -> None:
        if not contact.is_user:
            self._leads += 1
            return
        json.dump(contact[:3], file := self._files[_bucket(contact.email) % len(self._files)])
        file.write("\n")


def _bucket(email: str | None) -> int:
    """A number that all spellings of an address share: no rule changes its letters and digits in ASCII."""
    spelled_out = unicodedata.normalize("NFD", email or "").lower()
    return zlib.crc32(bytes(ord(each) for each in spelled_out if each.isascii() and each.isalnum()))
