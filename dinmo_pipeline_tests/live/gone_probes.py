"""Contacts that are merged or archived: what reading, tagging and untagging them answers."""

from collections.abc import Iterator

from dinmo_pipeline_tests.live.api import Answer
from dinmo_pipeline_tests.live.findings import Finding
from dinmo_pipeline_tests.live.people import People
from dinmo_pipeline_tests.live.scene import Scene, bulk

_NOT_FOUND, _GONE = 404, 410


def probe_gone(scene: Scene, people: People) -> Iterator[Finding]:
    """Merge a tagged lead into a user, archive another user, and ask for both."""
    tag_id = scene.tag("gone", people.lead)
    merged = scene.api.post("/contacts/merge", {"from": people.lead.id, "into": people.plus.id})
    if merged.ok:
        yield from _probe_merged(scene, people, tag_id)
    else:
        yield Finding("Merging a lead into a user of its email?", "200", merged.words, None)
    archived = people.namesake or people.upper
    scene.api.post(f"/contacts/{archived.id}/archive", {})
    answer = scene.api.post(f"/contacts/{archived.id}/tags", {"id": tag_id})
    yield _refused("Tagging an archived contact?", answer)
    answer = scene.api.delete(f"/contacts/{archived.id}/tags/{tag_id}")
    yield _refused("Untagging an archived contact?", answer)
    gone = [archived.id, people.lead.id] if merged.ok else [archived.id]
    answer = scene.write_tag(bulk(scene.tag_name("gone"), [*gone, people.plus.id]))
    listed = answer.ids("users")
    yield Finding(
        "In bulk, from 2.16 on, are contacts that are gone skipped?",
        "yes, the answer lists the others",
        f"{answer.words}, {len(listed.intersection(gone))} of {len(gone)} are listed",
        answer.ok and listed == {people.plus.id},
    )
    # Whether an archived contact can be deleted is not recorded either.
    scene.api.post(f"/contacts/{archived.id}/unarchive", {})


def _probe_merged(scene: Scene, people: People, tag_id: str) -> Iterator[Finding]:
    lead, user = people.lead, people.plus
    read = scene.api.get(f"/contacts/{lead.id}")
    link = read.headers.get("Link", "")
    yield Finding(
        "What does a merged contact answer?",
        "410 contact_merged, and a Link to the survivor",
        f"{read.words}, Link {link!r}",
        (read.status, read.code) == (_GONE, "contact_merged") and user.id in link,
    )
    carries = tag_id in {str(tag.get("id")) for tag in scene.tags_of(user)}
    yield Finding(
        "Does the survivor get the tags of the merged contact?",
        "yes",
        "yes" if carries else "no",
        carries,
    )
    answer = scene.api.post(f"/contacts/{lead.id}/tags", {"id": tag_id})
    yield _refused("Tagging a merged contact?", answer)


def _refused(question: str, answer: Answer) -> Finding:
    # The client takes 404 and 410 alike, and asks what is missing.
    return Finding(question, "404 not_found", answer.words, answer.status in (_NOT_FOUND, _GONE))
