"""The outcome of each change, for every answer that Intercom can give to tagging and untagging."""

from dataclasses import replace
from itertools import pairwise

import pytest

from dinmo_pipeline.intercom.errors import AccessError
from dinmo_pipeline.intercom.tags import Tag
from dinmo_pipeline.state.ledger import PlannedChange
from dinmo_pipeline.sync.tagging import TagChangedError, Tagger

VERSIONS = ["2.13", "2.14", "2.15", "2.16", "2.17"]
NOBODY = "f" * 24
BULK, ADD, REMOVE = "POST /tags", "POST /contacts/{id}/tags", "DELETE /contacts/{id}/tags/{tag_id}"
SHOW, SHOW_TAG = "GET /contacts/{id}", "GET /tags/{id}"


def skips(version: str) -> bool:
    return version >= "2.16"


def tagger_of(workspace, tag: str, name: str = "VIP", **options) -> Tagger:
    return Tagger(workspace.client.tags, Tag(tag, name), **options)


def entered(*contacts: str) -> list[PlannedChange]:
    return [PlannedChange(n, "entered", f"u{n}", one) for n, one in enumerate(contacts, 1)]


def left(contact: str) -> PlannedChange:
    return PlannedChange(1, "left", "u1", contact)


def outcomes(applied) -> list[str]:
    return [one.outcome for one in applied]


@pytest.mark.parametrize("version", VERSIONS)
def test_fifty_users_are_tagged_in_one_call(workspace, version):
    """Also a second time, when they already carry the tag. Each outcome has the request's id."""
    users = workspace.users(50)
    tagger = tagger_of(workspace, workspace.tag("VIP", users[0]))
    workspace.speak(version)
    for _ in range(2):
        applied = tagger_of(workspace, tagger.tag.id).tag_users(entered(*users))
        assert outcomes(applied) == ["applied"] * 50
        assert all(one.request_id for one in applied)
    assert workspace.tagged("VIP") == set(users)
    assert workspace.calls == {BULK: 2}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("state", ["unknown", "archived", "deleted"])
def test_users_that_are_gone_do_not_keep_others_untagged(workspace, version, state):
    """Skipped from 2.16 on, found by halving before, then verified one by one."""
    users = workspace.users(20)
    gone = NOBODY if state == "unknown" else users[7]
    if state == "unknown":
        users[7] = NOBODY
    else:
        workspace.change(gone, state=state)
    tag = workspace.tag("VIP")
    workspace.speak(version)
    applied = tagger_of(workspace, tag).tag_users(entered(*users))
    assert [one.contact_id for one in applied] == users
    assert [one.contact_id for one in applied if one.outcome == "gone"] == [gone]
    assert outcomes(applied).count("applied") == 19
    assert workspace.tagged("VIP") == set(users) - {gone}
    assert workspace.calls[ADD] == workspace.calls[SHOW] == 1
    assert workspace.calls[BULK] == 1 if skips(version) else workspace.calls[BULK] <= 11


@pytest.mark.parametrize("version", VERSIONS)
def test_a_merged_user_that_enters_is_gone_under_that_id(workspace, version):
    """Its identifier is looked up again. The survivor does not get the tag."""
    a, b = workspace.users(2)
    workspace.merge(a, b)
    tag = workspace.tag("VIP")
    workspace.speak(version)
    (applied,) = tagger_of(workspace, tag).tag_users(entered(a))
    assert applied.outcome == "gone"
    assert (applied.reason, applied.merged_into) == (
        ("410 contact_merged", b) if skips(version) else ("404 not_found", None)
    )
    assert workspace.tagged("VIP") == set()


