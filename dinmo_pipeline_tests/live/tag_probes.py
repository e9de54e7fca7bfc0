"""Tags: names, tagging twice, untagging nobody, many users at once, and more than ten tags on one contact.

Each tag costs a call to make and one to delete, and a contact needs eleven for the last question. So every
probe that makes a tag puts it on the same contact, and few are made for that question alone.
"""

from collections.abc import Iterator

from dinmo_pipeline_tests.live.api import Answer
from dinmo_pipeline_tests.live.findings import Finding
from dinmo_pipeline_tests.live.people import People
from dinmo_pipeline_tests.live.scene import (
    NOBODY,
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
    yield _kept("Is a tag name with & and é answered as it was sent?", name, made)
    shouted = scene.write_tag(bulk(name.upper(), [person.id]))
    same = made.ok and shouted.body.get("id") == made.body.get("id")
    shown = str(shouted.body.get("name"))
    yield Finding(
        "Is a tag of the same name in another case the same tag?",
        "yes, and its spelling stays",
        f"{'the same' if same else 'another'}, named {shown!r}" if shouted.ok else shouted.words,
        same and is_same_name(shown, name),
    )
    listed = person.id in confirmed(shouted)
    yield Finding(
        "Tagging who is tagged already?",
        "200, and the user is listed again",
        f"{shouted.words}, {'listed' if listed else 'not listed'}",
        listed if same else None,  # on another tag it was not twice
    )
    if made.ok and not listed:
        # Only whom a bulk call does not confirm does the client tag alone.
        path = f"/contacts/{person.id}/tags"
        alone = scene.api.post(path, {"id": str(made.body["id"])})
        yield Finding("… and alone?", "200", alone.words, alone.ok)
    long = scene.tag_name("long ").ljust(_NAME_LENGTH, "x")
    answer = scene.write_tag(bulk(long, [person.id]))
    yield _kept(f"Is a tag name of {_NAME_LENGTH} characters kept whole?", long, answer)


def probe_untagging(scene: Scene, person: Person, plain: Tag) -> Iterator[Finding]:
    """Take a tag off a contact that does not carry it."""
    untagged = scene.api.delete(f"/contacts/{person.id}/tags/{plain.id}")
    yield Finding(
        "Taking off a tag that a contact does not carry?",
        "200 with applied_at null",
        f"{untagged.words}, applied_at {untagged.body.get('applied_at')}",
        untagged.ok and untagged.body.get("applied_at") is None,
    )


def probe_bulk(scene: Scene, people: People) -> Iterator[Finding]:
    """Many users in one call, most of them unknown; half of them only if all are refused."""
    name, known = scene.tag_name(_BULK), [people.upper.id, people.lead.id]
    nobody = [NOBODY.format(number) for number in range(98)]
    taken, answer = 100, scene.write_tag(bulk(name, [*known, *nobody]))
    if not answer.ok:
        taken, answer = 51, scene.try_tag(bulk(name, [*known, *nobody[:49]]), people.upper)
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
        confirmed(answer) == set(known) if answer.ok else None,
    )


def probe_unseen(scene: Scene, people: People, plain: Tag) -> Iterator[Finding]:
    """Three writes whose answers do not tell what became of a contact's tags, and one reading of them.

    The contact is the namesake, which carries no tag before. Each write is about another tag, so that none
    can be taken for another's effect.
    """
    namesake = people.namesake
    old = scene.write_tag(bulk(plain.name, [namesake.id, NOBODY.format(0)]), version="2.15")
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
        "Up to 2.15, does one unknown user refuse the call for all?",
        "404, and nobody is tagged",
        f"{old.words}, the known one is {'tagged' if tagged else 'not tagged'}",
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
    """Eleven tags on the contact that carries every tag of the run, and one reading of them."""
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
        "… and a name with & and é as it was sent?",
        "yes",
        "yes" if shown == name else f"as {shown!r}",
        shown is not None,
    )


def probe_deletion(scene: Scene, tag: Tag) -> Iterator[Finding]:
    """The first of the deletions that the run ends with."""
    deleted = scene.delete_tag(tag)
    yield Finding("Deleting a tag?", "200", deleted.words, deleted.ok)


def _kept(question: str, name: str, answer: Answer) -> Finding:
    shown = str(answer.body.get("name"))
    found = "yes" if shown == name else f"as {shown!r}"
    return Finding(question, "yes", found if answer.ok else answer.words, is_same_name(shown, name))
