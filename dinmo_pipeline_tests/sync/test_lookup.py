"""Looking up members: the cheapest way, the exact number of calls, and what is stored."""

import logging

import pytest

from dinmo_pipeline.emulator import NewContact
from dinmo_pipeline.intercom.errors import AccessError, UnavailableError
from dinmo_pipeline.sync.lookup import look_again, look_for_unknown, max_lookup_calls
from dinmo_pipeline.sync.recheck import facts_of
from dinmo_pipeline.sync.session import progress_listener
from dinmo_pipeline_tests.sync.syncing import compare, declare_members, rows, session_on

LIST, SEARCH = "GET /contacts", "POST /contacts/search"


def email(number: int) -> str:
    return f"u{number}@example.com"


@pytest.fixture
def session(workspace, tmp_path):
    return session_on(workspace, tmp_path)


def look_up(session, identifiers) -> None:
    unknown = declare_members(session, identifiers).unknown
    look_for_unknown(session, unknown)


def test_few_unknown_members_are_searched_without_comparing_costs(workspace, session):
    """1,000 members take 20 calls, as designed."""
    workspace.users(1_000)
    look_up(session, map(email, range(1_000)))
    assert workspace.calls == {SEARCH: 20}
    assert rows(session, "SELECT count(*), bool_and(by_email) FROM dinmo.contacts") == [(1_000, True)]


def test_many_unknown_members_of_a_large_workspace_are_searched(workspace, session):
    """One call shows that the list would take more. The plan reports the maximum."""
    workspace.users(9_000)
    look_up(session, map(email, range(2_000)))
    assert workspace.calls == {LIST: 1, SEARCH: 40}
    assert max_lookup_calls(2_000) == 41
    assert max_lookup_calls(1_000) == 20


def test_a_large_part_of_the_workspace_is_listed(workspace, session):
    """5,000 members in a workspace of 6,000: 40 calls instead of 100, and afterwards all are known."""
    workspace.users(6_000)
    members = [*map(email, range(2_000, 6_500)), *(f"absent{n}@example.com" for n in range(500))]
    look_up(session, members)
    assert workspace.calls == {LIST: 40}
    assert compare(session).unknown == 0
    assert rows(session, "SELECT count(*), bool_and(by_email) FROM dinmo.contacts") == [(6_000, True)]
    assert rows(session, "SELECT count(*) FROM dinmo.missing_members") == [(1_000,)]


def test_the_list_finds_what_a_search_finds(workspace, tmp_path):
    """Users with both kinds of identifier, several per address, no leads: the same change set."""
    people = [NewContact(f"U{n % 1_200}@Example.com", f"id{n}") for n in range(1_500)]
    leads = [NewContact(email(n), role="lead") for n in range(1_100, 1_300)]
    results = []
    for match_by in ("email", "user_id"):
        for extra in (0, 4_000):
            workspace.reset()
            workspace.create(people)
            workspace.create(leads)
            workspace.create(NewContact(f"other{n}@example.com") for n in range(extra))
            folder = tmp_path / f"{match_by}-{extra}"
            folder.mkdir()
            session = session_on(workspace, folder, match_by=match_by)
            names = [email(n) if match_by == "email" else f"id{n}" for n in range(1_300)]
            look_up(session, names)
            assert (workspace.calls[SEARCH] == 0) == (extra == 0)
            changes = compare(session)
            results.append((match_by, changes.entered, changes.not_in_intercom, changes.unknown))
    assert results[0] == results[1] == ("email", 1_200, 100, 0)
    assert results[2] == results[3] == ("user_id", 1_300, 0, 0)


@pytest.mark.parametrize("fault", ["repeated cursor", "refused"])
def test_a_list_that_breaks_off_is_replaced_by_searching(workspace, session, caplog, fault):
    """Nothing is concluded from it: only a complete list shows that all users of an address are known."""
    workspace.users(3_000)
    if fault == "refused":
        workspace.fail({"kind": "status", "status": 400, "match": {"route": "/contacts"}, "after": 3})
    else:
        transport = workspace.client._transport
        call = transport.call

        def once_more(method, path, **options):
            # Like a server that ignores the cursor, and returns the first page again and again.
            if path == "/contacts":
                options["query"] = {"per_page": "150"}
            return call(method, path, **options)

        transport.call = once_more
    with caplog.at_level(logging.WARNING):
        look_up(session, map(email, range(3_000)))
    assert "Listing failed" in caplog.text
    assert workspace.calls[LIST] <= 4
    assert workspace.calls[SEARCH] == 60
    assert compare(session).unknown == 0


