"""Searching contacts: lists of values, case, several users of one email, pages and order.

One query asks nearly all: a long `IN`, two contacts a page, the newest first. It is sent once, again if the
index lags, and once more for the second page. The client looks for a single newcomer by `=`, so that is
asked, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dinmo_pipeline_tests.live.api import Answer
from dinmo_pipeline_tests.live.findings import Finding
from dinmo_pipeline_tests.live.people import People
from dinmo_pipeline_tests.live.scene import Scene

# The client asks for 50 values at once, and halves what is refused.
_SIZES = (100, 50, 15)
_LOOKUP_SIZE = 50
_PER_PAGE = 2  # of three contacts
# Seconds before the first look and before the last. The index was recorded to lag by 15 s and never by
# 120 s; "a few minutes" are documented.
_FIRST_WAIT, _LAST_WAIT = 30.0, 330.0


@dataclass(frozen=True, slots=True)
class _Look:
    """The first page, how many values were asked for at once (0: none were taken), and after how long."""

    page: Answer
    size: int
    waited: float

    @property
    def total(self) -> int:
        """How many contacts were found, on all pages."""
        total = self.page.body.get("total_count")
        return total if isinstance(total, int) else 0


def probe_search(scene: Scene, people: People) -> Iterator[Finding]:
    """All that is asked of search, when the index shows the new contacts or long should."""
    look = _look(scene, people)
    yield Finding(
        "How many values does IN take?",
        f"at least {_LOOKUP_SIZE}",
        f"{look.size}" if look.size else f"fewer than {min(_SIZES)}: {look.page.words}",
        look.size >= _LOOKUP_SIZE,
    )
    missing = len(people.ids) - look.total
    never = f"{missing} of {len(people.ids)} never came"
    yield Finding(
        "How long until search shows a new contact?",
        "some minutes at most",
        never if missing > 0 else f"about {look.waited:g} s at most",
        None if missing > 0 else True,
    )
    cursor = _cursor(look.page)
    second = _ask(scene, people, look.size, cursor) if cursor else None
    shown = look.page.ids() | (second.ids() if second else set())
    # Where the count says that all are there, a second page that cannot be read hides nobody.
    yield from _probe_emails(people, shown if missing > 0 else people.ids)
    yield _probe_equals(scene, people)
    yield from _probe_pages(look, second)


def _look(scene: Scene, people: People) -> _Look:
    """Wait and search; wait once more if somebody is missing."""
    scene.api.sleep(_FIRST_WAIT)
    look = _longest_list(scene, people)
    if look.size and look.total < len(people.ids):
        scene.api.sleep(_LAST_WAIT)
        page = _ask(scene, people, look.size)
        look = _Look(page, look.size, _FIRST_WAIT + _LAST_WAIT)
    return look


def _longest_list(scene: Scene, people: People) -> _Look:
    """A look with the largest of the sizes that is taken: one call, unless that is refused."""
    for size in _SIZES:
        page = _ask(scene, people, size)
        if page.ok:
            return _Look(page, size, _FIRST_WAIT)
    return _Look(page, 0, _FIRST_WAIT)


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
    """Who is found by an email in lower case; where nobody is, it tells nothing of spellings."""
    upper, namesake, lead = (
        one.id in found for one in (people.upper, people.namesake, people.lead)
    )
    yield _is_found(
        "Does IN in lower case find an email that was sent in mixed case?",
        there=upper,
        settled=upper or namesake,
    )
    if people.share_email:
        both = upper and namesake
        yield _is_found("Are two users of one email in one answer?", there=both, settled=upper)
    yield _is_found(
        "Is an email with a plus sign found?", there=upper or namesake, settled=bool(found)
    )
    if not people.lead.email.isascii():
        yield _is_found(
            "Is an email with letters beyond ASCII found?", there=lead, settled=bool(found)
        )


def _probe_equals(scene: Scene, people: People) -> Finding:
    """The case of an email, as asked by `=`; that the namesake is not found either tells nothing."""
    email = people.upper.email.lower()
    found = scene.api.search({"field": "email", "operator": "=", "value": email}).ids()
    return _is_found(
        "Does = in lower case find an email that was sent in mixed case?",
        there=people.upper.id in found,
        settled=bool(found & {people.upper.id, people.namesake.id}),
    )


def _is_found(question: str, *, there: bool, settled: bool) -> Finding:
    return Finding(question, "yes", "yes" if there else "no", there if settled else None)


def _probe_pages(look: _Look, second: Answer | None) -> Iterator[Finding]:
    """Whether the second page goes on where the first ended, and in what order."""
    goes_on = bool(second and second.ok and second.ids() and not look.page.ids() & second.ids())
    said = second.words if second else f"no cursor, pages {look.page.body.get('pages')}"
    yield Finding(
        "Does search go on at the cursor in the body?",
        "yes",
        "yes" if goes_on else f"no: {look.total} found, {said}",
        goes_on if look.total > _PER_PAGE else None,
    )
    dates = [
        one.get("created_at") for one in look.page.items() + (second.items() if second else [])
    ]
    known = [date for date in dates if isinstance(date, int)]
    in_order: bool | None = known == sorted(known, reverse=True)
    if len(set(known)) <= 1:
        in_order = None  # equal dates are in any order
    yield Finding(
        "Does search sort by created_at?",
        "yes, the newest first",
        f"created_at {known}" if look.page.ok else look.page.words,
        in_order if look.page.ok else False,
    )
