"""The calls that read contacts: searched by identifiers or creation date, or all of them listed."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Literal

from dinmo_pipeline.contact import Contact
from dinmo_pipeline.intercom.answers import Answer
from dinmo_pipeline.intercom.errors import RefusedError, UnavailableError, UnreadableError
from dinmo_pipeline.intercom.halving import halves, narrow
from dinmo_pipeline.intercom.ids import path_of
from dinmo_pipeline.intercom.pages import ContactPage, read_contact, read_page, walk
from dinmo_pipeline.intercom.transport import Transport

PAGE_SIZE = 150  # Intercom's maximum; it refuses more
LOOKUP_SIZE = 50  # `IN` has no documented limit; production code has used 100
OR_SIZE = 15  # filters in one AND or OR, as documented
_SORTED_FROM = (2, 16)  # the version that documents `sort` in a search

LookupField = Literal["email", "external_id"]


@dataclass
class Contacts:
    """The contact calls that a sync needs; thread-safe.

    Attributes:
        lookup_size: identifiers per search; it shrinks when Intercom refuses long lists.
        accepts_lists: whether to search with `IN`. If Intercom refuses even two values, searches use
            `=` within `OR`.
        refused: identifiers that Intercom refuses to search for, so no user can have them.
    """

    transport: Transport
    lookup_size: int = LOOKUP_SIZE
    accepts_lists: bool = True
    refused: list[str] = field(default_factory=list)

    def get(self, contact_id: str) -> Contact:
        """Read one contact as it is now: unlike search and list, this never lags.

        Raises:
            NotFoundError: the contact is unknown or archived.
            MergedError: it was merged into another one (from API 2.16 on).
            IntercomError: see errors.py.
        """
        path = path_of("contact", contact_id)
        answer = self.transport.call("GET", path)
        contact = read_contact(answer.body)
        if contact is None:
            raise UnreadableError(
                f"GET {path}: Intercom's answer is not a contact.", request_id=answer.request_id
            )
        return contact

    def find_users(self, by: LookupField, identifiers: Sequence[str]) -> list[Contact]:
        """Find the users that have one of the identifiers.

        It takes a call per `lookup_size` identifiers, and one more per further 150 users. A list that
        Intercom refuses or fails on is halved until the identifier at fault is found, and put into
        `refused`.

        Raises:
            IntercomError: see errors.py.
        """
        users: dict[str, Contact] = {}
        rest = list(identifiers)
        while rest:
            batch, rest = rest[: self.lookup_size], rest[self.lookup_size :]
            users |= {contact.id: contact for contact in self._find(by, batch) if contact.is_user}
        return list(users.values())

    def users_created_since(
        self, moment: datetime, *, overlap: timedelta = timedelta(0)
    ) -> Iterator[list[Contact]]:
        """Pages of users, newest first, until one reaches back to `overlap` before `moment`.

        Intercom's index may not have shown the users of the overlap at the time, whoever was created
        after them. It takes a call per 150 users created since then, and at least one.

        Intercom compares dates by whole days, in a time zone on which documentation and measurement
        disagree. So the search starts two days early, and reading stops where the overlap begins.

        Raises:
            IntercomError: see errors.py.
        """
        earliest = (moment - overlap).timestamp()
        query = {
            "operator": "AND",
            "value": [
                {"field": "role", "operator": "=", "value": "user"},
                {"field": "created_at", "operator": ">", "value": str(int(earliest) - 2 * 86_400)},
            ],
        }
        for page, is_sorted in self._newest_first(query):
            yield [
                contact
                for contact in page
                if contact.is_user and (contact.created_at is None or contact.created_at >= int(earliest))
            ]
            reached = any(c.created_at is not None and c.created_at < earliest for c in page)
            if reached and is_sorted:
                return

    def search(self, query: dict[str, Any], *, sort: dict[str, str] | None = None) -> Iterator[list[Contact]]:
        """Pages of contacts (users and leads) that match a query, 150 per page.

        Raises:
            IntercomError: see errors.py; UnreadableError if the pages would never end.
        """

        def ask(cursor: str | None) -> Answer:
            # Intercom ignores a cursor in the query string, and would return the first page forever.
            after = {"starting_after": cursor} if cursor else {}
            body: dict[str, Any] = {"query": query, "pagination": {"per_page": PAGE_SIZE, **after}}
            if sort:
                body["sort"] = sort
            return self.transport.call("POST", "/contacts/search", json=body)

        for page in walk("POST /contacts/search", ask):
            yield page.contacts

    def count(self, query: dict[str, Any]) -> int | None:
        """The number of contacts that match a query, by one call; None if the answer does not say.

        Raises:
            IntercomError: see errors.py.
        """
        body = {"query": query, "pagination": {"per_page": 1}}
        call = "POST /contacts/search"
        return read_page(call, self.transport.call("POST", "/contacts/search", json=body)).total

    def everyone(self) -> Generator[ContactPage, None, None]:
        """Pages of all contacts of the workspace, users and leads, 150 per page.

        Raises:
            IntercomError: see errors.py; UnreadableError if the pages would never end.
        """

        def ask(cursor: str | None) -> Answer:
            after = {"starting_after": cursor} if cursor else {}
            return self.transport.call("GET", "/contacts", query={"per_page": str(PAGE_SIZE), **after})

        return walk("GET /contacts", ask)

    def _newest_first(self, query: dict[str, Any]) -> Iterator[tuple[list[Contact], bool]]:
        """Pages of a search, and whether each is known to be sorted by creation.

        Sorting is documented from 2.16 on; earlier versions may ignore or refuse `sort`.
        """
        documented = _number(self.transport.version) >= _SORTED_FROM
        pages = self.search(query, sort={"field": "created_at", "order": "descending"})
        try:
            first = next(pages)
        except RefusedError:
            for page in self.search(query):
                yield page, False
            return
        for page in chain([first], pages):
            yield page, documented or _descending(page)

    def _find(self, by: LookupField, identifiers: Sequence[str]) -> list[Contact]:
        """Find the contacts of a batch, around an identifier that Intercom fails on.

        Raises:
            UnavailableError: both halves of a batch fail, so it is Intercom, not an identifier.
        """
        try:
            return self._find_accepted(by, identifiers)
        except UnavailableError as error:
            if not _may_be_the_query(error) or len(identifiers) == 1:
                raise
            narrowed = narrow(
                identifiers,
                lambda half: self._find_accepted(by, half),
                error,
                blames_items=_may_be_the_query,
            )
        if len(narrowed.failing) > 1:
            raise narrowed.error
        self.refused.extend(narrowed.failing)
        return narrowed.results

    def _find_accepted(self, by: LookupField, identifiers: Sequence[str]) -> list[Contact]:
        """Find the contacts of a batch, halving it while Intercom refuses it, and learn its size."""
        as_list, refused_before = self.accepts_lists, len(self.refused)
        try:
            return self._ask(by, identifiers)
        except RefusedError:
            if len(identifiers) == 1:
                self.refused.append(identifiers[0])
                return []
        first, second = halves(identifiers)
        found = self._find(by, first) + self._find(by, second)
        if as_list == self.accepts_lists and not (set(identifiers) & set(self.refused[refused_before:])):
            # Both halves are fine, so the list was too long; an identifier at fault would be in one.
            self._shorten(len(first))
        return found

    def _ask(self, by: LookupField, identifiers: Sequence[str]) -> list[Contact]:
        single = [{"field": by, "operator": "=", "value": value} for value in identifiers]
        query: dict[str, Any]
        if len(identifiers) == 1:
            query = single[0]
        elif self.accepts_lists:
            query = {"field": by, "operator": "IN", "value": list(identifiers)}
        elif len(identifiers) <= OR_SIZE:
            query = {"operator": "OR", "value": single}
        else:
            # The batch was cut before another thread learned that Intercom refuses lists.
            parts = [identifiers[i : i + OR_SIZE] for i in range(0, len(identifiers), OR_SIZE)]
            return [contact for part in parts for contact in self._ask(by, part)]
        return [contact for page in self.search(query) for contact in page]

    def _shorten(self, size: int) -> None:
        if size == 1 and self.accepts_lists:
            self.accepts_lists, self.lookup_size = False, OR_SIZE
        else:
            self.lookup_size = min(self.lookup_size, size)


def _may_be_the_query(error: UnavailableError) -> bool:
    """Whether the query may be at fault: a malformed one was seen to return 500, not 400."""
    return error.status == 500  # noqa: PLR2004


def _number(version: str) -> tuple[int, ...]:
    """`(2, 16)` for `2.16`."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _descending(page: Sequence[Contact]) -> bool:
    """Whether a page proves that the newest come first. Equal dates, as after an import, prove nothing."""
    dates = [contact.created_at for contact in page if contact.created_at is not None]
    return dates == sorted(dates, reverse=True) and dates[:1] != dates[-1:]
