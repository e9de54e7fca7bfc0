"""A whole run: create contacts, run all probes, and delete everything, even after a failure."""

from collections.abc import Callable, Iterator

from dinmo_pipeline_tests.live.access_probes import (
    probe_headers,
    probe_refusals,
    rate_refusal,
)
from dinmo_pipeline_tests.live.api import Answer, Api, WorkspaceError
from dinmo_pipeline_tests.live.findings import Finding
from dinmo_pipeline_tests.live.gone_probes import probe_gone
from dinmo_pipeline_tests.live.people import create_people
from dinmo_pipeline_tests.live.scene import Scene
from dinmo_pipeline_tests.live.search_probes import probe_search
from dinmo_pipeline_tests.live.tag_probes import (
    probe_bulk,
    probe_deletion,
    probe_many,
    probe_names,
    probe_unseen,
    probe_untagging,
)


def confirmed_workspace(api: Api, workspace_id: str) -> Answer:
    """The answer to `GET /me`, if the token belongs to the named workspace.

    Raises:
        WorkspaceError: it belongs to another workspace, or is invalid.
    """
    me = api.get("/me")
    if not me.ok:
        raise WorkspaceError(f"GET /me: {me.words}. Check the token and the region.")
    app = me.body.get("app")
    opened = app.get("id_code") if isinstance(app, dict) else None
    if opened != workspace_id:
        raise WorkspaceError(
            f"The token belongs to workspace {opened!r}, not {workspace_id!r}. Nothing was written."
        )
    return me


def run(api: Api, me: Answer, say: Callable[[str], None]) -> list[Finding]:
    """Run all probes, and print with `say` what could not be deleted at the end.

    Raises:
        WorkspaceError: a call failed that the others need; everything created is deleted.
    """
    scene = Scene(api)
    say(f"The contacts and tags of this run are named dinmo-live-{scene.run}.")
    try:
        return list(_probe(scene, me))
    finally:
        for problem in scene.clean_up():
            say(f"Not deleted: {problem}")


def _probe(scene: Scene, me: Answer) -> Iterator[Finding]:
    people, findings = create_people(scene)
    yield from probe_headers(me)
    yield from findings
    yield from probe_names(scene, people.upper)
    plain = scene.tag("plain", people.upper)
    yield from probe_untagging(scene, people.namesake, plain)
    yield from probe_bulk(scene, people)
    yield from probe_search(scene, people)
    yield from probe_unseen(scene, people, plain)
    yield from probe_gone(scene, people, plain)
    yield from probe_many(scene, people.upper)
    yield from probe_refusals(scene)
    yield rate_refusal(scene)
    yield from probe_deletion(scene, plain)