def test_an_access_error_ends_the_lookup(workspace, session):
    """A token that may not list may not search either."""
    workspace.reset(missing_scopes=frozenset({"read_contacts"}))
    with pytest.raises(AccessError):
        look_up(session, map(email, range(2_000)))
    assert workspace.client.calls == 1


def test_only_the_first_batch_learns_a_limit_on_list_length(workspace, session):
    """It takes seven calls; then fifty members take four."""
    workspace.reset(in_cap=15)
    workspace.users(500)
    look_up(session, map(email, range(500)))
    assert workspace.calls == {SEARCH: 7 + 9 * 4}
    assert compare(session).unknown == 0


def test_a_batch_without_an_answer_stays_unknown(workspace, session):
    """The others are recorded, and the next sync tries again."""
    workspace.users(200)
    workspace.fail({"kind": "status", "status": 503, "match": {"route": "/contacts/search"}, "times": 5})
    look_up(session, map(email, range(200)))
    assert compare(session).unknown == 50
    look_for_unknown(session, 50)
    assert compare(session).unknown == 0


def test_an_outage_ends_the_lookup(workspace, session):
    """After three batches in a row, five attempts each, besides those in flight."""
    workspace.fail({"kind": "status", "status": 503})
    with pytest.raises(UnavailableError):
        look_up(session, map(email, range(500)))
    assert compare(session).unknown == 500


def look_again_now(session):
    """The look of a sync of its own, which shares no workspace with another."""
    session.intercom.signups_read_at = None
    with session.state.reading() as connection:
        facts = facts_of(connection, session.activation, now=session.clock())
    look_again(session, 1, since=facts.signups_since)


def test_members_not_in_intercom_cost_only_a_page_of_sign_ups_next_time(workspace, session):
    """They are remembered, and not searched for again."""
    workspace.users(10)
    look_up(session, map(email, range(15)))
    before = workspace.client.calls
    workspace.clock.now += 600
    look_again_now(session)
    assert workspace.client.calls - before == 1
    assert compare(session).unknown == 0
    assert compare(session).not_in_intercom == 5


def test_a_sign_up_is_found_at_the_next_look(workspace, session):
    """Among the new contacts, one page per 150; all users of the address at once."""
    look_up(session, [email(1), email(2)])
    workspace.clock.now += 3_600
    workspace.create([NewContact(email(1), "1"), NewContact(email(1), "2")])
    look_again_now(session)
    look_for_unknown(session, compare(session).unknown)
    changes = compare(session)
    assert (changes.entered, changes.unknown, changes.not_in_intercom) == (1, 0, 1)
    assert len(rows(session, "SELECT * FROM dinmo.contacts")) == 2
    assert workspace.calls[SEARCH] <= 3


def test_members_not_in_intercom_are_looked_up_at_growing_intervals(workspace, session):
    """After 12 hours, then 24, 48 …, since an old contact may have got their address."""
    look_up(session, [email(1)])
    started, looks = workspace.clock.now, []
    for hours in (11, 13, 36, 38, 85, 88):
        workspace.clock.now = started + hours * 3_600
        before = workspace.client.calls
        look_again_now(session)
        if workspace.client.calls - before > 1:
            looks.append(hours)
    assert looks == [13, 38, 88]


def test_progress_is_reported(workspace, session):
    """In members looked up, or in contacts listed."""
    heard = []
    token = progress_listener.set(lambda *told: heard.append(told))
    try:
        workspace.users(1_200)
        look_up(session, map(email, range(100)))
        look_up(session, map(email, range(1_200)))
    finally:
        progress_listener.reset(token)
    assert heard[:2] == [("vip: looking up members", 50, 100), ("vip: looking up members", 100, 100)]
    assert heard[-1] == ("vip: listing contacts", 1_200, 1_200)