def test_users_that_an_answer_leaves_out_are_tagged_one_by_one(workspace):
    """It is not documented whether users who already carry the tag are listed."""
    users = workspace.users(3)
    tag = workspace.tag("VIP", *users)
    tags = workspace.client.tags
    original = tags.tag_users

    def forgetful(name, ids):
        answer = original(name, ids)
        return type(answer)(answer.tag, frozenset(ids[:1]), answer.request_id)

    tags.tag_users = forgetful
    assert outcomes(tagger_of(workspace, tag).tag_users(entered(*users))) == ["applied"] * 3
    assert workspace.calls == {BULK: 1, ADD: 2}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_tag_deleted_during_the_sync_stops_it(workspace, version):
    """In bulk its name creates another; alone the 404 looks like that of a contact."""
    (user,) = workspace.users(1)
    workspace.speak(version)
    tagger = tagger_of(workspace, "424242")
    with pytest.raises(TagChangedError):
        tagger.tag_users(entered(user))
    with pytest.raises(TagChangedError):
        tagger._tag_alone(entered(user)[0])
    with pytest.raises(TagChangedError):
        tagger.untag(left(user))


def test_a_tag_renamed_during_the_sync_stops_it(workspace):
    """The bulk call has already created a second tag; whoever carries it is reported."""
    (user,) = workspace.users(1)
    tag = workspace.tag("VIP")
    workspace.client.tags.rename(tag, "Important")
    strays = []
    tagger = replace(tagger_of(workspace, tag), on_stray=lambda *stray: strays.append(stray))
    with pytest.raises(TagChangedError, match="renamed in Intercom to 'Important'"):
        tagger.tag_users(entered(user))
    ((second, contacts),) = strays
    assert (second.name, contacts) == ("VIP", [user])


@pytest.mark.parametrize("version", VERSIONS)
def test_untagging_takes_one_call(workspace, version):
    """Also if the contact does not carry the tag, as documented."""
    a, b = workspace.users(2)
    tag = workspace.tag("VIP", a)
    workspace.speak(version)
    tagger = tagger_of(workspace, tag)
    assert [tagger.untag(left(one)).outcome for one in (a, b)] == ["applied"] * 2
    assert workspace.tagged("VIP") == set()
    assert workspace.calls == {REMOVE: 2}


def test_a_404_for_a_tag_that_is_not_applied_does_not_make_a_contact_gone(workspace):
    """It was never recorded. Contact and tag exist, so the contact is untagged, as wanted."""
    workspace.reset(untag_missing="not_found")
    (user,) = workspace.users(1)
    tag = workspace.tag("VIP")
    assert tagger_of(workspace, tag).untag(left(user)).outcome == "applied"
    assert workspace.calls == {REMOVE: 1, SHOW: 1, SHOW_TAG: 1}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("state", ["unknown", "archived", "deleted"])
def test_a_contact_that_is_gone_needs_no_untagging(workspace, version, state):
    """Two calls show it, whether or not the tag is gone as well."""
    (user,) = workspace.users(1)
    if state != "unknown":
        workspace.change(user, state=state)
    tag = workspace.tag("VIP")
    workspace.speak(version)
    applied = tagger_of(workspace, tag).untag(left(NOBODY if state == "unknown" else user))
    assert (applied.outcome, applied.reason) == ("gone", "404 not_found")
    assert workspace.calls == {REMOVE: 1, SHOW: 1}


def merged(workspace, count: int) -> tuple[list[str], str]:
    """Contacts, each merged into the next; the first one was tagged before."""
    users = workspace.users(count)
    tag = workspace.tag("VIP", users[0])
    for source, target in pairwise(users):
        workspace.merge(source, target)
    assert workspace.tagged("VIP") == {users[-1]}
    return users, tag


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_tag_that_moved_with_a_merge_is_taken_off_the_survivor(workspace, count):
    """When the member left; from 2.16 on, where Intercom names the survivor."""
    users, tag = merged(workspace, count)
    asked = []

    def is_tagged(contact: str) -> bool:
        asked.append(contact)
        return False

    applied = tagger_of(workspace, tag, is_tagged=is_tagged).untag(left(users[0]))
    assert (applied.outcome, applied.reason) == ("gone", "410 contact_merged")
    assert applied.merged_into == users[-1]
    assert workspace.tagged("VIP") == set()
    assert asked == [users[-1]]


def test_a_survivor_that_is_tagged_for_a_member_of_its_own_keeps_the_tag(workspace):
    """The ledger knows that."""
    users, tag = merged(workspace, 2)
    tagger = tagger_of(workspace, tag, is_tagged=lambda contact: contact == users[1])
    assert tagger.untag(left(users[0])).outcome == "gone"
    assert workspace.tagged("VIP") == {users[1]}


