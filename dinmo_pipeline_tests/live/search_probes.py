"""Searching contacts: lists of values, case, several users of one email, pages and order."""

from collections.abc import Iterator, Mapping
from typing import Any

from dinmo_pipeline_tests.live.api import Answer
from dinmo_pipeline_tests.live.findings import Finding
from dinmo_pipeline_tests.live.people import People
from dinmo_pipeline_tests.live.scene import Scene

# The client asks for 50 values at once, and halves what is refused.
_SIZES = (100, 50, 15)
_LOOKUP_SIZE = 50
_LOOKS, _SECONDS_BETWEEN_LOOKS = 6, 60.0
_BAD_REQUEST = 400


def probe_search(scene: Scene, people: People) -> Iterator[Finding]:
    """All that is asked of search; waits until the index shows the new contacts."""
    size, answer = _longest_list(scene, people)
    yield Finding(
        "How many values does IN take?",
        f"at least {_LOOKUP_SIZE}",
        f"{size}" if size else f"fewer than {min(_SIZES)}: {answer.words}",
        size >= _LOOKUP_SIZE,
    )
    everybody = _everybody(people)
    waited = 0
    while size and not everybody <= answer.ids() and waited < _LOOKS:
        scene.api.sleep(_SECONDS_BETWEEN_LOOKS)
        waited += 1
        answer = scene.api.search(_in(scene, people, size))
    yield Finding(
        "How long until search shows a new contact?",
        "some minutes at most",
        f"{waited * _SECONDS_BETWEEN_LOOKS:g} s at most"
        if everybody <= answer.ids()
        else f"{len(everybody - answer.ids())} of {len(everybody)} never came",
        everybody <= answer.ids() or None,
    )
    yield from _probe_emails(scene, people, answer)
    yield from _probe_pages(scene, people)
    yield from _probe_limits(scene)


def _everybody(people: People) -> set[str]:
    found = (people.upper, people.namesake, people.plus, people.lead, people.unicode)
    return {one.id for one in found if one}


def _in(scene: Scene, people: People, size: int) -> Mapping[str, Any]:
    filler = (scene.email(f"nobody{number}") for number in range(size))
    return {"field": "email", "operator": "IN", "value": [*people.emails, *filler][:size]}


def _longest_list(scene: Scene, people: People) -> tuple[int, Answer]:
    """The largest of the sizes that is taken, 0 if none is, and its answer."""
    for size in _SIZES:
        answer = scene.api.search(_in(scene, people, size))
        if answer.ok:
            return size, answer
    return 0, answer


def _probe_emails(scene: Scene, people: People, answer: Answer) -> Iterator[Finding]:
    found = answer.ids()
    yield Finding(
        "Does IN in lower case find an email that was sent in mixed case?",
        "yes",
        "yes" if people.upper.id in found else "no",
        people.upper.id in found,
    )
    shouted = scene.api.search(
        {"field": "email", "operator": "=", "value": people.upper.email.upper()}
    )
    yield Finding(
        "Does = ignore the case of an email?",
        "yes",
        "yes" if people.upper.id in shouted.ids() else f"no: {shouted.status}, nothing",
        people.upper.id in shouted.ids(),
    )
    if people.namesake:
        both = {people.upper.id, people.namesake.id} <= found
        yield Finding(
            "Are two users of one email in one answer?", "yes", "yes" if both else "no", both
        )
    for name, person in (("a plus sign", people.plus), ("letters beyond ASCII", people.unicode)):
        if person:
            there = person.id in found
            yield Finding(f"Is an email with {name} found?", "yes", "yes" if there else "no", there)


def _probe_pages(scene: Scene, people: People) -> Iterator[Finding]:
    """Two pages of two contacts, the newest first."""
    query = {"field": "email", "operator": "IN", "value": people.emails}
    sort = {"field": "created_at", "order": "descending"}
    first = scene.api.search(query, per_page=2, sort=sort)
    pages = first.body.get("pages")
    following = pages.get("next") if isinstance(pages, dict) else None
    cursor = following.get("starting_after") if isinstance(following, dict) else None
    second = scene.api.search(
        query, per_page=2, sort=sort, pagination={"starting_after": cursor} if cursor else {}
    )
    goes_on = bool(cursor) and second.ok and not first.ids() & second.ids()
    yield Finding(
        "Does search go on at the cursor in the body?",
        "yes",
        "yes" if goes_on else f"no: next is {following}, {second.words}",
        goes_on,
    )
    dates = [one.get("created_at") for one in first.items() + second.items()]
    known = [date for date in dates if isinstance(date, int)]
    in_order: bool | None = known == sorted(known, reverse=True)
    if len(set(known)) <= 1:
        in_order = None  # equal dates are in any order
    yield Finding(
        "Does search sort by created_at?",
        "yes, the newest first",
        f"created_at {known}" if first.ok else first.words,
        in_order if first.ok else False,
    )


def _probe_limits(scene: Scene) -> Iterator[Finding]:
    """What is documented or measured to be too much."""
    one = {"field": "email", "operator": "=", "value": scene.email("nobody")}
    too_long = scene.api.search(one, per_page=151)
    yield Finding(
        "Is a page of 151 refused?",
        "400 invalid_per_page",
        too_long.words,
        (too_long.status, too_long.code) == (_BAD_REQUEST, "invalid_per_page"),
    )
    too_many = scene.api.search({"operator": "OR", "value": [one] * 16})
    yield Finding(
        "Are 16 filters in one OR refused?",
        "400",
        too_many.words,
        too_many.status == _BAD_REQUEST,
    )
