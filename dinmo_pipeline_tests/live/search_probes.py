"""Probes of search: lists of values, case, several users with one email, pages and order.

One query covers nearly everything: a long `IN`, two contacts per page, the newest first. It is sent once,
again if the index lags, and once more for the second page. The client looks up a single newcomer with `=`,
so that is probed too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dinmo_pipeline_tests.live.api import Answer
from dinmo_pipeline_tests.live.findings import Finding
from dinmo_pipeline_tests.live.people import People
from dinmo_pipeline_tests.live.scene import Scene

# The client asks for 50 values at once, and halves the list if it is refused.
_SIZES = (100, 50, 15)
_LOOKUP_SIZE = 50
_PER_PAGE = 2  # for three contacts
# Before the first look and before the last. The recorded lag of the index is 15 s and never 120 s; "a few
# minutes" are documented.
_FIRST_WAIT_SECONDS, _LAST_WAIT_SECONDS = 30.0, 330.0


@dataclass(frozen=True, slots=True)
class _Look:
    """The first page, how many values `IN` took (0: every list was refused), and the wait in seconds."""

    page: Answer
    size: int
    waited: float

    @property
    def total(self) -> int:
        """How many contacts all pages have."""
        total = self.page.body.get("total_count")
        return total if isinstance(total, int) else 0


def probe_search(scene: Scene, people: People) -> Iterator[Finding]:
    """Probe search, when the index shows the new contacts or should have shown them long ago."""
    look = _look(scene, people)
    yield Finding(
        "How many values does IN allow?",
        f"at least {_LOOKUP_SIZE}",
        f"{look.size}" if look.size else f"fewer than {min(_SIZES)}: {look.page.words}",
        look.size >= _LOOKUP_SIZE,
    )
    missing = len(people.ids) - look.total
    never = f"{missing} of {len(people.ids)} never appeared"
    yield Finding(
        "How long until search shows a new contact?",
        "a few minutes at most",
        never if missing > 0 else f"at most about {look.waited:g} s",
        None if missing > 0 else True,
    )
    cursor = _cursor(look.page)
    second = _ask(scene, people, look.size, cursor) if cursor else None
    shown = look.page.ids() | (second.ids() if second else set())
    # If the total says that all were found, an unreadable second page does not matter.
    yield from _probe_emails(people, shown if missing > 0 else people.ids)
    yield _probe_equals(scene, people)
    yield from _probe_pages(look, second)


def _look(scene: Scene, people: People) -> _Look:
    """Wait and search; wait once more if a contact is missing."""
    scene.api.sleep(_FIRST_WAIT_SECONDS)
    look = _longest_list(scene, people)
    if look.size and look.total < len(people.ids):
        scene.api.sleep(_LAST_WAIT_SECONDS)
        page = _ask(scene, people, look.size)
        look = _Look(page, look.size, _FIRST_WAIT_SECONDS + _LAST_WAIT_SECONDS)
    return look


def _longest_list(scene: Scene, people: People) -> _Look:
    """Search with the largest allowed list: one call, unless that is refused."""
    for size in _SIZES:
        page = _ask(scene, people, size)
        if page.ok:
            return _Look(page, size, _FIRST_WAIT_SECONDS)
    return _Look(page, 0, _FIRST_WAIT_SECONDS)


def _ask(scene: Scene, people: People, size: int, cursor: str | None = None) -> Answer:
    filler = (scene.email(f"nobody{number}") for number in range(size))
    return scene.api.search(
        {"field": "email", "operator": "IN", "value": [*people.emails, *filler][:size]},
        per_page=_PER_PAGE,
        sort={"field": "created_at", "order": "descending"},
        pagination={"starting_after": cursor} if cursor else {},
    )


def _cursor(page: Answer) -> str | None:
    pages = page.body.get("pages")
    following = pages.get("next") if isinstance(pages, dict) else None
    cursor = following.get("starting_after") if isinstance(following, dict) else None
    return cursor if isinstance(cursor, str) else None


def _probe_emails(people: People, found: set[str]) -> Iterator[Finding]:
    """Which contacts an email in lower case finds; if it finds none, that says nothing about spelling."""
    upper, namesake, lead = (one.id in found for one in (people.upper, people.namesake, people.lead))
    yield _is_found(
        "Does IN with a lower-case email find one that was sent in mixed case?",
        there=upper,
        settled=upper or namesake,
    )
    if people.share_email:
        both = upper and namesake
        yield _is_found("Does IN find both users with the same email?", there=both, settled=upper)
    yield _is_found("Is an email with a plus sign found?", there=upper or namesake, settled=bool(found))
    if not people.lead.email.isascii():
        yield _is_found("Is an email with letters beyond ASCII found?", there=lead, settled=bool(found))


def _probe_equals(scene: Scene, people: People) -> Finding:
    """Whether `=` ignores the case of an email; if it finds neither user, that says nothing."""
    email = people.upper.email.lower()
    found = scene.api.search({"field": "email", "operator": "=", "value": email}).ids()
    return _is_found(
        "Does = with a lower-case email find one that was sent in mixed case?",
        there=people.upper.id in found,
        settled=bool(found & {people.upper.id, people.namesake.id}),
    )


def _is_found(question: str, *, there: bool, settled: bool) -> Finding:
    return Finding(question, "yes", "yes" if there else "no", there if settled else None)


def _probe_pages(look: _Look, second: Answer | None) -> Iterator[Finding]:
    """Whether the second page continues where the first ended, and in what order."""
    continues = bool(second and second.ok and second.ids() and not look.page.ids() & second.ids())
    reason = second.words if second else f"no cursor, pages {look.page.body.get('pages')}"
    yield Finding(
        "Does search continue at the cursor in the body?",
        "yes",
        "yes" if continues else f"no: {look.total} found, {reason}",
        continues if look.total > _PER_PAGE else None,
    )
    dates = [one.get("created_at") for one in look.page.items() + (second.items() if second else [])]
    known = [date for date in dates if isinstance(date, int)]
    in_order: bool | None = known == sorted(known, reverse=True)
    if len(set(known)) <= 1:
        in_order = None  # equal dates show no order
    yield Finding(
        "Does search sort by created_at?",
        "yes, the newest first",
        f"created_at {known}" if look.page.ok else look.page.words,
        in_order if look.page.ok else False,
    )