@pytest.mark.parametrize("version", ["2.15", "2.16"])
def test_without_the_ledger_a_survivor_is_left_alone(workspace, version):
    """It would be worse to untag somebody who should have the tag."""
    users, tag = merged(workspace, 2)
    workspace.speak(version)
    assert tagger_of(workspace, tag).untag(left(users[0])).outcome == "gone"
    assert workspace.tagged("VIP") == {users[1]}


@pytest.mark.parametrize("fault", ["timeout", 500, 502, 503, 429])
def test_a_change_without_a_definite_answer_is_pending(workspace, fault):
    """The next sync makes it again."""
    (user,) = workspace.users(1)
    tag = workspace.tag("VIP", user)
    workspace.client._transport.timeout = (5.0, 0.02)
    rule = {"kind": "timeout_before"} if fault == "timeout" else {"kind": "status", "status": fault}
    workspace.fail(rule)
    tagger = tagger_of(workspace, tag)
    assert outcomes(tagger.tag_users(entered(user))) == ["pending"]
    applied = tagger.untag(left(user))
    assert applied.outcome == "pending"
    assert (applied.reason or "").startswith("no answer" if fault == "timeout" else str(fault))


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_refused_change_has_failed(workspace, status):
    """The outcome has Intercom's status, code, and request id."""
    (user,) = workspace.users(1)
    tag = workspace.tag("VIP", user)
    workspace.fail({"kind": "status", "status": status, "code": "some_code"})
    tagger = tagger_of(workspace, tag)
    for applied in (*tagger.tag_users(entered(user)), tagger.untag(left(user))):
        assert (applied.outcome, applied.reason) == ("failed", f"{status} some_code")
        assert applied.request_id


@pytest.mark.parametrize("status", [401, 403])
def test_lost_access_stops_the_sync(workspace, status):
    """At once, even in the middle."""
    (user,) = workspace.users(1)
    tag = workspace.tag("VIP")
    workspace.fail({"kind": "status", "status": status})
    tagger = tagger_of(workspace, tag)
    with pytest.raises(AccessError):
        tagger.tag_users(entered(user))
    with pytest.raises(AccessError):
        tagger.untag(left(user))


def failing_on(workspace, culprit: str, status: int):
    """Make bulk calls with one contact fail, as a defect in Intercom would."""
    transport = workspace.client._transport
    call = transport.call

    def failing(method, path, **options):
        bulk = {user["id"] for user in (options.get("json") or {}).get("users", ())}
        rule = {"kind": "status", "status": status}
        workspace.fail(*([rule] if culprit in bulk or culprit in path else []))
        return call(method, path, **options)

    transport.call = failing


def test_one_contact_that_intercom_fails_on_does_not_hold_up_the_others(workspace):
    """If Intercom accepts the other half of a list, halving finds the contact."""
    users = workspace.users(16)
    tag = workspace.tag("VIP")
    failing_on(workspace, users[5], 500)
    applied = tagger_of(workspace, tag).tag_users(entered(*users))
    assert {one.contact_id: one.outcome for one in applied} == {
        user: "pending" if user == users[5] else "applied" for user in users
    }
    assert workspace.tagged("VIP") == set(users) - {users[5]}


@pytest.mark.parametrize("status", [400, 422])
def test_one_contact_that_is_refused_does_not_hold_up_the_others(workspace, status):
    """Halving finds it too."""
    users = workspace.users(16)
    tag = workspace.tag("VIP")
    failing_on(workspace, users[5], status)
    applied = tagger_of(workspace, tag).tag_users(entered(*users))
    assert [one.contact_id for one in applied if one.outcome == "failed"] == [users[5]]
    assert workspace.tagged("VIP") == set(users) - {users[5]}


def test_an_outage_does_not_cause_a_call_per_contact(workspace):
    """A list and its two halves, five attempts each."""
    users = workspace.users(50)
    tag = workspace.tag("VIP")
    workspace.fail({"kind": "status", "status": 500})
    assert outcomes(tagger_of(workspace, tag).tag_users(entered(*users))) == ["pending"] * 50
    assert workspace.calls == {BULK: 15}
