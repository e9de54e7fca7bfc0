"""Probes of merged and archived contacts: reading and tagging them."""

from collections.abc import Iterator

from dinmo_pipeline_tests.live.api import Answer
from dinmo_pipeline_tests.live.findings import Finding
from dinmo_pipeline_tests.live.people import People
from dinmo_pipeline_tests.live.scene import Scene, Tag, bulk, confirmed

_NOT_FOUND, _GONE = 404, 410


def probe_gone(scene: Scene, people: People, plain: Tag) -> Iterator[Finding]:
    """Probe the lead, if it was merged, and the namesake, which is archived here."""
    if people.lead.id in scene.gone_ids:
        yield from _probe_merged(scene, people, plain)
    archived = scene.archive(people.namesake)
    tagged = scene.api.post(f"/contacts/{people.namesake.id}/tags", {"id": plain.id})
    yield _refused("What happens when an archived contact is tagged?", tagged, settled=archived.ok)
    gone = scene.gone_ids
    answer = scene.try_tag(bulk(scene.tag_name("gone"), [*gone, people.upper.id]), people.upper)
    listed = confirmed(answer)
    yield Finding(
        "From 2.16 on, does a bulk call skip merged and archived contacts?",
        "yes, the response lists the others",
        f"{answer.words}, {len(listed.intersection(gone))} of {len(gone)} are listed",
        answer.ok and listed == {people.upper.id} if gone else None,
    )


def _probe_merged(scene: Scene, people: People, plain: Tag) -> Iterator[Finding]:
    """The client reads a merged contact to learn what became of it; it tags one only if it does not know."""
    read = scene.api.get(f"/contacts/{people.lead.id}")
    link = read.headers.get("Link", "")
    yield Finding(
        "What is the response for a merged contact?",
        "410 contact_merged, with a Link to the survivor",
        f"{read.words}, Link {link!r}",
        (read.status, read.code) == (_GONE, "contact_merged") and people.namesake.id in link,
    )
    tagged = scene.api.post(f"/contacts/{people.lead.id}/tags", {"id": plain.id})
    yield _refused("What happens when a merged contact is tagged?", tagged)


def _refused(question: str, answer: Answer, *, settled: bool = True) -> Finding:
    # The client treats 404 and 410 alike, and then looks up what is missing.
    is_refused = answer.status in (_NOT_FOUND, _GONE)
    return Finding(question, "404 not_found", answer.words, is_refused if settled else None)
