"""Tags: names, tagging twice, untagging nobody, many at once, and more than ten on one contact."""

import html
from collections.abc import Iterator

from dinmo_pipeline_tests.live.api import Answer
from dinmo_pipeline_tests.live.findings import Finding
from dinmo_pipeline_tests.live.people import People
from dinmo_pipeline_tests.live.scene import NOBODY, Person, Scene, bulk

_TAGS_SHOWN = 10  # with a contact, as documented
_NAME_LENGTH = 191


def probe_names(scene: Scene, person: Person) -> Iterator[Finding]:
    """A name with `&` and letters beyond ASCII, in another case, and taken by another tag."""
    name = scene.tag_name("A & B é")
    made = scene.write_tag(bulk(name, [person.id]))
    yield _kept("Is a tag name with & and é answered as it was sent?", name, made)
    listed = {str(tag["id"]): str(tag["name"]) for tag in scene.api.get("/tags").items()}
    shown = listed.get(str(made.body.get("id")), "")
    yield Finding(
        "… and listed so?", "yes", "yes" if shown == name else f"as {shown!r}", _same(shown, name)
    )
    yield from _probe_twice(scene, name, person, made)
    shouted = scene.write_tag({"name": name.upper()})
    same = shouted.body.get("id") == made.body.get("id")
    yield Finding(
        "Is a tag of the same name in another case the same tag?",
        "yes, and its spelling stays",
        f"{'the same' if same else 'another'}, named {shouted.body.get('name')!r}",
        same and _same(str(shouted.body.get("name")), name),
    )
    other = scene.tag("other")
    renamed = scene.write_tag({"id": other, "name": name})
    yield Finding(
        "What happens when a tag is renamed to another's name?",
        "400",
        f"{renamed.words}, id {renamed.body.get('id')}" if renamed.ok else renamed.words,
        renamed.status == 400,
    )
    untagged = scene.api.delete(f"/contacts/{person.id}/tags/{other}")
    yield Finding(
        "Taking off a tag that a contact does not carry?",
        "200 with applied_at null",
        f"{untagged.words}, applied_at {untagged.body.get('applied_at')}",
        untagged.ok and untagged.body.get("applied_at") is None,
    )
    deleted = scene.delete_tag(other)
    yield Finding("Deleting a tag?", "200", deleted.words, deleted.ok)


def probe_bulk(scene: Scene, people: People) -> Iterator[Finding]:
    """Many users in one call, most of them unknown; unknown ones up to 2.15; `untag`."""
    name = scene.tag_name("bulk")
    nobody = [NOBODY.format(number) for number in range(99)]
    hundred = scene.write_tag(bulk(name, [people.lead.id, *nobody]))
    taken, answer = 100, hundred
    if not hundred.ok:
        taken, answer = 51, scene.write_tag(bulk(name, [people.lead.id, *nobody[:50]]))
    yield Finding(
        "How many users does POST /tags take?",
        "100; the client sends 50",
        f"{taken}" if answer.ok else f"fewer than 51: {answer.words}",
        taken == 100 if answer.ok else None,  # the client keeps to 50
    )
    yield Finding(
        "From 2.16 on, are unknown users skipped, and a lead tagged?",
        "yes, the answer lists the others",
        f"listed {len(answer.items('users'))} of {taken}",
        answer.ids("users") == {people.lead.id} if answer.ok else None,
    )
    old = scene.write_tag(bulk(name, [people.plus.id, nobody[0]]), version="2.15")
    carries = name in _names(scene, people.plus)
    yield Finding(
        "Up to 2.15, does one unknown user refuse the call for all?",
        "404, and nobody is tagged",
        f"{old.words}, the known one is {'tagged' if carries else 'not tagged'}",
        old.status == 404 and not carries,
    )
    yield from _probe_untag_true(scene, name, people.lead)


def probe_many(scene: Scene, person: Person) -> Iterator[Finding]:
    """More than ten tags on one contact, one of them with a long name."""
    for number in range(_TAGS_SHOWN - 1):
        scene.tag(f"many {number}", person)
    long = scene.tag_name("long ").ljust(_NAME_LENGTH, "x")
    answer = scene.write_tag(bulk(long, [person.id]))
    yield _kept(f"Is a tag name of {_NAME_LENGTH} characters kept whole?", long, answer)
    tags = scene.api.get(f"/contacts/{person.id}").body.get("tags")
    shown = tags if isinstance(tags, dict) else {}
    count = len(shown.get("data") or [])
    listed = len(scene.tags_of(person))
    yield Finding(
        "How are more than ten tags of a contact shown?",
        "ten and has_more, but all in GET /contacts/{id}/tags",
        f"{count} of {shown.get('total_count')}, has_more {shown.get('has_more')}; {listed} listed",
        (count, shown.get("has_more"), listed > count) == (_TAGS_SHOWN, True, True),
    )


def _probe_twice(scene: Scene, name: str, person: Person, first: Answer) -> Iterator[Finding]:
    """Tagging again who is tagged, in bulk and alone."""
    again = scene.write_tag(bulk(name, [person.id]))
    listed = again.ids("users")
    yield Finding(
        "In bulk, tagging who is tagged already?",
        "200, and the user is listed again",
        f"{again.words}, {'listed' if person.id in listed else 'not listed'}",
        again.ok and person.id in listed,
    )
    alone = scene.api.post(f"/contacts/{person.id}/tags", {"id": str(first.body.get("id"))})
    yield Finding("… and alone?", "200", alone.words, alone.ok)


def _probe_untag_true(scene: Scene, name: str, person: Person) -> Iterator[Finding]:
    """The undocumented bulk removal, which this project does not use."""
    answer = scene.write_tag({"name": name, "users": [{"id": person.id, "untag": True}]})
    carries = name in _names(scene, person)
    yield Finding(
        'What does "untag": true do to a user in POST /tags?',
        "nothing: the user keeps the tag",
        f"{answer.words}, the user {'keeps' if carries else 'loses'} the tag",
        carries,
    )


def _names(scene: Scene, person: Person) -> set[str]:
    return {html.unescape(str(tag.get("name"))) for tag in scene.tags_of(person)}


def _kept(question: str, name: str, answer: Answer) -> Finding:
    shown = str(answer.body.get("name"))
    found = "yes" if shown == name else f"as {shown!r}"
    return Finding(question, "yes", found if answer.ok else answer.words, _same(shown, name))


def _same(shown: str, name: str) -> bool:
    """As the client compares: some answers of Intercom escape `&` as HTML."""
    return html.unescape(shown) == name
