"""Probes of tags: names, tagging twice, untagging without a tag, bulk calls, and more than ten tags.

Each tag costs a call to create and one to delete, and the last probe needs eleven on one contact. So all
probes put their tags on the same contact, and only a few tags are created for the last probe alone.
"""

from collections.abc import Iterator

from dinmo_pipeline_tests.live.api import Answer
from dinmo_pipeline_tests.live.findings import Finding
from dinmo_pipeline_tests.live.people import People
from dinmo_pipeline_tests.live.scene import (
    UNKNOWN_ID,
    Person,
    Scene,
    Tag,
    bulk,
    confirmed,
    is_same_name,
)

_AMPERSAND = "A & B é"
_BULK = "bulk"
_NAME_LENGTH = 191  # the client's own limit; none is documented
_MORE_THAN_TEN = 11


def probe_names(scene: Scene, person: Person) -> Iterator[Finding]:
    """A name with `&` and letters beyond ASCII, the same in another case, and a long one."""
    name = scene.tag_name(_AMPERSAND)
    made = scene.write_tag(bulk(name, [person.id]))
    yield _kept("Is a tag name with & and é returned as it was sent?", name, made)
    upper = scene.write_tag(bulk(name.upper(), [person.id]))
    same = made.ok and upper.body.get("id") == made.body.get("id")
    shown = str(upper.body.get("name"))
    yield Finding(
        "Is a tag name in another case the same tag?",
        "yes, and its spelling stays",
        f"{'the same' if same else 'another'}, named {shown!r}" if upper.ok else upper.words,
        same and is_same_name(shown, name),
    )
    yield from _probe_tagging_twice(scene, person, made, upper, same=same)
    long = scene.tag_name("long ").ljust(_NAME_LENGTH, "x")
    answer = scene.write_tag(bulk(long, [person.id]))
    yield _kept(f"Is a tag name of {_NAME_LENGTH} characters kept whole?", long, answer)


def _probe_tagging_twice(
    scene: Scene, person: Person, first: Answer, second: Answer, *, same: bool
) -> Iterator[Finding]:
    """The second of two bulk calls; it settles nothing unless both were about the same tag."""
    listed = person.id in confirmed(second)
    yield Finding(
        "What happens when a user is tagged twice?",
        "200, and the user is listed again",
        f"{second.words}, {'listed' if listed else 'not listed'}",
        listed if same else None,
    )
    if first.ok and not listed:
        # The client tags a user alone only if a bulk call does not confirm them.
        path = f"/contacts/{person.id}/tags"
        alone = scene.api.post(path, {"id": str(first.body["id"])})
        yield Finding("… and in a call of its own?", "200", alone.words, alone.ok)


def probe_untagging(scene: Scene, person: Person, plain: Tag) -> Iterator[Finding]:
    """Take a tag off a contact that does not have it."""
    untagged = scene.api.delete(f"/contacts/{person.id}/tags/{plain.id}")
    yield Finding(
        "What happens when a tag is taken off a contact that does not have it?",
        "200 with a null applied_at",
        f"{untagged.words}, applied_at {untagged.body.get('applied_at')}",
        untagged.ok and untagged.body.get("applied_at") is None,
    )


def probe_bulk(scene: Scene, people: People) -> Iterator[Finding]:
    """Many users in one call, most of them unknown; half of them if Intercom refuses all."""
    name, known = scene.tag_name(_BULK), [people.upper.id, people.lead.id]
    unknown = [UNKNOWN_ID.format(number) for number in range(98)]
    size, answer = 100, scene.write_tag(bulk(name, [*known, *unknown]))
    if not answer.ok:
        size, answer = 51, scene.try_tag(bulk(name, [*known, *unknown[:49]]), people.upper)
    yield Finding(
        "How many users does POST /tags allow?",
        "100; the client sends 50",
        f"{size}" if answer.ok else f"fewer than 51: {answer.words}",
        size == 100 if answer.ok else None,  # the client sends at most 50
    )
    yield Finding(
        "From 2.16 on, are unknown users skipped, and a lead tagged?",
        "yes, the response lists the others",
        f"listed {len(answer.items('users'))} of {size}",
        confirmed(answer) == set(known) if answer.ok else None,
    )


def probe_unseen(scene: Scene, people: People, plain: Tag) -> Iterator[Finding]:
    """Three writes whose responses do not show the contact's tags, and one read that does.

    The contact is the namesake, which has no tags before. Each write uses another tag, so that their effects
    can be told apart.
    """
    namesake = people.namesake
    old = scene.write_tag(bulk(plain.name, [namesake.id, UNKNOWN_ID.format(0)]), version="2.15")
    untag_name = scene.tag_name("untag")
    users = [{"id": people.upper.id}, {"id": namesake.id, "untag": True}]
    untag = scene.try_tag({"name": untag_name, "users": users}, people.upper)
    merged = scene.merge(people.lead, namesake)
    carried = list(scene.tags_of(namesake).values())
    tagged, ignored, moved = (
        any(is_same_name(shown, name) for shown in carried)
        for name in (plain.name, untag_name, scene.tag_name(_BULK))
    )
    yield Finding(
        "Up to 2.15, does one unknown user make the whole call fail?",
        "404, and nobody is tagged",
        f"{old.words}, the known user is {'tagged' if tagged else 'not tagged'}",
        old.status == 404 and not tagged,
    )
    yield Finding(
        'What does "untag": true do to a user in POST /tags?',
        "nothing: the user is tagged",
        f"{untag.words}, the user is {'tagged' if ignored else 'not tagged'}",
        ignored,
    )
    yield Finding(
        "Does the survivor get the tags of the merged contact?",
        "yes",
        ("yes" if moved else "no") if merged.ok else f"not merged: {merged.words}",
        moved if merged.ok else None,
    )


def probe_many(scene: Scene, person: Person) -> Iterator[Finding]:
    """Eleven tags on the contact with every tag of the run, and one read of them."""
    while len(scene.tag_ids) < _MORE_THAN_TEN:
        scene.tag(f"many {len(scene.tag_ids)}", person)
    listed = scene.tags_of(person)
    count = len(listed.keys() & scene.tag_ids.keys())
    yield Finding(
        "Does GET /contacts/{id}/tags list more than ten tags?",
        "yes, all of them",
        f"{count} of {len(scene.tag_ids)}",
        count == len(scene.tag_ids),
    )
    name = scene.tag_name(_AMPERSAND)
    shown = next((one for one in listed.values() if is_same_name(one, name)), None)
    yield Finding(
        "… and does it show a name with & and é as it was sent?",
        "yes",
        "yes" if shown == name else f"as {shown!r}",
        shown is not None,
    )


def probe_deletion(scene: Scene, tag: Tag) -> Iterator[Finding]:
    """The first deletion at the end of the run."""
    deleted = scene.delete_tag(tag)
    yield Finding("What is the response when a tag is deleted?", "200", deleted.words, deleted.ok)


def _kept(question: str, name: str, answer: Answer) -> Finding:
    shown = str(answer.body.get("name"))
    found = "yes" if shown == name else f"as {shown!r}"
    return Finding(question, "yes", found if answer.ok else answer.words, is_same_name(shown, name))
